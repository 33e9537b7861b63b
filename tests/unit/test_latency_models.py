# SPDX-License-Identifier: Apache-2.0
"""Latency models in a world whose cycles are known."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.unit.latency_world import random_call, random_samples, true_cycles
from unas.cost.intervals import ConformalInterval, Uncertainty
from unas.cost.linear import OperatorLinear
from unas.cost.model import BOOSTED, MAC_LINE, MODELS, OPERATOR_LINEAR, LatencyModel, OverheadModel
from unas.cost.model_selection import LEVEL, Fitted, fit_latency, folds_of
from unas.cost.operators import ArenaLayout, Call, Kernel
from unas.cost.types import KernelProfile, Sample
from unas.errors import StoreError
from unas.graph import OperatorKind

PROFILE = KernelProfile("dsp", cache_bytes=4096, line_bytes=32)
LAYOUT = ArenaLayout("dsp")


def _fit(samples: list[Sample]) -> Fitted:
    return fit_latency(samples, PROFILE, LAYOUT, 1e6, {"board": "made up"}, seed=0)


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    return _fit(random_samples(60, seed=1, noise=0.03))


def test_terms_of_a_sum_that_they_hold_are_found() -> None:
    """Where cycles are a sum of terms, the fit is exact on operators it never saw."""
    rng = np.random.default_rng(3)
    calls = [random_call(rng) for _ in range(400)]
    found = [700 + 5 * c.kernel.outputs + 2 * c.kernel.pixels for c in calls]
    adds = [i for i, c in enumerate(calls) if c.kernel.kind is OperatorKind.ADD]
    samples = [Sample(f"s{i}", (calls[i],), found[i], (found[i],)) for i in adds[: len(adds) // 2]]
    rest = [calls[i] for i in adds[len(adds) // 2 :]]
    flat = [c.kernel.pixels == c.kernel.outputs for c in rest]
    model = OperatorLinear.fit(samples, PROFILE)
    error = np.abs(model.operators(rest) / [found[calls.index(c)] for c in rest] - 1)
    assert np.median(error[~np.array(flat)]) < 0.05


def test_the_best_model_is_chosen_and_better_than_the_line(fitted: Fitted) -> None:
    errors = {name: fitted.quality(name).fit.mape_percent for name in MODELS}
    assert errors[fitted.model.name] == min(errors.values())
    assert errors[BOOSTED] < errors[MAC_LINE] / 3
    assert errors[OPERATOR_LINEAR] < 0.75 * errors[MAC_LINE]


def test_intervals_cover_what_they_say_on_new_networks(fitted: Fitted) -> None:
    new = random_samples(400, seed=99, noise=0.03)
    for name in (OPERATOR_LINEAR, BOOSTED):
        inside = []
        for sample in new:
            predicted = fitted.models[name].cycles(sample.calls)
            assert predicted.lower < predicted.value < predicted.upper
            inside.append(predicted.lower <= sample.cycles <= predicted.upper)
        # Sixty networks set the width: the share covered scatters by some 4 points around it.
        assert abs(np.mean(inside) - LEVEL) < 0.09


def test_an_interval_of_few_scores_is_endless() -> None:
    assert ConformalInterval.from_scores([0.1] * 8, 0.9).around(100.0, 0.1).upper > 1e20
    assert ConformalInterval.from_scores([0.1] * 9, 0.9).width == 0.1


def test_conformal_intervals_cover() -> None:
    """Over many draws of scores the mean coverage is the nominal one or slightly more."""
    rng = np.random.default_rng(7)
    covered = []
    for _ in range(400):
        scores = np.abs(rng.standard_t(3, size=40))
        width = ConformalInterval.from_scores(scores.tolist(), 0.9).width
        covered.append(np.mean(np.abs(rng.standard_t(3, size=200)) <= width))
    assert 0.895 < np.mean(covered) < 0.92


def test_no_network_is_ever_in_both_folds() -> None:
    samples = random_samples(23, seed=5)
    kernel = replace(samples[0], name="kernel", is_network=False)
    judged = [sample.name for sample in samples]
    seen: list[str] = []
    for train, test in folds_of([*samples, kernel], judged, 10, seed=2):
        assert not {s.name for s in train} & {s.name for s in test}
        assert kernel in train
        seen += [sample.name for sample in test]
    assert sorted(seen) == sorted(judged)


def test_what_is_not_additive_is_found_and_its_residual_told() -> None:
    found = OverheadModel.fit(random_samples(40, seed=8))
    assert found.scale == pytest.approx(1.001, abs=1e-9)
    assert found.overhead == pytest.approx(40.0, abs=1e-3)
    assert found.residual_percent < 1e-6


def test_many_operators_are_surer_than_one() -> None:
    uncertainty = Uncertainty({"CONV_2D": 0.1}, whole=0.01)
    call = Call(Kernel(OperatorKind.CONV_2D, (8, 8, 8), (8, 8, 8)))
    one, many = (uncertainty.of([call] * n, np.full(n, 100.0)) for n in (1, 16))
    assert many == pytest.approx(np.hypot(0.1 / 4, 0.01))
    assert one > many


def test_a_family_never_seen_still_gets_a_number(fitted: Fitted) -> None:
    call = Call(Kernel(OperatorKind.SOFTMAX, (1, 1, 12), (1, 1, 12)))
    assert fitted.model.operators([call])[0] > 0


@pytest.mark.parametrize("name", MODELS)
def test_text_and_back_is_the_same(fitted: Fitted, name: str) -> None:
    model = fitted.models[name]
    again = LatencyModel.from_json_dict(json.loads(json.dumps(model.to_json_dict())))
    for sample in random_samples(10, seed=77):
        assert again.cycles(sample.calls) == model.cycles(sample.calls)


@pytest.mark.parametrize(
    "damage",
    [
        {"schema": 99},
        {"name": "oracle"},
        {"core": {}},
        {"interval": {"level": 0.9}},
        {"traits": {"cores": 3}},
        {"doubt": None},
        {"layout": {"kernels": "dsp", "fast_bytes": -1}},
    ],
)
def test_a_damaged_model_is_refused(fitted: Fitted, damage: dict[str, Any]) -> None:
    with pytest.raises(StoreError):
        LatencyModel.from_json_dict(fitted.model.to_json_dict() | damage)


def test_stored_terms_of_another_version_are_refused(fitted: Fitted) -> None:
    data = json.loads(json.dumps(fitted.models[OPERATOR_LINEAR].to_json_dict()))
    weights = data["core"]["weights"]["CONV_2D"]
    data["core"]["weights"]["CONV_2D"] = {f"old {name}": value for name, value in weights.items()}
    with pytest.raises(StoreError, match="calibrate again"):
        LatencyModel.from_json_dict(data)


def test_too_few_networks_are_told() -> None:
    with pytest.raises(StoreError, match="at least 4"):
        _fit(random_samples(3, seed=0))


def test_wholes_alone_teach_something_too() -> None:
    samples = [replace(s, operator_cycles=()) for s in random_samples(150, seed=0)]
    fitted = _fit(samples)
    errors = {name: fitted.quality(name).fit.mape_percent for name in MODELS}
    assert errors[OPERATOR_LINEAR] < errors[MAC_LINE] / 2
    with pytest.raises(StoreError, match="nothing to fit"):
        OperatorLinear.fit([], PROFILE)


def test_true_cycles_are_what_the_world_says() -> None:
    sample = random_samples(1, seed=4)[0]
    assert sample.operator_cycles == tuple(true_cycles(call) for call in sample.calls)
