# SPDX-License-Identifier: Apache-2.0
"""A search without training or boards: a small space and a made-up problem."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from unas.architecture import Architecture, DenseLayer, MlpArchitecture
from unas.candidate import Candidate
from unas.constraints import Constraints
from unas.record import Figures, Outcome, Record, Stage, TrainingResult
from unas.strategies.strategy import Proposal, Strategy


class FakeSpace:
    """Perceptrons of one to three layers with one to ``units`` units each."""

    def __init__(self, units: int = 64) -> None:
        self._units = units

    def random(self, rng: np.random.Generator) -> MlpArchitecture:
        """Any member, uniformly by depth and width."""
        depth = int(rng.integers(1, 4))
        widths = rng.integers(1, self._units + 1, size=depth)
        return MlpArchitecture(tuple(DenseLayer(int(width)) for width in widths))

    def morph(self, rng: np.random.Generator, arch: Architecture) -> MlpArchitecture:
        """One layer more, one less, or one a little wider or narrower."""
        layers = list(arch.dense)
        position = int(rng.integers(len(layers)))
        act = int(rng.integers(4))
        if act == 0 and len(layers) < 3:
            layers.append(DenseLayer(int(rng.integers(1, self._units + 1))))
        elif act == 1 and len(layers) > 1:
            del layers[position]
        else:
            step = int(rng.integers(1, 6)) * (1 if act == 2 else -1)
            width = min(max(layers[position].units + step, 1), self._units)
            layers[position] = DenseLayer(width)
        return MlpArchitecture(tuple(layers))


def fake_values(candidate: Candidate) -> dict[str, float]:
    """Made-up quantities: wider and deeper is better and larger, pruning makes smaller and worse.

    Returns:
        All of what ``Record.values`` may hold but the latency; equal candidates have equal ones.
    """
    assert isinstance(candidate.architecture, MlpArchitecture)
    kept = 1.0 - (candidate.sparsity or 0.0)
    widths = [16, *(max(1.0, layer.units * kept) for layer in candidate.architecture.dense), 10]
    size = sum(a * b + b for a, b in itertools.pairwise(widths))
    capacity = sum(np.sqrt(width) for width in widths[1:-1])
    return {
        "error": float(0.9 / (1.0 + 0.3 * capacity)),
        "peak_memory_bytes": float(max(a + b for a, b in itertools.pairwise(widths))),
        "model_size_bytes": float(size),
        "macs": float(size - sum(widths[1:])),
    }


def fake_record(proposal: Proposal, constraints: Constraints) -> Record:
    """Evaluate a proposal of ``FakeSpace`` as a study would: trained only if it is feasible."""
    values = fake_values(proposal.candidate)
    known = {name: value for name, value in values.items() if name != "error"}
    figures = Figures(
        macs=int(known["macs"]),
        paper_macs=int(known["macs"]),
        model_size_bytes=int(known["model_size_bytes"]),
        peak_memory_bytes=int(known["peak_memory_bytes"]),
        peak_memory_without_input_bytes=int(known["peak_memory_bytes"]),
    )
    violations = constraints.violations(known)
    if violations:
        return Record(
            proposal.index,
            proposal.candidate,
            Outcome.INFEASIBLE,
            Stage.RESOURCES,
            known,
            violations,
            figures,
        )
    error = values["error"]
    return Record(
        proposal.index,
        proposal.candidate,
        Outcome.COMPLETE,
        Stage.DONE,
        values,
        constraints.violations(values),
        figures,
        training=TrainingResult(0, 1, 0, error, error, error, error),
    )


def fake_search(
    strategy: Strategy,
    rounds: int,
    constraints: Constraints,
    on_record: Callable[[Record], object] = lambda _: None,
) -> list[Record]:
    """A whole search, one proposal at a time.

    Args:
        strategy: The strategy that searches.
        rounds: Records.
        constraints: Bounds.
        on_record: Called after the strategy was told of a record.
    """
    records = []
    for _ in range(rounds):
        record = fake_record(strategy.ask(), constraints)
        strategy.tell(record)
        on_record(record)
        records.append(record)
    return records
