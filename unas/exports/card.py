# SPDX-License-Identifier: Apache-2.0
"""The model card: every number of an exported network with its provenance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from unas.constraints import Constraints
from unas.exports.network import ExportedNetwork
from unas.exports.project import render
from unas.firmware.recipe import Recipe
from unas.record import Figures, FinalTraining, MeasuredFigures, Record
from unas.record.latency import final_errors, value_ranges
from unas.record.wording import (
    feasible_count_text,
    mean_std_percent,
    microseconds,
    percent,
    predicted_latency_text,
    quantity_name,
    seed_count_text,
    short_range_text,
)
from unas.resources.estimate import estimate
from unas.store.study_folder import StudyResults

_SIZES = ("peak_memory_bytes", "model_size_bytes", "macs")
_ENVIRONMENT = ("unas", "commit", "date", "python", "host", "packages")


def model_card(
    study: StudyResults, record: Record, network: ExportedNetwork, recipe: Recipe
) -> str:
    """The model card of an exported network as Markdown.

    Args:
        study: Where the network was found.
        record: Of the network.
        network: As it is exported.
        recipe: Board, runtime and compiler of the project.
    """
    finals, bounds = study.finals_of(record), study.config.judged
    values = {
        "study": study,
        "record": record,
        "network": network,
        "recipe": recipe,
        "errors": error_rows(record, finals),
        "repeated": repeated_trainings_text(finals, bounds),
        "numbers": number_rows(record, network, recipe),
        "operators": operator_rows(network),
        "bounds": bounds.bounds(),
        "data": study.environment.get("data", {}),
        "environment": {k: study.environment[k] for k in _ENVIRONMENT if k in study.environment},
    }
    return render("MODEL_CARD.md.j2", values)


def error_rows(record: Record, finals: Sequence[FinalTraining]) -> list[tuple[str, str, str]]:
    """(which error, validation, test): this file, its float weights, the repeated trainings.

    Args:
        record: Of the network.
        finals: Its final trainings.
    """
    rows = []
    training = record.training
    if training is not None:
        rows = [
            ("int8, this file", percent(training.val_error), percent(training.test_error)),
            (
                "float, the same weights",
                percent(training.float_val_error),
                percent(training.float_test_error),
            ),
        ]
    for final in finals:
        one = final.training
        what = f"int8, repeated training, seed {one.seed}" + ": diverged" * final.diverged
        rows.append((what, percent(one.val_error), percent(one.test_error)))
    if len(finals) > 1:
        what = f"int8, mean ± std over seeds ({seed_count_text(finals)})"
        val, test = final_errors(finals, test=False), final_errors(finals)
        rows.append((what, mean_std_percent(val), mean_std_percent(test)))
    return rows


def repeated_trainings_text(finals: Sequence[FinalTraining], bounds: Constraints) -> str:
    """What other seeds make of the sizes, for theirs are other networks than this file."""
    if not finals:
        return ""
    ranges = value_ranges(finals)
    sizes = (
        f", {quantity_name(name)} {short_range_text(name, ranges[name])}"
        for name in _SIZES
        if name in ranges
    )
    feasible = feasible_count_text(finals, bounds)
    return f"Repeated trainings with other seeds: {feasible} feasible{''.join(sizes)}."


def number_rows(
    record: Record, network: ExportedNetwork, recipe: Recipe
) -> list[tuple[str, str, str]]:
    """(quantity, value, provenance) of all that the network costs."""
    need = network.dsp if recipe.runtime.kernels != "plain" else network.plain
    return [
        ("file size", f"{network.model.flatbuffer_bytes:,} B", "the file"),
        *_predicted_rows(record.figures),
        *_board_rows(record.measurement),
        ("tensor arena of the project", f"{need.used_bytes:,} B", "runtime on the host"),
    ]


def _predicted_rows(figures: Figures | None) -> list[tuple[str, str, str]]:
    if figures is None:
        return []
    rows = [
        ("model size (parameters)", f"{figures.model_size_bytes:,} B", "predicted"),
        ("peak memory (activations)", f"{figures.peak_memory_bytes:,} B", "predicted"),
        ("MACs", f"{figures.macs:,}", "predicted"),
        ("MACs as the paper counts", f"{figures.paper_macs:,}", "predicted"),
    ]
    if figures.latency_us is not None:
        rows.append(("latency", predicted_latency_text(figures.latency_us), "predicted"))
    if figures.arena_used_bytes is not None:
        rows.append(("tensor arena", f"{figures.arena_used_bytes.value:,.0f} B", "predicted"))
    return rows


def _board_rows(measured: MeasuredFigures | None) -> list[tuple[str, str, str]]:
    if measured is None:
        return []
    origin = (
        f"{measured.provenance}: {measured.board_id}, {measured.runtime}, "
        f"timing '{measured.timing}'"
    )
    rows = [
        ("latency", microseconds(measured.latency_us), origin),
        ("tensor arena", f"{measured.arena_used_bytes:,} B", origin),
        ("flash, benchmark firmware with it", f"{measured.flash_bytes:,} B", origin),
    ]
    if measured.output_equal is not None:
        answer = "equal, byte for byte" if measured.output_equal else "DIFFERENT"
        rows.append(("output against the golden implementation", answer, origin))
    return rows


def operator_rows(network: ExportedNetwork) -> list[tuple[Any, ...]]:
    """(number, kind, output shape, parameters, MACs) of each operator of the file."""
    graph = network.graph
    estimates = {one.position: one for one in estimate(graph).operators}
    return [
        (
            position,
            str(operator.kind),
            " x ".join(map(str, estimates[position].output_shape[1:])),
            f"{estimates[position].model_size_bytes:,}",
            f"{estimates[position].macs:,}",
        )
        for position, operator in enumerate(graph.operators)
    ]
