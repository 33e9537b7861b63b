# SPDX-License-Identifier: Apache-2.0
"""A study as one HTML page that stands for itself: no network, no JavaScript.

Figures as SVG elements that can stand together in one page.
"""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import jinja2
import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure

from unas.errors import StoreError
from unas.record import Outcome, Record, Stage
from unas.report.study.compute_time import compute_seconds
from unas.report.study.figures import figures_of
from unas.report.study.mac_decisions import (
    MacDecisions,
    Verdict,
    decide_by_macs,
    judge_by_macs,
    least_wrong,
)
from unas.report.study.network import network_views
from unas.report.study.predicted_latency import with_predicted_latency
from unas.report.text import (
    bound_words,
    microseconds,
    percent,
    quantity_name,
    quantity_words,
    seconds,
)
from unas.search.progress import best_feasible, covered_share, trainings
from unas.store.study_folder import StudyResults

_TITLES = {
    "pareto": "Error over model size, memory and latency",
    "convergence": "How the search came along",
    "accuracy_latency": "Error over latency",
}


def study_page(study: StudyResults, results: Path) -> str:
    """The page.

    Args:
        study: What to show, also of a search that still runs.
        results: Directory of results, where the board's calibration lies.

    Raises:
        StoreError: The journal has no record, or a network's file cannot be read.
    """
    if not study.records:
        raise StoreError(f"{study.folder} holds no record yet; let the search go on")
    seen = replace(study, records=with_predicted_latency(study, study.records, results))
    spent = compute_seconds(study)
    decisions, why_not = _attempt(lambda: decide_by_macs(seen))
    views = network_views(seen)
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
        "seconds": seconds,
    }
    return environment.get_template("study.html.j2").render(
        study=study,
        summary=_summary(study, sum(spent.values())),
        bounds=bound_words(study.config.judged),
        figures=_figures(study),
        feasible=[view for view in views if view.record.feasible],
        others=[view for view in views if not view.record.feasible],
        has_finals=bool(study.finals),
        decisions=decisions,
        decision_rows=[] if decisions is None else _decision_rows(decisions),
        why_not=why_not,
        stages=_stages(study.records),
        spent=[(stage, seconds(total)) for stage, total in spent.items()],
        causes=_causes(study.records),
        violated=_violated(study),
        config=study.config.to_toml(),
        environment=json.dumps(study.environment, indent=2) if study.environment else "",
    )


def _attempt(act: Callable[[], MacDecisions]) -> tuple[MacDecisions | None, str]:
    try:
        return act(), ""
    except StoreError as error:
        return None, str(error)


def _figures(study: StudyResults) -> list[tuple[str, Markup]]:
    """(title, SVG) of each figure for which there are data; the SVG is made by us, not by users."""
    return [
        (_TITLES[name], Markup(inline_svg(figure, name, _TITLES[name])))
        for name, figure in figures_of(study).items()
    ]


def _summary(study: StudyResults, host_time: float) -> dict[str, str]:
    records, config = study.records, study.config
    board = config.board
    found = {
        "data set": config.data.name,
        "search space": config.space.name,
        "strategy": f"{config.search.strategy}, seed {config.search.seed}",
        "latency": f"{config.latency.mode} · {board.id}, runtime {board.runtime}",
        "candidates": f"{len(records)}, of these {trainings(records)} trained",
        "keep every bound": str(sum(record.feasible for record in records)),
        "covered hypervolume": f"{100 * covered_share(records, config.judged):.1f} % of the cube "
        "up to twice the bounds",
        "time of the host": f"{seconds(host_time)} of work in all stages, added over workers",
    }
    best = best_feasible(records, "error", config.judged)
    if best is not None and best.training is not None:
        found["least error of these"] = (
            f"{percent(best.training.val_error)} validation, {percent(best.training.test_error)} "
            f"test (int8): {best.candidate.short_id}"
        )
    if config.pruning is not None:
        kind = "structured" if config.pruning.structured else "unstructured"
        found["pruning"] = f"{kind}, sparsity is a gene"
    return found


def _stages(records: Iterable[Record]) -> list[tuple[str, str, int]]:
    """(stage, outcome, records) where judging ended, in the order of the stages."""
    counts = Counter((record.stage, record.outcome) for record in records)
    return [
        (str(stage), str(outcome), counts[stage, outcome])
        for stage in Stage
        for outcome in Outcome
        if counts[stage, outcome]
    ]


def _causes(records: Iterable[Record]) -> list[tuple[str, str, str, int, str]]:
    """(outcome, stage, cause, how often, ids of some) of what failed or was given up."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for record in records:
        if record.outcome in (Outcome.FAILED, Outcome.STOPPED_EARLY):
            key = (str(record.outcome), str(record.stage), record.cause or "not told")
            groups.setdefault(key, []).append(record.candidate.short_id)
    return [
        (*key, len(ids), ", ".join(ids[:3]) + (" …" if len(ids) > 3 else ""))
        for key, ids in sorted(groups.items(), key=lambda item: -len(item[1]))
    ]


def _violated(study: StudyResults) -> list[tuple[str, str, int, int]]:
    """(quantity, bound, violated before training, violated by trained networks)."""
    before, after = Counter[str](), Counter[str]()
    for record in study.records:
        counter = before if record.outcome is Outcome.INFEASIBLE else after
        counter.update(record.violations.keys())
    bounds: Mapping[str, float] = study.config.judged.bounds()
    return [
        (quantity_name(name), quantity_words(name, bound), before[name], after[name])
        for name, bound in bounds.items()
    ]


def _decision_rows(found: MacDecisions) -> list[dict[str, Any]]:
    """Verdicts by provenance; what is measured, emulated and predicted never mixes."""
    rows = []
    for word in found.provenances:
        some = found.of(word)
        for which, limit in (
            ("the study's", found.limit_us),
            ("their median", found.median_us(word)),
        ):
            if which == "the study's" and found.bound is not None:
                bound = judge_by_macs(some, limit, found.bound)
                rows.append(_decision_row(word, which, "the study's bound", bound))
            rows.append(_decision_row(word, which, "the best", least_wrong(some, limit)))
    return rows


def _decision_row(word: str, which: str, rule: str, verdict: Verdict) -> dict[str, Any]:
    return {
        "word": word,
        "n": len(verdict.candidates),
        "limit": f"{which}, {microseconds(verdict.limit_us)}",
        "keep": verdict.keep,
        "rule": f"{rule}, {verdict.most_macs:,.0f}",
        "rejected": len(verdict.rejected),
        "accepted": len(verdict.accepted),
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
