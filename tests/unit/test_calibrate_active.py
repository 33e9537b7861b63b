# SPDX-License-Identifier: Apache-2.0
"""Active sampling on a board whose cycles are known: fewer measurements, and an end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from tests.unit.synthetic_board import calls_of, candidates, network, sample
from unas.calibration.active import Goal, Round, SamplingResult, held_out_error, sample_actively
from unas.calibration.uncertainty import Acquisition, Ensemble, MeasurementCandidate
from unas.cost.model import BOOSTED, OverheadModel, fit_core, network_cycles
from unas.cost.model_selection import Fitted, fit_latency
from unas.cost.operators import ArenaLayout, Call
from unas.cost.types import KernelProfile, Sample
from unas.errors import StoreError

PROFILE = KernelProfile("dsp", 4096, 32)
IDENTITY = {"board": "synthetic", "provenance": "emulated"}
GRAPHS = [network(i) for i in range(64)]
HELD_OUT = [sample(f"held{i}", calls_of(graph)) for i, graph in enumerate(GRAPHS[:16])]
START = [sample(f"start{i}", calls_of(graph)) for i, graph in enumerate(GRAPHS[16:20])]
POOL = candidates(GRAPHS[20:])
BY_NAME = {one.name: one for one in POOL}
KERNELS = [one.name for one in POOL if not one.is_network]
GOAL = Goal(2.5, max_networks=40, max_kernels=200, capacity_bytes=500_000, kernels_per_image=32)


def measure(names: Sequence[str]) -> list[Sample]:
    return [
        sample(name, BY_NAME[name].calls, is_network=BY_NAME[name].is_network) for name in names
    ]


def fit(samples: Sequence[Sample]) -> Fitted:
    return fit_latency(samples, PROFILE, ArenaLayout("dsp"), 1e6, IDENTITY)


def quick_error(samples: Sequence[Sample]) -> float:
    core, overhead = fit_core(BOOSTED, samples, PROFILE, 0), OverheadModel.fit(samples)
    said = [network_cycles(core, overhead, s.calls, core.operators(s.calls)) for s in HELD_OUT]
    return held_out_error(said, HELD_OUT)


def run(
    goal: Goal, pool: Sequence[MeasurementCandidate] = POOL
) -> tuple[SamplingResult, list[Round]]:
    rounds: list[Round] = []
    outcome = sample_actively(
        HELD_OUT, START, pool, measure, fit, goal, PROFILE, on_round=rounds.append
    )
    return outcome, rounds


@pytest.fixture(scope="module")
def reached() -> SamplingResult:
    return run(GOAL)[0]


def test_it_stops_when_held_out_networks_are_predicted_as_well_as_wanted(
    reached: SamplingResult,
) -> None:
    assert reached.reached
    said = [reached.fitted.model.cycles(s.calls).value for s in HELD_OUT]
    assert held_out_error(said, HELD_OUT) == reached.mape_percent <= GOAL.mape_percent
    assert all(one.mape_percent > GOAL.mape_percent for one in reached.rounds[:-1])


def test_held_out_networks_are_never_trained_on(reached: SamplingResult) -> None:
    assert {s.name for s in reached.samples}.isdisjoint({s.name for s in HELD_OUT})
    names = [s.name for s in reached.samples]
    assert len(set(names)) == len(names)


def test_kernels_chosen_by_uncertainty_teach_more_than_random_ones() -> None:
    """As many single kernels, chosen in one go: less error than with draws, over several starts."""
    alone = [BY_NAME[name] for name in KERNELS]
    rng = np.random.default_rng(0)
    chosen, random = [], []
    for first in (20, 24, 28):
        start = [sample(f"start{i}", calls_of(GRAPHS[i])) for i in range(first, first + 4)]
        acquisition = Acquisition(
            Ensemble(start, PROFILE, 0), [calls_of(graph) for graph in GRAPHS[32:]]
        )
        batch = acquisition.choose(alone, capacity_bytes=10**9, max_count=32)
        assert len(batch.names) == 32
        chosen.append(quick_error([*start, *measure(batch.names)]))
        for _ in range(3):
            names = [str(name) for name in rng.permutation(KERNELS)[:32]]
            random.append(quick_error([*start, *measure(names)]))
    assert np.mean(chosen) < np.mean(random)


def test_it_needs_less_time_on_the_device_than_random_networks(reached: SamplingResult) -> None:
    """Random networks worth as many cycles as active sampling took leave a larger error."""
    spent = sum(s.cycles for s in reached.samples) - sum(s.cycles for s in START)
    draws = []
    for seed in range(4):
        names = np.random.default_rng(seed).permutation([f"n{i}" for i in range(44)])
        training = list(START)
        while sum(s.cycles for s in training) - sum(s.cycles for s in START) < spent:
            training += measure([str(names[len(training) - len(START)])])
        draws.append(quick_error(training))
    assert reached.mape_percent < np.mean(draws)


def test_it_ends_at_its_limits_and_says_that_the_goal_is_not_reached() -> None:
    goal = replace(GOAL, mape_percent=1e-9, max_networks=6, max_kernels=5)
    outcome, rounds = run(goal)
    assert not outcome.reached
    assert list(outcome.rounds) == rounds
    assert (rounds[-1].networks, rounds[-1].kernels) == (6, 5)
    assert {one.measured for one in rounds} == {"networks", "kernels"}


def test_the_same_seed_measures_the_same(reached: SamplingResult) -> None:
    assert run(GOAL)[0].samples == reached.samples


def test_what_cannot_be_measured_is_not_asked_for_again() -> None:
    asked: list[str] = []

    def broken(names: Sequence[str]) -> list[Sample]:
        asked.extend(names)
        return []

    goal = replace(GOAL, mape_percent=1e-9, max_networks=5, capacity_bytes=10**9, max_kernels=10**6)
    pool = [*POOL[:3], *POOL[-3:]]
    outcome = sample_actively(HELD_OUT, START, pool, broken, fit, goal, PROFILE)
    assert sorted(asked) == sorted(set(asked))
    assert outcome.samples == tuple(START)


def test_an_image_is_not_filled_beyond_its_flash() -> None:
    acquisition = Acquisition(
        Ensemble(START, PROFILE, 0), [calls_of(graph) for graph in GRAPHS[20:]]
    )
    batch = acquisition.choose(POOL, capacity_bytes=250_000, max_count=1000)
    assert sum(BY_NAME[name].flash_bytes for name in batch.names) <= 250_000
    assert batch.variance > 0
    assert len(set(batch.names)) == len(batch.names)


def test_an_unknown_family_is_the_most_uncertain() -> None:
    """Without any convolution seen, what they cost is anybody's guess."""
    seen = [
        replace(s, calls=calls, operator_cycles=cycles, cycles=sum(cycles))
        for s in START
        if (pairs := [(c, x) for c, x in zip(s.calls, s.operator_cycles, strict=True)
                      if "CONV" not in c.kernel.kind])
        for calls, cycles in [tuple(zip(*pairs, strict=True))]
    ]  # fmt: skip
    acquisition = Acquisition(
        Ensemble(seen, PROFILE, 0), [calls_of(graph) for graph in GRAPHS[20:]]
    )
    assert "CONV" in acquisition.families()[0].family
    shares = [one.share for one in acquisition.families()]
    assert np.isclose(sum(shares), 1.0)


def test_nothing_to_learn_from_is_refused() -> None:
    whole_only = [replace(s, operator_cycles=()) for s in START]
    with pytest.raises(StoreError, match="operators"):
        Ensemble(whole_only, PROFILE, 0)


def test_predictions_of_an_ensemble_have_the_shape_they_say() -> None:
    calls: list[Call] = [call for graph in GRAPHS[20:24] for call in calls_of(graph)]
    said = Ensemble(START, PROFILE, 0).predict(calls)
    assert said.shape[0] == len(calls)
    assert (said > 0).all()


def test_rounds_are_stored_under_the_keys_that_files_have(reached: SamplingResult) -> None:
    stored = reached.to_json_dict()["rounds"][0]
    assert set(stored) == {
        "measured",
        "count",
        "networks",
        "kernels",
        "mape_percent",
        "within_10_percent",
        "doubt_percent",
        "residual_percent",
        "families",
    }
    assert stored["doubt_percent"] == reached.rounds[0].uncertainty_percent
    family = reached.rounds[0].families[0]
    expected = {"family": family.family, "share": family.share, "doubt": family.uncertainty}
    assert stored["families"][0] == expected
