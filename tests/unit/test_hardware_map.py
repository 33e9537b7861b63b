# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from unas.board import Board
from unas.errors import ConfigError
from unas.hil.units import Unit, choose_unit, load_units, write_units


def _units(folder: Path) -> list[Unit]:
    (folder / "tty-a").touch()
    return [
        Unit("gone", "f746", str(folder / "not-there"), "066AFF01"),
        Unit("desk", "f746", str(folder / "tty-a"), '0"6\\6'),
        Unit("other", "l4r5", str(folder / "tty-a"), ""),
    ]


def test_a_map_survives_writing_and_reading(tmp_path: Path) -> None:
    units = tuple(_units(tmp_path))
    write_units(units, tmp_path / "map.toml")
    assert load_units(tmp_path / "map.toml") == units


def test_no_map_means_no_units(tmp_path: Path) -> None:
    assert load_units(tmp_path / "none.toml") == ()


def test_the_plugged_in_unit_is_chosen(tmp_path: Path, f746: Board) -> None:
    units = _units(tmp_path)
    assert choose_unit(f746, None, units) == units[1]
    assert choose_unit(f746, "desk", units) == units[1]
    assert choose_unit(f746, None, units[:1]) is None


@pytest.mark.parametrize(
    ("name", "message"), [("gone", "not there"), ("other", "known: gone, desk")]
)
def test_a_unit_that_cannot_be_used_is_named(
    tmp_path: Path, f746: Board, name: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        choose_unit(f746, name, _units(tmp_path))


@pytest.mark.parametrize(
    "text",
    [
        "[[unit]]\nname = 'a'",
        "[[unit]]\nname='a'\nboard='b'\nport='c'\nprobe_serial=1",
        "[[unit]]\nname='a b'\nboard='b'\nport='c'\nprobe_serial=''",
        "[board]",
        "[[unit",
        "[[unit]]\nname='a'\nboard='b'\nport='c'\nprobe_serial=''\n" * 2,
    ],
)
def test_a_wrong_map_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "map.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"map\.toml"):
        load_units(tmp_path / "map.toml")
