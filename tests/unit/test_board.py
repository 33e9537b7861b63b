# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pytest

from unas._paths import boards_dir
from unas.board import list_boards, load_board, read_board
from unas.errors import ConfigError

GOOD = (boards_dir() / "f746.toml").read_text()


@pytest.mark.parametrize("board_id", list_boards())
def test_every_board_that_comes_along_is_valid(board_id: str) -> None:
    board = load_board(board_id)
    assert board.id == board_id
    for region in board.memory:
        if region.alias_of is not None:
            assert region.size_bytes <= board.region(region.alias_of).size_bytes


def test_the_f746_has_the_memory_of_its_datasheet() -> None:
    """DS10916: 1 Mbyte of flash, 320 Kbytes of SRAM (with 64 of DTCM) and 16 Kbytes of ITCM RAM."""
    board = load_board("f746")
    assert board.flash_bytes == 1024 * 1024
    assert board.ram_bytes == 320 * 1024
    assert board.region("itcm").size_bytes == 16 * 1024


def test_the_l4r5_has_the_memory_of_its_datasheet() -> None:
    """DS12023: 2 Mbytes of flash; 640 Kbytes of SRAM, of them 192 SRAM1, 64 SRAM2, 384 SRAM3."""
    board = load_board("l4r5")
    assert board.flash_bytes == 2048 * 1024
    assert board.ram_bytes == 640 * 1024
    sizes = [board.region(f"sram{number}").size_bytes // 1024 for number in (1, 2, 3)]
    assert sizes == [192, 64, 384]
    assert (board.cpu.icache_bytes, board.cpu.dcache_bytes) == (0, 0)


def test_a_path_is_a_board_too(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    assert load_board(str(path)).id == "mine"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("core_clock_hz", "core_clok_hz"),
            r"unknown key 'core_clok_hz'; did you mean core_clock_hz",
        ),
        (('mcu = "', 'extra = 1\nmcu = "'), r"unknown key 'extra'"),
        (("wait_states = 7", "wait_sates = 7"), r"unknown key 'wait_sates'; did you mean wait_st"),
        (("0x2001_0000", "0x2000_8000"), r"dtcm and sram1 overlap"),
        (('size = "64KiB"', 'size = "64KiX"'), r"no size in bytes"),
        (('size = "64KiB"', "size = true"), r"'size': True is no size"),
        (('"-mthumb"', '"-mthumb; rm -rf"'), r"must match"),
        (('usb_ids = ["0483', 'usb_ids = ["x483'), r"must match"),
        (("bus_bytes = 8", "bus_bytes = 5"), r"bus_bytes 4 or 8, not 'axi' and 5"),
        (("code_lines = 64", 'code_lines = "64"'), r"'code_lines' is '64'"),
        (('port = "stm32f7"', 'port = "../../etc"'), r"use a-z, 0-9"),
        (('alias_of = "flash"', 'alias_of = "rom"'), r"no such region"),
        (('kind = "rom"', 'kind = "eeprom"'), r"flash, ram or rom"),
        (('tx = "PD8"', 'tx = "PD16"'), r"'PD16' is no pin; write it as PD8"),
        (('uart = "usart3"', ""), r"tx and rx are pins of a 'uart'; name it"),
        (('uart = "usart3"', 'uart = "USART 3"'), r"use a-z, 0-9"),
        (
            ("hse_hz = 8_000_000", 'hse_hz = "8 MHz"'),
            r"'hse_hz' is '8 MHz'; it must be a whole number",
        ),
        (("schema = 1", "schema = 2"), r"schema must be 1"),
        (('use = "code"\n', 'use = "data"\n'), r'no memory region has use = "code"'),
        (("core_clock_hz = 216_000_000", "core_clock_hz = 0"), r"core_clock_hz and baud"),
        (("baud = 115_200", "baud = -1"), r"core_clock_hz and baud"),
        (("[cpu]", "[cpu"), r"no valid TOML"),
    ],
)
def test_a_wrong_file_is_one_clear_error(
    tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    path = tmp_path / "wrong.toml"
    assert change[0] in GOOD
    path.write_text(GOOD.replace(*change, 1))
    with pytest.raises(ConfigError, match=message) as caught:
        load_board(str(path))
    assert "wrong.toml" in str(caught.value)


def test_a_typo_names_the_near_board() -> None:
    with pytest.raises(ConfigError, match="did you mean f746"):
        load_board("f764")


@pytest.mark.parametrize("name", ["../f746", "f746.tom", "", "F746", "a/b.toml", "my board.toml"])
def test_odd_names_are_no_boards(name: str) -> None:
    with pytest.raises(ConfigError):
        load_board(name)


@pytest.mark.parametrize("board_id", list_boards())
def test_a_written_board_is_read_again_and_changes_only_its_text(board_id: str) -> None:
    board = load_board(board_id)
    text = board.to_toml()
    again = read_board(text, board_id, "again")
    assert again == board
    assert again.source == text == again.to_toml()
    assert again.file_sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert board.source not in repr(board)


@pytest.mark.parametrize("board_id", list_boards())
def test_the_digest_of_a_board_is_that_of_its_file(board_id: str) -> None:
    content = (boards_dir() / f"{board_id}.toml").read_bytes()
    assert load_board(board_id).file_sha256 == hashlib.sha256(content).hexdigest()


def test_a_changed_board_has_another_digest() -> None:
    board = load_board("f746")
    slower = dataclasses.replace(board, core_clock_hz=board.core_clock_hz // 2)
    digest = hashlib.sha256(slower.to_toml().encode()).hexdigest()
    assert slower.file_sha256 == digest != board.file_sha256
    assert dataclasses.replace(slower, source=slower.to_toml()).file_sha256 == digest
    assert dataclasses.replace(slower, core_clock_hz=board.core_clock_hz).file_sha256 == (
        board.file_sha256
    )


def test_the_file_may_say_how_often_flash_can_be_erased() -> None:
    assert "erase_cycles" in GOOD
    assert read_board(GOOD.replace("erase_cycles = 10_000", ""), "f746", "f746.toml") == (
        load_board("f746")
    )
