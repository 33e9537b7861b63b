"""What an earlier version measured is found in the store, as long as it means today's numbers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from unas.board import load_board
from unas.firmware.build import compiler_version
from unas.firmware.runtimes import BUILTIN, BUILTIN_PLAIN, Runtime
from unas.hil.measure import Procedure
from unas.lab.bench import Bench
from unas.lab.earlier import declared, equal_keys
from unas.lab.lab import Lab
from unas.record import Measurement
from unas.store.cache import DirectoryStore, MeasurementKey
from unas.tflite.model_file import load_model

ROOT = Path(__file__).parents[2]
# Written by commit 66a6b88: unas-hil measure MODEL --board f746 --virtual --runs 1 --warmup 0
STORE = Path(__file__).with_name("earlier_store")
MODEL = ROOT / "results/published/digits_f746/networks/cad626d10371/model.tflite"
BENCH = Bench(load_board("f746"), procedure=Procedure(warmup=0, runs=1))


def stored() -> list[Measurement]:
    files = sorted(STORE.rglob("*.json"))
    return [Measurement.from_json_dict(json.loads(path.read_text())) for path in files]


def needs_the_same_compiler() -> None:
    built_by = {measurement.info["compiler"].removeprefix("gcc ") for measurement in stored()}
    if not all(version in compiler_version() for version in built_by):
        pytest.skip(f"stored by gcc {', '.join(built_by)}; here is {compiler_version()}")


@pytest.mark.parametrize("runtime", [BUILTIN, BUILTIN_PLAIN], ids=lambda runtime: runtime.name)
def test_the_lab_finds_it(runtime: Runtime) -> None:
    needs_the_same_compiler()
    lab = Lab(replace(BENCH, runtime=runtime), DirectoryStore(STORE))
    ((measurement, was_stored),) = lab.measure([load_model(MODEL).flatbuffer])
    assert was_stored
    assert isinstance(measurement, Measurement)
    assert measurement.kernels == ("dsp" if runtime is BUILTIN else "plain")


def test_a_change_of_the_sources_ends_the_equality() -> None:
    recipe = BENCH.builder(0).recipe
    key = MeasurementKey("0" * 64, "f746", recipe.firmware_hash, BENCH.source, 0, 1, 1)
    now = declared()
    (equal,) = equal_keys(key, recipe, now)
    assert equal.firmware_hash != key.firmware_hash
    assert now.virtual in equal.source
    assert replace(equal, firmware_hash=key.firmware_hash, source=key.source) == key
    assert list(equal_keys(key, recipe, replace(now, firmware_today="0" * 64))) == []
    assert list(equal_keys(key, recipe, replace(now, virtual_today="0" * 16))) == []
    unit = replace(key, source="unit nucleo")
    (on_unit,) = equal_keys(unit, recipe, replace(now, virtual_today="0" * 16))
    assert on_unit.source == "unit nucleo"


def test_nothing_is_declared_of_other_people_s_runtimes() -> None:
    recipe = BENCH.builder(0).recipe
    key = MeasurementKey("0" * 64, "f746", recipe.firmware_hash, BENCH.source, 0, 1, 1)
    runtime = replace(recipe.runtime, name="tflm", library=object())  # type: ignore[arg-type]
    assert list(equal_keys(key, replace(recipe, runtime=runtime), declared())) == []
