# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest

from unas.architecture import DenseLayer, MlpArchitecture
from unas.candidate import Candidate
from unas.constraints import Constraints
from unas.errors import StoreError
from unas.record import (
    Figures,
    FinalTraining,
    MeasuredFigures,
    Outcome,
    OutputCheck,
    Prediction,
    Provenance,
    Record,
    Stage,
    TrainingResult,
)
from unas.record.latency import value_ranges
from unas.record.wording import feasible_count_text, seed_count_text
from unas.testing.contracts import example_measurement

FIGURES = Figures(
    macs=1000,
    paper_macs=1100,
    model_size_bytes=500,
    peak_memory_bytes=300,
    peak_memory_without_input_bytes=250,
    flatbuffer_bytes=2000,
    latency_us=Prediction(10.0, 9.0, 11.5),
    arena_used_bytes=Prediction(900.0, 900.0, 910.0),
)
TRAINING = TrainingResult(
    seed=3,
    epochs=5,
    best_epoch=4,
    val_error=0.0625,
    test_error=0.07,
    float_val_error=0.06,
    float_test_error=0.065,
    model_sha256="b" * 64,
    kept_channels=(3, 1, 8),
    seconds=12.5,
)
RECORD = Record(
    index=7,
    candidate=Candidate(MlpArchitecture((DenseLayer(10),)), 0.5),
    outcome=Outcome.COMPLETE,
    stage=Stage.DONE,
    values={"error": 0.0625, "peak_memory_bytes": 300.0},
    violations={"peak_memory_bytes": 1.5},
    figures=FIGURES,
    unpruned=replace(FIGURES, macs=4000),
    measurement=MeasuredFigures.of(example_measurement()),
    training=TRAINING,
    seconds={"resources": 0.002, "training": 12.5},
)
SHORT = Record(0, Candidate(MlpArchitecture(())), Outcome.FAILED, Stage.BOARD, cause="no link")


def _through_json(record: Record) -> Record:
    return Record.from_json_dict(json.loads(json.dumps(record.to_json_dict())))


def test_records_survive_json() -> None:
    for record in (RECORD, SHORT):
        assert _through_json(record) == record
        assert type(_through_json(record).outcome) is Outcome


def test_every_field_is_in_the_json() -> None:
    names = {field.name for field in fields(Record)}
    assert set(RECORD.to_json_dict()) == {"schema", *names}


def test_final_trainings_survive_json() -> None:
    final = FinalTraining("a" * 64, TRAINING, {"error": 0.05})
    assert FinalTraining.from_json_dict(json.loads(json.dumps(final.to_json_dict()))) == final
    assert "cause" not in final.to_json_dict()  # as in journals from before there was one
    lost = replace(final, training=replace(TRAINING, val_error=None), values={}, cause="diverged")
    assert FinalTraining.from_json_dict(json.loads(json.dumps(lost.to_json_dict()))) == lost
    assert (final.diverged, lost.diverged) == (False, True)
    told = [seed_count_text((final,) * n + (lost,) * m) for n, m in ((3, 0), (2, 1), (0, 2))]
    assert told == ["3", "2 of 3, 1 diverged", "0 of 2, 2 diverged"]
    with pytest.raises(StoreError, match="must be a JSON object"):
        FinalTraining.from_json_dict([])  # type: ignore[arg-type]


def _paths(data: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every key of nested objects, the free mappings' own keys aside."""
    if not isinstance(data, dict) or (path and path[-1] in ("values", "violations", "seconds")):
        return []
    found = []
    for key, value in data.items():
        found.append((*path, key))
        found += _paths(value, (*path, key))
    return found


def _changed(path: tuple[str, ...], change: Any) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(json.dumps(RECORD.to_json_dict()))
    place = data
    for key in path[:-1]:
        place = place[key]
    if change is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = change
    return data


@pytest.mark.parametrize("path", _paths(RECORD.to_json_dict()), ids=".".join)
def test_a_key_that_is_missing_renamed_or_of_another_type_is_refused(path: tuple[str, ...]) -> None:
    wrong: list[Any] = [..., {"no": "such thing"}]
    if path not in {("values",), ("violations",), ("seconds",)}:
        wrong.append([[]])
    for change in wrong:
        with pytest.raises(StoreError):
            Record.from_json_dict(_changed(path, change))
    with pytest.raises(StoreError):
        Record.from_json_dict(_changed((*path[:-1], path[-1] + "x"), 1))


def test_truth_values_are_no_numbers_and_numbers_must_be_finite() -> None:
    for path in (("index",), ("figures", "macs"), ("training", "val_error"), ("values",)):
        change = {"error": True} if path == ("values",) else True
        with pytest.raises(StoreError):
            Record.from_json_dict(_changed(path, change))
    with pytest.raises(StoreError, match="nan"):
        replace(RECORD, values={"error": float("nan")}).to_json_dict()


def test_another_schema_is_refused() -> None:
    wrong: list[Any] = [{**RECORD.to_json_dict(), "schema": 2}, {}, []]
    for data in wrong:
        with pytest.raises(StoreError, match="version of unas"):
            Record.from_json_dict(data)


def test_feasible_is_trained_and_within_all_bounds() -> None:
    assert not RECORD.feasible
    assert replace(RECORD, violations={}).feasible
    for outcome in (Outcome.INFEASIBLE, Outcome.STOPPED_EARLY, Outcome.FAILED):
        assert not replace(RECORD, violations={}, outcome=outcome).feasible


def test_a_measurement_keeps_its_provenance_in_the_record() -> None:
    measurement = replace(example_measurement(), output=OutputCheck("none", 10, None))
    kept = MeasuredFigures.of(measurement)
    assert kept.provenance is Provenance.EMULATED
    assert kept.latency_us == measurement.latency_us
    assert kept.output_equal is None
    assert MeasuredFigures.of(example_measurement()).output_equal is True


def test_other_seeds_make_other_networks() -> None:
    bounds = Constraints(error=0.1, model_size_bytes=4000)
    finals = [
        FinalTraining("a" * 64, TRAINING, {"error": error, "model_size_bytes": size})
        for error, size in ((0.05, 3900.0), (0.05, 4100.0), (0.2, 3000.0))
    ]
    lost = replace(finals[0], values={}, cause="diverged")
    assert feasible_count_text([*finals, lost], bounds) == "1 of 4"
    assert value_ranges([*finals, lost]) == {
        "error": (0.05, 0.2),
        "model_size_bytes": (3000.0, 4100.0),
    }
    assert value_ranges([lost]) == {}
