# SPDX-License-Identifier: Apache-2.0
"""What the page says of one network of the front."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from unas.record import Record
from unas.record.repeated_trainings import feasible_count_text, seed_count_text, value_ranges
from unas.report.study.drawing import network_svg
from unas.report.study.predicted_latency import predicted_of
from unas.report.study.repeated_trainings import MeanStd, final_errors
from unas.report.text import (
    NOT_KNOWN,
    microseconds,
    percent,
    quantity_name,
    quantity_words,
)
from unas.search.pareto import pareto_front
from unas.store.study_folder import StudyResults
from unas.tflite.reader import read_flatbuffer

Row = tuple[str, str, str]
"""(quantity, value, provenance)."""


@dataclass(frozen=True, slots=True)
class NetworkView:
    """One network.

    Attributes:
        record: What was found out.
        drawing: SVG, or None where its file was not kept.
        errors: (what, validation, test).
        numbers: Costs.
    """

    record: Record
    drawing: Markup | None
    errors: tuple[Row, ...]
    numbers: tuple[Row, ...]


def network_views(study: StudyResults) -> list[NetworkView]:
    """The networks of the front over all that was bounded, the least error first.

    Raises:
        StoreError: A kept file cannot be read.
    """
    front = pareto_front(study.records, tuple(study.config.judged.bounds()))
    return [
        NetworkView(
            record,
            _drawing(study, record),
            tuple(_errors(study, record)),
            (*_numbers(record), *_again(study, record)),
        )
        for record in front
    ]


def _drawing(study: StudyResults, record: Record) -> Markup | None:
    data = study.flatbuffer(record)
    if data is None:
        return None
    name = record.candidate.short_id
    graph = read_flatbuffer(data, name)
    return Markup(network_svg(graph, f"Network {name}"))  # escaped where it is made


def _errors(study: StudyResults, record: Record) -> list[Row]:
    training = record.training
    if training is None:
        return []
    rows = [
        ("int8", percent(training.val_error), percent(training.test_error)),
        ("float", percent(training.float_val_error), percent(training.float_test_error)),
    ]
    finals = study.finals_of(record)
    val, test = final_errors(study, record, test=False), final_errors(study, record)
    if val is not None:
        what = f"int8, more trainings ({seed_count_text(finals)}): mean ± std"
        rows.append((what, _spread(val), NOT_KNOWN if test is None else _spread(test)))
        rows.append(("… least to most", _range(val), NOT_KNOWN if test is None else _range(test)))
    elif finals:
        rows.append((f"int8, more trainings ({seed_count_text(finals)})", NOT_KNOWN, NOT_KNOWN))
    return rows


def _again(study: StudyResults, record: Record) -> list[Row]:
    """Whether other seeds give a network of these numbers, too."""
    finals, bounds = study.finals_of(record), study.config.judged
    if not finals:
        return []
    rows = [
        (
            f"{quantity_name(name)}, other seeds",
            f"{quantity_words(name, least)} to {quantity_words(name, most)}",
            "trained again",
        )
        for name, (least, most) in value_ranges(finals).items()
        if name in bounds.bounds() and name != "error" and least < most
    ]
    return [*rows, ("keep every bound", feasible_count_text(finals, bounds), "trained again")]


def _spread(found: MeanStd) -> str:
    return f"{100 * found.mean:.2f} ± {100 * found.deviation:.2f} %"


def _range(found: MeanStd) -> str:
    return f"{100 * found.least:.2f} to {100 * found.most:.2f} %"


def _numbers(record: Record) -> list[Row]:
    rows: list[Row] = []
    figures, found = record.figures, record.measurement
    if figures is not None:
        rows = [
            ("model size (parameters)", f"{figures.model_size_bytes:,} B", "predicted"),
            ("peak memory (activations)", f"{figures.peak_memory_bytes:,} B", "predicted"),
            ("MACs", f"{figures.macs:,}", "predicted"),
        ]
        if figures.flatbuffer_bytes is not None:
            rows.append(("flatbuffer", f"{figures.flatbuffer_bytes:,} B", "the file"))
        timed = predicted_of(record)
        if timed is not None:
            ends = f"{microseconds(timed.lower_us)} to {microseconds(timed.upper_us)}"
            rows.append(("latency", f"{microseconds(timed.value_us)} ({ends})", "predicted"))
        if figures.arena_used_bytes is not None:
            rows.append(("tensor arena", f"{figures.arena_used_bytes.value:,.0f} B", "predicted"))
    if found is not None:
        word = str(found.provenance)
        rows += [
            ("latency", microseconds(found.latency_us), word),
            ("tensor arena", f"{found.arena_used_bytes:,} B", word),
            ("flash, the whole program", f"{found.flash_bytes:,} B", word),
        ]
        if found.output_equal is not None:
            equal = "equal to the golden implementation" if found.output_equal else "DIFFERENT"
            rows.append(("output bytes", equal, word))
    return rows
