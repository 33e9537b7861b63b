# SPDX-License-Identifier: Apache-2.0
"""The model card: every number of a network with the word that says where it comes from."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from unas.export.network import ExportedNetwork
from unas.export.project import render
from unas.firmware.recipe import Recipe
from unas.record import Record, TrainingResult
from unas.record.repeated_trainings import feasible_count_text, seed_count_text, value_ranges
from unas.resources.estimate import estimate
from unas.store.study_folder import StudyResults
from unas.units import format_microseconds

_NOT_KNOWN = "\N{EN DASH}"
_SIZES = {
    "peak_memory_bytes": ("peak memory", " B"),
    "model_size_bytes": ("model size", " B"),
    "macs": ("MACs", ""),
}
_ENVIRONMENT = ("unas", "commit", "date", "python", "host", "packages")


def model_card(
    study: StudyResults, record: Record, network: ExportedNetwork, recipe: Recipe
) -> str:
    """As Markdown."""
    values = {
        "study": study,
        "record": record,
        "network": network,
        "recipe": recipe,
        "errors": error_rows(study, record),
        "again": repeated_trainings_text(study, record),
        "numbers": number_rows(record, network, recipe),
        "operators": operator_rows(network),
        "bounds": study.config.judged.bounds(),
        "data": study.environment.get("data", {}),
        "environment": {k: study.environment[k] for k in _ENVIRONMENT if k in study.environment},
        "percent": percent,
    }
    return render("MODEL_CARD.md.j2", values)


def percent(share: float | None) -> str:
    """``0.0312`` -> ``"3.12 %"``; a dash for what is not known."""
    return _NOT_KNOWN if share is None else f"{100.0 * share:.2f} %"


def error_rows(study: StudyResults, record: Record) -> list[tuple[str, str, str]]:
    """(what, validation error, test error): this file, its float weights, the final seeds."""
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
    finals = study.finals_of(record)
    for final in finals:
        one = final.training
        what = f"int8, trained again, seed {one.seed}" + (": diverged" if final.diverged else "")
        rows.append((what, percent(one.val_error), percent(one.test_error)))
    if len(finals) > 1:
        val, test = ([_pair(final.training)[i] for final in finals] for i in (0, 1))
        what = f"int8, mean ± std over seeds ({seed_count_text(finals)})"
        rows.append((what, _spread(val), _spread(test)))
    return rows


def repeated_trainings_text(study: StudyResults, record: Record) -> str:
    """What other seeds make of the sizes, for theirs are other networks than this file."""
    finals = study.finals_of(record)
    if not finals:
        return ""
    ranges, kept = value_ranges(finals), feasible_count_text(finals, study.config.judged)
    sizes = (
        f", {what} {ranges[name][0]:,.0f} to {ranges[name][1]:,.0f}{unit}"
        for name, (what, unit) in _SIZES.items()
        if name in ranges
    )
    return f"Trained again with other seeds, {kept} keep every bound{''.join(sizes)}."


def _pair(training: TrainingResult) -> tuple[float | None, float | None]:
    return training.val_error, training.test_error


def _spread(values: Sequence[float | None]) -> str:
    known = [100.0 * value for value in values if value is not None]
    if len(known) < 2:
        return _NOT_KNOWN
    return f"{statistics.fmean(known):.2f} ± {statistics.stdev(known):.2f} %"


def number_rows(
    record: Record, network: ExportedNetwork, recipe: Recipe
) -> list[tuple[str, str, str]]:
    """(quantity, value, provenance)."""
    rows: list[tuple[str, str, str]] = [
        ("file size", f"{network.model.flatbuffer_bytes:,} B", "the file"),
    ]
    figures, found = record.figures, record.measurement
    if figures is not None:
        rows += [
            ("model size (parameters)", f"{figures.model_size_bytes:,} B", "predicted"),
            ("peak memory (activations)", f"{figures.peak_memory_bytes:,} B", "predicted"),
            ("MACs", f"{figures.macs:,}", "predicted"),
            ("MACs as the paper counts", f"{figures.paper_macs:,}", "predicted"),
        ]
        if figures.latency_us is not None:
            one = figures.latency_us
            low, high = format_microseconds(one.lower), format_microseconds(one.upper)
            value = f"{format_microseconds(one.value)} ({low} to {high})"
            rows.append(("latency", value, "predicted"))
        if figures.arena_used_bytes is not None:
            rows.append(("tensor arena", f"{figures.arena_used_bytes.value:,.0f} B", "predicted"))
    if found is not None:
        word = f"{found.provenance}: {found.board_id}, {found.runtime}, timing '{found.timing}'"
        rows += [
            ("latency", format_microseconds(found.latency_us), word),
            ("tensor arena", f"{found.arena_used_bytes:,} B", word),
            ("flash, benchmark firmware with it", f"{found.flash_bytes:,} B", word),
        ]
        if found.output_equal is not None:
            answer = "equal, byte for byte" if found.output_equal else "DIFFERENT"
            rows.append(("output against the golden implementation", answer, word))
    need = network.dsp if recipe.runtime.kernels != "plain" else network.plain
    rows.append(("tensor arena of the project", f"{need.used_bytes:,} B", "runtime on the host"))
    return rows


def operator_rows(network: ExportedNetwork) -> list[tuple[Any, ...]]:
    """(number, kind, output shape, parameters, MACs) of each operator of the file."""
    graph = network.graph
    found = {one.position: one for one in estimate(graph).operators}
    return [
        (
            position,
            str(operator.kind),
            " x ".join(map(str, found[position].output_shape[1:])),
            f"{found[position].model_size_bytes:,}",
            f"{found[position].macs:,}",
        )
        for position, operator in enumerate(graph.operators)
    ]
