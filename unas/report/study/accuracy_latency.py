# SPDX-License-Identifier: Apache-2.0
"""Error over latency; what a board said and what was predicted never look alike."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from unas.errors import StoreError
from unas.record import Provenance, Record
from unas.report.study.fronts import LATENCY, complete, front_over
from unas.report.study.predicted_latency import latency_of, predicted_of, provenances
from unas.report.style import BLUE, GREY, RED, add_axes, legend_above, new_figure, on_log_scale
from unas.store.study_folder import StudyResults

NAME = "accuracy_latency"
_COLOURS = {
    Provenance.MEASURED: BLUE,
    Provenance.EMULATED: BLUE,
    Provenance.PREDICTED: RED,
}


def figure(study: StudyResults) -> Figure:
    """Every trained network; dots are a board's, circles with intervals are predicted.

    Raises:
        StoreError: No trained network has a latency.
    """
    records = [record for record in complete(study.records) if latency_of(record) is not None]
    if not records:
        raise StoreError(
            f'no trained network of {study.name} has a latency: with [latency] mode = "macs" '
            'nobody asked for one; search with "predicted" or "measured"'
        )
    drawing = new_figure(6.4, 4.4)
    axes = add_axes(drawing)
    for word in (Provenance.PREDICTED, Provenance.EMULATED, Provenance.MEASURED):
        some = [record for record in records if _word(record) is word]
        if not some:
            continue
        x, y = [_ms(r) for r in some], [_percent(r) for r in some]
        if word is Provenance.PREDICTED:
            axes.errorbar(
                x, y, xerr=_interval(some), fmt="o", markersize=4, markerfacecolor="white",
                color=RED, elinewidth=0.7, alpha=0.8, label=f"{word} ({len(some)}), interval",
            )  # fmt: skip
        else:
            axes.scatter(
                x, y, s=18, color=_COLOURS[word], linewidths=0, label=f"{word} ({len(some)})"
            )
    front = front_over(LATENCY, records)
    axes.step(
        [_ms(r) for r in front], [_percent(r) for r in front], where="post",
        color=GREY, linewidth=1.1, label="front",
    )  # fmt: skip
    limit, error = LATENCY.bound(study.config), study.config.judged.error
    if limit is not None:
        axes.axvline(limit, color=GREY, linewidth=0.9, linestyle=(0, (4, 3)))
    if error is not None:
        axes.axhline(100.0 * error, color=GREY, linewidth=0.9, linestyle=(0, (4, 3)))
    on_log_scale(axes, y=True)
    axes.set(
        xlabel=f"latency of one inference (ms; {provenances(records)})",
        ylabel="int8 error on the validation split (%)",
    )
    legend_above(axes, 3)
    drawing.suptitle(f"{study.name}: {_source(study, records)}", fontsize=9, x=0.01, ha="left")
    return drawing


def _source(study: StudyResults, records: Sequence[Record]) -> str:
    board = study.config.board
    timings = sorted({r.measurement.timing for r in records if r.measurement is not None})
    timing = f", timing {', '.join(timings)}" if timings else ""
    return f"{board.id}, runtime {board.runtime}{timing}; dashed: the bounds"


def _word(record: Record) -> Provenance:
    timed = latency_of(record)
    assert timed is not None
    return timed.provenance


def _ms(record: Record) -> float:
    timed = latency_of(record)
    assert timed is not None
    return timed.value_us / 1e3


def _interval(records: Sequence[Record]) -> list[list[float]]:
    below, above = [], []
    for record in records:
        timed = predicted_of(record)
        assert timed is not None
        lower = timed.value_us if timed.lower_us is None else timed.lower_us
        upper = timed.value_us if timed.upper_us is None else timed.upper_us
        below.append(max(timed.value_us - lower, 0.0) / 1e3)
        above.append(max(upper - timed.value_us, 0.0) / 1e3)
    return [below, above]


def _percent(record: Record) -> float:
    return max(100.0 * record.values["error"], 0.01)
