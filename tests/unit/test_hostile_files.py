# SPDX-License-Identifier: Apache-2.0
"""Whatever stands in a stored file, its reader says so in one line that names the file."""

from __future__ import annotations

import copy
import json
import shutil
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from unas._paths import boards_dir
from unas._text import toml_text
from unas.board import load_board
from unas.config import load_study
from unas.errors import ConfigError, StoreError, UnasError
from unas.hil.units import load_units
from unas.record import Measurement
from unas.store.cache import DirectoryStore, MeasurementKey
from unas.store.calibration import read_calibration, read_models
from unas.store.journal import read_journal
from unas.store.measurements import read_findings, read_samples
from unas.store.study_folder import read_study
from unas.testing.contracts import example_measurement

ROOT = Path(__file__).parents[2]
CALIBRATION = ROOT / "results" / "calibration" / "f746"
STUDIES = ROOT / "results" / "published"
STUDY = next(path.parent for path in sorted(STUDIES.rglob("measurements.jsonl")))
WRONG: list[Any] = [None, [], 3, 2.5, "x", {}, True, {"a": [{}]}, [[[]]], 10**400]
DEEP = "[" * 100_000
KEY = MeasurementKey("a", "f746", "b", "c", 1, 1, 1)

Read = Callable[[Path], object]
# By the name of a file: how it is read, and its errors. ``{}`` in the name is any folder.
JSON_READERS: dict[str, tuple[Path, Read]] = {
    "journal.jsonl": (STUDY / "journal.jsonl", read_journal),
    "measurements.jsonl": (STUDY / "measurements.jsonl", read_findings),
    "samples.jsonl": (CALIBRATION / "samples.jsonl", read_samples),
    "models.json": (CALIBRATION / "models.json", lambda path: read_models(path.parent)),
    "fit.json": (CALIBRATION / "fit.json", lambda path: read_calibration(path.parent)),
}
TOML_READERS: dict[str, tuple[Path, Read]] = {
    "f746.toml": (boards_dir() / "f746.toml", lambda path: load_board(str(path))),
    "study.toml": (STUDY / "study.toml", load_study),
}
UNITS = '[[unit]]\nname = "a"\nboard = "f746"\nport = "/dev/x"\nprobe_serial = "1"\n'


def _refusal(read: Read, path: Path, error: type[UnasError]) -> str | None:
    """What the reader says; None if it takes the file. Any other error ends the test."""
    try:
        read(path)
    except error as problem:
        text = str(problem)
    else:
        return None
    assert "\n" not in text
    assert len(text) < 1000
    assert str(path) in text or str(path.parent) in text
    return text


