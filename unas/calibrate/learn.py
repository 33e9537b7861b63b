# SPDX-License-Identifier: Apache-2.0
"""From what was measured to fitted models, and to all that a calibration writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from unas.calibrate.draw import Point, table_row
from unas.graph import Graph
from unas.latency.arena import ArenaModel
from unas.latency.arena_fit import FEWEST_NETWORKS
from unas.latency.choose import Fitted, HeldOut
from unas.latency.fit import Fit, fit_quantity
from unas.latency.flash import FlashModel
from unas.latency.prediction import Prediction
from unas.latency.sample import Sample
from unas.latency.terms import family
from unas.record import Measurement
from unas.store.calibration import Findings

_FOLDS = 2


def fit_lines(points: Sequence[Point], seed: int) -> dict[str, Fit]:
    """The paper's two lines: latency from MACs, and tensor arena from peak memory.

    Raises:
        StoreError: Too few points.
    """
    estimates = [point.network.estimate for point in points]
    latency = fit_quantity(
        "latency_us",
        "paper_macs",
        [estimate.paper_macs for estimate in estimates],
        [point.measurement.latency_us for point in points],
        seed=seed,
    )
    arena = fit_quantity(
        "arena_used_bytes",
        "peak_memory_bytes",
        [estimate.peak_memory_bytes for estimate in estimates],
        [point.measurement.arena.used_bytes for point in points],
        seed=seed,
    )
    return {"latency": latency, "arena": arena}


def fit_memory(points: Sequence[Point], seed: int) -> tuple[ArenaModel, FlashModel] | None:
    """Arena and flash models; None where too few different networks were measured."""
    graphs: list[Graph] = [point.network.graph for point in points]
    if len(set(graphs)) < FEWEST_NETWORKS:
        return None
    found = [point.measurement for point in points]
    arena = ArenaModel.fit(graphs, [m.arena.used_bytes for m in found], seed=seed)
    flash = FlashModel.fit(
        graphs,
        [m.flatbuffer_bytes for m in found],
        [m.program_bytes for m in found],
        seed=seed,
    )
    return arena, flash


def arena_of_the_unseen(
    graphs: Sequence[Graph], used_bytes: Sequence[int], seed: int
) -> list[Prediction]:
    """The arena of each network by a model that was fitted without it, if there are enough."""
    known = {graph: number for number, graph in enumerate(dict.fromkeys(graphs))}
    if len(known) < _FOLDS * FEWEST_NETWORKS:
        model = ArenaModel.fit(graphs, used_bytes, seed=seed)
        return [model.predict(graph) for graph in graphs]
    found: dict[Graph, Prediction] = {}
    for fold in range(_FOLDS):
        train = [i for i, graph in enumerate(graphs) if known[graph] % _FOLDS != fold]
        model = ArenaModel.fit([graphs[i] for i in train], [used_bytes[i] for i in train])
        found |= {graph: model.predict(graph) for graph in graphs if known[graph] % _FOLDS == fold}
    return [found[graph] for graph in graphs]


def judged_on(fitted: Fitted, held_out: Sequence[Sample]) -> Fitted:
    """The same models, with predictions for networks that none of them was fitted on."""
    entries = [
        HeldOut(
            name=sample.name,
            model=name,
            cycles=sample.cycles,
            predicted=model.cycles(sample.calls),
            paper_macs=sample.paper_macs,
            operators=tuple(
                (family(call), found, float(predicted))
                for call, found, predicted in zip(
                    sample.calls,
                    sample.operator_cycles,
                    model.operators(sample.calls),
                    strict=False,
                )
            ),
        )
        for name, model in fitted.models.items()
        for sample in held_out
    ]
    return replace(fitted, held_out=tuple(entries))


def findings_of(
    points: Sequence[Point],
    kernels: Sequence[Measurement],
    samples: Sequence[Sample],
    fitted: Fitted,
    environment: Mapping[str, Any],
    *,
    seed: int,
    sampling: Mapping[str, Any] | None = None,
) -> Findings:
    """Everything that a calibration writes.

    Args:
        points: Networks.
        kernels: Single ones.
        samples: What the latency models were fitted on.
        fitted: The latency models.
        environment: Versions, compiler, board file, command.
        seed: Of cross-validations.
        sampling: What active sampling did.

    Raises:
        StoreError: Too few networks.
    """
    memory = fit_memory(points, seed)
    rows = [table_row(point) for point in points]
    if memory:
        guesses = arena_of_the_unseen(
            [point.network.graph for point in points],
            [point.measurement.arena.used_bytes for point in points],
            seed,
        )
        for row, guess in zip(rows, guesses, strict=True):
            row |= {
                "arena_predicted_bytes": guess.value,
                "arena_lower_bytes": guess.lower,
                "arena_upper_bytes": guess.upper,
            }
    return Findings(
        rows=rows,
        samples=samples,
        fitted=fitted,
        environment=environment,
        measurements=[point.measurement for point in points],
        kernels=kernels,
        arena=memory and memory[0],
        flash=memory and memory[1],
        lines=fit_lines(points, seed),
        sampling=sampling,
    )
