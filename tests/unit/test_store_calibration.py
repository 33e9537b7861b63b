# SPDX-License-Identifier: Apache-2.0
"""A calibration on disk: everything comes back, and broken folders are refused."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from tests.unit.synthetic_board import calls_of, network, sample
from unas.calibration.learn import arena_of_the_unseen, evaluated_on
from unas.cost.memory import ArenaModel, FlashModel
from unas.cost.model_selection import Fitted, fit_latency
from unas.cost.operators import ArenaLayout
from unas.cost.types import KernelProfile
from unas.errors import ConfigError, StoreError
from unas.hil.measure import Procedure
from unas.store.cache import MeasurementKey
from unas.store.calibration import (
    CalibrationResults,
    read_calibration,
    read_models,
    write_calibration,
)
from unas.store.measurements import (
    read_samples,
    sample_from_json_dict,
    sample_to_json_dict,
    write_samples,
)
from unas.testing.contracts import example_measurement

GRAPHS = [network(i) for i in range(14)]
SAMPLES = [sample(f"n{i}", calls_of(graph)) for i, graph in enumerate(GRAPHS)]
IDENTITY = {"board": "fake", "provenance": "emulated", "timing": "fake"}
ROW = {"provenance": "emulated", "timing": "fake", "paper_macs": 1, "latency_us": 1.0}


def _fitted() -> Fitted:
    return fit_latency(SAMPLES[:10], KernelProfile(), ArenaLayout("dsp"), 1e6, IDENTITY)


@pytest.fixture(scope="module")
def findings() -> CalibrationResults:
    sizes = [sum(tensor.size_bytes for tensor in graph.tensors) for graph in GRAPHS]
    return CalibrationResults(
        rows=[ROW | {"architecture_id": one.name} for one in SAMPLES],
        samples=SAMPLES,
        fitted=evaluated_on(_fitted(), SAMPLES[10:]),
        environment={"board": "fake"},
        measurements=[example_measurement()],
        kernels=[example_measurement("1" * 64)],
        arena=ArenaModel.fit(GRAPHS, sizes),
        flash=FlashModel.fit(GRAPHS, sizes, [1000] * len(GRAPHS)),
        sampling={"reached": True},
    )


@pytest.mark.slow
def test_all_comes_back(tmp_path: Path, findings: CalibrationResults) -> None:
    write_calibration(tmp_path, findings)
    found = read_calibration(tmp_path)
    assert found.models.chosen == findings.fitted.model.name
    assert set(found.models.latency) == set(findings.fitted.models)
    again = read_models(tmp_path)
    assert (again.chosen, again.arena) == (found.models.chosen, found.models.arena)
    for graph, one in zip(GRAPHS, SAMPLES, strict=True):
        for name, model in findings.fitted.models.items():
            assert found.models.latency[name].cycles(one.calls) == model.cycles(one.calls)
        assert found.models.arena is not None
        assert findings.arena is not None
        assert found.models.arena.predict(graph) == findings.arena.predict(graph)
        assert found.models.flash is not None
        assert findings.flash is not None
        assert found.models.flash.predict(graph) == findings.flash.predict(graph)
    assert read_samples(tmp_path / "samples.jsonl") == tuple(SAMPLES)
    assert len(found.table) == len(SAMPLES)
    assert json.loads((tmp_path / "sampling.json").read_text()) == {"reached": True}


def test_the_held_out_networks_are_what_is_told(
    tmp_path: Path, findings: CalibrationResults
) -> None:
    write_calibration(tmp_path, findings)
    found = read_calibration(tmp_path)
    names = {one.name for one in SAMPLES[10:]}
    assert set(found.predictions["network"]) == set(found.operators["network"]) == names
    for name in findings.fitted.models:
        mine = found.predictions[found.predictions["model"] == name]
        error = np.abs(mine["predicted_us"] - mine["found_us"]) / mine["found_us"]
        told = found.quality["latency"][name]["fit"]
        assert told["n"] == len(mine) == len(names)
        assert told["mape_percent"] == pytest.approx(float(error.mean()) * 100)
    cycles = found.operators[found.operators["model"] == found.models.chosen]["found_cycles"]
    assert cycles.sum() == pytest.approx(sum(sum(s.operator_cycles) for s in SAMPLES[10:]))


def test_what_does_not_belong_together_is_refused(
    tmp_path: Path, findings: CalibrationResults
) -> None:
    other = replace(example_measurement(), timing="another")
    with pytest.raises(StoreError, match="one board"):
        write_calibration(tmp_path, replace(findings, kernels=[other]))


@pytest.mark.parametrize("name", ["models.json", "measurements.csv", "predictions.csv"])
def test_a_missing_file_names_the_command_that_makes_it(
    tmp_path: Path, findings: CalibrationResults, name: str
) -> None:
    write_calibration(tmp_path, findings)
    (tmp_path / name).unlink()
    with pytest.raises(StoreError, match="unas-hil calibrate --board"):
        read_calibration(tmp_path)


def test_models_of_another_shape_are_refused(tmp_path: Path, findings: CalibrationResults) -> None:
    write_calibration(tmp_path, findings)
    stored = json.loads((tmp_path / "models.json").read_text())
    broken_ones: list[object] = [[], {"latency": {}}]
    broken_ones += [stored | {"chosen": "guess"}, stored | {"more": 1}]
    for broken in broken_ones:
        (tmp_path / "models.json").write_text(json.dumps(broken))
        with pytest.raises(StoreError, match="calibrate again"):
            read_models(tmp_path)


def test_arenas_are_predicted_by_models_that_did_not_see_them() -> None:
    """A network with an odd arena does not make its own prediction right."""
    graphs = [network(i) for i in range(20)]
    sizes = [sum(tensor.size_bytes for tensor in graph.tensors) for graph in graphs]
    odd = [*sizes[:-1], 10 * sizes[-1]]
    said, said_odd = (arena_of_the_unseen(graphs, each, 0) for each in (sizes, odd))
    assert said_odd[-1].value == pytest.approx(said[-1].value)


def test_measurements_from_before_the_choice_keep_their_names() -> None:
    old = {"model_sha256": "m", "board_id": "b", "firmware_hash": "f", "source": "s"}
    old_key = {**old, "warmup": 0, "runs": 1, "seed": 1}
    key = MeasurementKey("m", "b", "f", "s", 0, 1, 1)
    content = json.dumps(old_key, sort_keys=True).encode()
    assert key.digest == hashlib.sha256(content).hexdigest()
    others = [replace(key, verify_arena=False)]
    others.append(replace(others[0], most_output_bytes=512))
    assert len({key.digest, *(other.digest for other in others)}) == 3
    assert asdict(key) != asdict(others[0])


def test_a_trial_of_the_arena_needs_the_whole_output() -> None:
    with pytest.raises(ConfigError, match="whole outputs"):
        Procedure(max_output_bytes=10)
    assert Procedure(verify_arena=False, max_output_bytes=10).max_output_bytes == 10


_F746 = Path(__file__).parents[2] / "results" / "calibration" / "f746"


def test_stored_keys_stay_as_files_have_them() -> None:
    """Names in the code may change; what the files in the repository hold must not."""
    stored = json.loads((_F746 / "models.json").read_text())
    models = read_models(_F746)
    for name, model in models.latency.items():
        assert model.to_json_dict() == stored["latency"][name]
    assert models.arena is not None
    assert models.arena.to_json_dict() == stored["arena"]
    assert models.flash is not None
    assert models.flash.to_json_dict() == stored["flash"]


def test_stored_samples_stay_as_files_have_them(tmp_path: Path) -> None:
    stored = [json.loads(line) for line in (_F746 / "samples.jsonl").read_text().splitlines()]
    keys = {key for line in stored for call in line["calls"] for key in call["place"]}
    assert {"scratch_bytes", "far_input", "far_output", "near_scratch"} <= keys
    write_samples(tmp_path / "samples.jsonl", read_samples(_F746 / "samples.jsonl"))
    written = (tmp_path / "samples.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in written] == stored


@pytest.mark.parametrize("place", [None, [], "near", {"slow_input": 0.5}])
def test_a_strange_placement_is_refused(place: object) -> None:
    line = sample_to_json_dict(SAMPLES[0])
    line["calls"][0]["place"] = place
    with pytest.raises(StoreError, match="stored placement"):
        sample_from_json_dict(line)
