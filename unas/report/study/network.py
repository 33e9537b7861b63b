# SPDX-License-Identifier: Apache-2.0
"""One network of the front as the page shows it: drawing, errors, costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from unas.record import FinalTraining, Record
from unas.record.latency import final_errors, value_ranges
from unas.record.wording import (
    NOT_KNOWN,
    feasible_count_text,
    mean_std_percent,
    microseconds,
    percent,
    percent_range,
    predicted_latency_text,
    quantity_name,
    range_text,
    seed_count_text,
)
from unas.report.study.drawing import network_svg
from unas.store.study_folder import StudyResults
from unas.strategies.pareto import pareto_front
from unas.tflite.reader import read_flatbuffer

Row = tuple[str, str, str]
"""(quantity, value, provenance)."""
_REPEATED = "repeated trainings"


@dataclass(frozen=True, slots=True)
class NetworkView:
    """What the page shows of one network.

    Attributes:
        record: Its record.
        drawing: SVG, or None where its file was not kept.
        errors: (which error, validation, test).
        costs: (quantity, value, provenance).
    """

    record: Record
    drawing: Markup | None
    errors: tuple[Row, ...]
    costs: tuple[Row, ...]


def network_views(study: StudyResults) -> list[NetworkView]:
    """The networks of the front over all bounded quantities, the smallest error first.

    Raises:
        StoreError: A kept file cannot be read.
    """
    front = pareto_front(study.records, tuple(study.config.judged.bounds()))
    return [
        NetworkView(
            record,
            _drawing(study, record),
            tuple(_errors(record, study.finals_of(record))),
            (*_costs(record), *_repeated(study, study.finals_of(record))),
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


def _errors(record: Record, finals: Sequence[FinalTraining]) -> list[Row]:
    training = record.training
    if training is None:
        return []
    rows = [
        ("int8", percent(training.val_error), percent(training.test_error)),
        ("float", percent(training.float_val_error), percent(training.float_test_error)),
    ]
    if not finals:
        return rows
    what = f"int8, repeated trainings ({seed_count_text(finals)})"
    val, test = final_errors(finals, test=False), final_errors(finals)
    if val is None:
        return [*rows, (what, NOT_KNOWN, NOT_KNOWN)]
    return [
        *rows,
        (f"{what}: mean ± std", mean_std_percent(val), mean_std_percent(test)),
        ("… min to max", percent_range(val), NOT_KNOWN if test is None else percent_range(test)),
    ]


def _repeated(study: StudyResults, finals: Sequence[FinalTraining]) -> list[Row]:
    """Whether other seeds give a network of these numbers, too."""
    bounds = study.config.judged
    if not finals:
        return []
    rows = [
        (f"{quantity_name(name)}, other seeds", range_text(name, values), _REPEATED)
        for name, values in value_ranges(finals).items()
        if name in bounds.bounds() and name != "error" and values[0] < values[1]
    ]
    return [*rows, ("feasible, other seeds", feasible_count_text(finals, bounds), _REPEATED)]


def _costs(record: Record) -> list[Row]:
    rows: list[Row] = []
    figures, measurement = record.figures, record.measurement
    if figures is not None:
        rows = [
            ("model size (parameters)", f"{figures.model_size_bytes:,} B", "predicted"),
            ("peak memory (activations)", f"{figures.peak_memory_bytes:,} B", "predicted"),
            ("MACs", f"{figures.macs:,}", "predicted"),
        ]
        if figures.flatbuffer_bytes is not None:
            rows.append(("flatbuffer", f"{figures.flatbuffer_bytes:,} B", "the file"))
        if figures.latency_us is not None:
            rows.append(("latency", predicted_latency_text(figures.latency_us), "predicted"))
        if figures.arena_used_bytes is not None:
            rows.append(("tensor arena", f"{figures.arena_used_bytes.value:,.0f} B", "predicted"))
    if measurement is not None:
        provenance = str(measurement.provenance)
        rows += [
            ("latency", microseconds(measurement.latency_us), provenance),
            ("tensor arena", f"{measurement.arena_used_bytes:,} B", provenance),
            ("flash, the whole program", f"{measurement.flash_bytes:,} B", provenance),
        ]
        if measurement.output_equal is not None:
            equal = (
                "equal to the golden implementation" if measurement.output_equal else "DIFFERENT"
            )
            rows.append(("output bytes", equal, provenance))
    return rows
