# SPDX-License-Identifier: Apache-2.0
"""A study as one HTML page that stands for itself: no network, no JavaScript."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import jinja2
import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure

from unas.errors import StoreError
from unas.record import Provenance
from unas.record.wording import (
    bounds_text,
    duration,
    microseconds,
    percent,
    quantity_name,
)
from unas.report.study.costs import with_predicted_latency
from unas.report.study.figures import figures_of
from unas.report.study.mac_decisions import (
    MacDecisions,
    ProxyErrors,
    best_proxy,
    decide_by_macs,
    proxy_errors,
)
from unas.report.study.network import network_views
from unas.report.study.outcomes import (
    cause_counts,
    compute_seconds,
    stage_counts,
    violation_counts,
)
from unas.store.folder import write_atomic
from unas.store.study_folder import StudyResults
from unas.strategies.progress import best_feasible, covered_share, trainings

PAGE = "report.html"
_TITLES = {
    "pareto": "Error over model size, memory and latency",
    "convergence": "Search progress",
    "accuracy_latency": "Error over latency",
}


def write_page(study: StudyResults, results: Path, to: Path | None = None) -> Path:
    """Write the page of a study.

    Args:
        study: What to show, also of a search that still runs.
        results: Directory of results, where the board's calibration lies.
        to: The file; None: ``report.html`` in the study's folder.

    Returns:
        Path of the file.

    Raises:
        StoreError: The place is a directory or cannot be written, the journal has no record, or a
            network's file cannot be read.
    """
    place = to or study.folder / PAGE
    if place.is_dir():  # drawing the figures takes a while
        raise StoreError(f"{place} is a directory; name a file: --to {place / PAGE}")
    write_atomic(place, study_page(study, results).encode())
    return place


def study_page(study: StudyResults, results: Path) -> str:
    """The page of a study as HTML.

    Args:
        study: What to show, also of a search that still runs.
        results: Directory of results, where the board's calibration lies.

    Raises:
        StoreError: The journal has no record, or a network's file cannot be read.
    """
    if not study.records:
        raise StoreError(f"{study.folder} holds no record yet; let the search go on")
    known = replace(study, records=with_predicted_latency(study, study.records, results))
    seconds = compute_seconds(study)
    views = network_views(known)
    return (
        _environment()
        .get_template("study.html.j2")
        .render(
            study=study,
            summary=_summary(study, sum(seconds.values())),
            bounds=bounds_text(study.config.judged),
            figures=_figures(study),
            feasible=[view for view in views if view.record.feasible],
            others=[view for view in views if not view.record.feasible],
            has_finals=bool(study.finals),
            **_decisions(known),
            stages=stage_counts(study.records),
            compute_time=[(stage, duration(total)) for stage, total in seconds.items()],
            causes=cause_counts(study.records),
            violated=violation_counts(study),
            config=study.config.to_toml(),
            environment=json.dumps(study.environment, indent=2) if study.environment else "",
        )
    )


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": percent,
        "microseconds": microseconds,
        "quantity": quantity_name,
        "duration": duration,
    }
    return environment


def _figures(study: StudyResults) -> list[tuple[str, Markup]]:
    """(title, SVG) of each figure for which there are data; the SVG is made by us, not by users."""
    return [
        (_TITLES[name], Markup(inline_svg(figure, name, _TITLES[name])))
        for name, figure in figures_of(study).items()
    ]


def _summary(study: StudyResults, compute_s: float) -> dict[str, str]:
    records, config = study.records, study.config
    board = config.board
    hypervolume = 100 * covered_share(records, config.judged)
    summary = {
        "data set": config.data.name,
        "search space": config.space.name,
        "strategy": f"{config.search.strategy}, seed {config.search.seed}",
        "latency": f"{config.latency.mode} · {board.id}, runtime {board.runtime}",
        "candidates": f"{len(records)}, of these {trainings(records)} trained",
        "feasible": str(sum(record.feasible for record in records)),
        "hypervolume": f"{hypervolume:.1f} % of the cube up to twice the bounds",
        "compute time": f"{duration(compute_s)} in all stages, added over workers",
    }
    best = best_feasible(records, "error", config.judged)
    if best is not None and best.training is not None:
        summary["best feasible error"] = (
            f"{percent(best.training.val_error)} validation, {percent(best.training.test_error)} "
            f"test (int8): {best.candidate.short_id}"
        )
    if config.pruning is not None:
        kind = "structured" if config.pruning.structured else "unstructured"
        summary["pruning"] = f"{kind}, sparsity is a gene"
    return summary


def _decisions(study: StudyResults) -> dict[str, Any]:
    """What the template needs for MACs as a proxy of the latency."""
    try:
        decisions = decide_by_macs(study)
    except StoreError as error:
        return {"decisions": None, "decision_rows": [], "why_not": str(error)}
    return {"decisions": decisions, "decision_rows": _decision_rows(decisions), "why_not": ""}


def _decision_rows(decisions: MacDecisions) -> list[dict[str, Any]]:
    """A row for each provenance, limit and proxy: measured, emulated and predicted never mix."""
    rows = []
    for provenance in decisions.provenances:
        some = decisions.of(provenance)
        study_us, median_us = decisions.latency_limit_us, decisions.median_us(provenance)
        if decisions.macs_limit is not None:
            errors = proxy_errors(some, study_us, decisions.macs_limit)
            rows.append(_decision_row(provenance, "the study's", "the study's bound", errors))
        for which, limit_us in (("the study's", study_us), ("their median", median_us)):
            rows.append(_decision_row(provenance, which, "the best", best_proxy(some, limit_us)))
    return rows


def _decision_row(
    provenance: Provenance, latency_limit: str, macs_limit: str, errors: ProxyErrors
) -> dict[str, Any]:
    return {
        "provenance": provenance,
        "n": len(errors.candidates),
        "latency_limit": f"{latency_limit}, {microseconds(errors.latency_limit_us)}",
        "fast_enough": errors.fast_enough,
        "macs_limit": f"{macs_limit}, {errors.macs_limit:,.0f}",
        "rejected": len(errors.wrongly_rejected),
        "accepted": len(errors.wrongly_accepted),
    }


_ID = re.compile(r'\bid="([^"]+)"')
_REFERENCE = re.compile(r'(url\(#|href="#)([^")]+)')
_METADATA = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)


def inline_svg(figure: Figure, name: str, title: str) -> str:
    """A figure without XML head, its ids prefixed so that they are unique in the page.

    Args:
        figure: To be drawn.
        name: Prefix of the ids.
        title: What a screen reader says.
    """
    with io.StringIO() as sink, mpl.rc_context({"svg.hashsalt": "unas"}):
        figure.savefig(sink, format="svg", metadata={"Date": None, "Creator": None})
        text = sink.getvalue()
    text = _METADATA.sub("", text[text.index("<svg") :]).strip()
    text = _ID.sub(rf'id="{name}-\1"', text)
    text = _REFERENCE.sub(rf"\1{name}-\2", text)
    head, body = text.split(">", 1)
    return f'{head} role="img" class="figure"><title>{escape(title)}</title>{body}'