def _leaves(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths to all values; of an array only to its first and last entry."""
    yield path
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _leaves(value, (*path, key))
    elif isinstance(data, list):
        for index in sorted({0, len(data) - 1} if data else ()):
            yield from _leaves(data[index], (*path, index))


def _with(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    data = copy.deepcopy(data)
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return data


def _beside(name: str, source: Path, folder: Path) -> Path:
    """A copy of a file, with the rest of its calibration."""
    if source.parent == CALIBRATION:
        for other in CALIBRATION.iterdir():
            if other.suffix in (".json", ".csv"):
                shutil.copy(other, folder)
    return folder / name


@pytest.mark.parametrize("text", ["null", "[]", "3", '"x"', "{}", "{", "\ufeff", DEEP, "9" * 5000])
@pytest.mark.parametrize("name", JSON_READERS)
def test_json_that_is_something_else_is_refused(name: str, text: str, tmp_path: Path) -> None:
    source, read = JSON_READERS[name]
    path = _beside(name, source, tmp_path)
    path.write_text(text + "\n")
    taken = name == "fit.json" and text == "{}"  # no lines were fitted
    assert (_refusal(read, path, StoreError) is None) == taken


@pytest.mark.slow
@pytest.mark.parametrize("name", JSON_READERS)
def test_every_value_of_a_stored_file_may_be_wrong(name: str, tmp_path: Path) -> None:
    source, read = JSON_READERS[name]
    path = _beside(name, source, tmp_path)
    lines = source.read_text().splitlines()
    for number in [0, len(lines) - 1] if name == "journal.jsonl" else [0]:
        whole = lines[number] if name.endswith("l") else source.read_text()
        before = "".join(f"{line}\n" for line in lines[:1]) if number else ""
        data = json.loads(whole)
        path.write_text(before + whole + "\n")
        assert _refusal(read, path, StoreError) is None
        refused = 0
        leaves = list(_leaves(data))
        leaves = leaves[
            :: max(len(leaves) // (30 if name.endswith("n") else 150), 1)
        ]  # trees have thousands of equal nodes
        for leaf in leaves:
            for wrong in WRONG:
                path.write_text(before + json.dumps(_with(data, leaf, wrong)) + "\n")
                refused += _refusal(read, path, StoreError) is not None
        assert refused > len(leaves)


@pytest.mark.slow
@pytest.mark.parametrize("name", TOML_READERS)
def test_every_value_of_a_toml_file_may_be_wrong(name: str, tmp_path: Path) -> None:
    source, read = TOML_READERS[name]
    path = tmp_path / name
    data = tomllib.loads(source.read_text())
    refused = 0
    leaves = [leaf for leaf in _leaves(data) if leaf]
    for leaf in leaves:
        for wrong in WRONG:
            if wrong is None:
                continue
            text = toml_text(_with(data, leaf, wrong))
            path.write_text(text)
            refused += _refusal(read, path, ConfigError) is not None
    assert refused > 3 * len(leaves)


@pytest.mark.parametrize("text", ["a = " + DEEP, "a = " + "9" * 5000, "[", "x", "\0"])
@pytest.mark.parametrize("name", [*TOML_READERS, "hardware_map.toml"])
def test_toml_without_end_is_refused(name: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(text)
    read = load_units if name == "hardware_map.toml" else TOML_READERS[name][1]
    assert _refusal(read, path, ConfigError)


def test_every_value_of_a_hardware_map_may_be_wrong(tmp_path: Path) -> None:
    path = tmp_path / "hardware_map.toml"
    data = tomllib.loads(UNITS)
    path.write_text(UNITS)
    assert _refusal(load_units, path, ConfigError) is None
    for leaf in [leaf for leaf in _leaves(data) if leaf]:
        for wrong in (3, 2.5, True, [3], {"a": 1}):
            path.write_text(toml_text(_with(data, leaf, wrong)))
            assert _refusal(load_units, path, ConfigError)


@pytest.mark.parametrize("text", ["null", "[]", "3", '"x"', "{", DEEP])
def test_the_environment_of_a_study_may_be_anything(text: str, tmp_path: Path) -> None:
    for name in ("journal.jsonl", "study.toml"):
        shutil.copy(STUDY / name, tmp_path)
    path = tmp_path / "environment.json"
    path.write_text(text)
    assert _refusal(lambda path: read_study(str(path.parent), tmp_path), path, StoreError)


@pytest.mark.parametrize("text", ["null", "[]", "3", '"x"', "{}", "{", DEEP, "9" * 5000, "\xff"])
def test_the_cache_heals(text: str, tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    store.put(KEY, example_measurement())
    (path,) = tmp_path.rglob("*.json")
    path.write_bytes(text.encode("latin-1"))
    assert store.get(KEY) is None
    store.put(KEY, example_measurement())
    assert store.get(KEY) == example_measurement()


@pytest.mark.parametrize(
    ("key", "value"), [("samples_cycles", []), ("clock_hz", 0), ("clock_hz", -1)]
)
def test_a_measurement_without_a_latency_is_none_of_the_cache(
    key: str, value: object, tmp_path: Path
) -> None:
    store = DirectoryStore(tmp_path)
    store.put(KEY, example_measurement())
    (path,) = tmp_path.rglob("*.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    assert store.get(KEY) is None


@pytest.mark.parametrize("name", ["measurements.csv", "predictions.csv", "operators.csv"])
def test_a_table_with_other_columns_or_words_for_numbers_is_refused(
    name: str, tmp_path: Path
) -> None:
    path = _beside(name, CALIBRATION / name, tmp_path)
    rows = path.read_text().splitlines()
    words = ",".join("x" for _ in rows[0].split(","))
    holes = "," * rows[0].count(",")
    wrong = ["null", f"{rows[0]}\n{words}", f"{rows[0]}\n{holes}", "\0", rows[0].replace("e", "f")]
    wrong += [rows[0]] if name != "operators.csv" else []  # profiles may be missing
    for text in wrong:
        path.write_text(text + "\n")
        assert _refusal(lambda path: read_calibration(path.parent), path, StoreError), text


@pytest.mark.parametrize("key", ["input", "output", "filter", "stride", "dilation"])
def test_a_call_without_extent_is_refused(key: str, tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    data = json.loads((CALIBRATION / "samples.jsonl").read_text().splitlines()[0])
    size = 3 if key in ("input", "output") else 2
    path.write_text(json.dumps(_with(data, ("calls", 0, key), [0] * size)) + "\n")
    assert _refusal(read_samples, path, StoreError)


def test_a_measurement_with_a_value_of_another_type_is_none_of_the_cache(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    store.put(KEY, example_measurement())
    (path,) = tmp_path.rglob("*.json")
    data = json.loads(path.read_text())
    for leaf in _leaves(data):
        for wrong in WRONG[-3:-1]:
            path.write_text(json.dumps(_with(data, leaf, wrong)))
            assert store.get(KEY) is None, leaf
            with pytest.raises(StoreError):
                Measurement.from_json_dict(_with(data, leaf, wrong))
    with pytest.raises(StoreError, match="'clock_hz' is 'fast'; it must be a whole number"):
        Measurement.from_json_dict(data | {"clock_hz": "fast"})
