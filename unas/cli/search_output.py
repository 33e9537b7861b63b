# SPDX-License-Identifier: Apache-2.0
"""What a study found: the front as a table or as JSON, every number with its provenance.

Quantities of records in words, each with its unit.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from unas.cli.output import note, print_json, print_table
from unas.record.repeated_trainings import feasible_count_text, seed_count_text

if TYPE_CHECKING:
    from unas.config import StudyConfig
    from unas.record import FinalTraining, Record
    from unas.store.study_folder import StudyResults


def print_found(study: StudyConfig, found: StudyResults) -> None:
    """The networks of the front that keep every bound; without one, what was nearest."""
    from unas.search.progress import count_outcomes

    counts = count_outcomes(found.records)
    told = ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count)
    note(f"{len(found.records)} candidates: {told}")
    rows = found.feasible
    if not rows:
        note("no network keeps every bound; search longer, or loosen a bound. The whole front:")
    bounds = study.judged.bounds()
    columns = ["network", "val. error", "test error"]
    columns += [TITLES[name] for name in bounds if name != "error"]
    if "latency_us" in bounds:
        columns.append("provenance")
    again = any(found.finals_of(record) for record in rows)
    columns += ["test error again", "in bounds"] if again else []
    title = f"Front of {study.name}: errors of the int8 model; sizes computed"
    print_table(title, columns, [_row(r, study, found, again) for r in rows or found.front])


def print_found_json(study: StudyConfig, found: StudyResults) -> None:
    """Everything about the front, for programs."""
    print_json(
        {
            "study": study.name,
            "config_sha256": study.digest,
            "bounds": study.judged.bounds(),
            "records": len(found.records),
            "front": [_as_json(record, found) for record in found.front],
        }
    )


def _row(record: Record, study: StudyConfig, found: StudyResults, again: bool) -> list[str]:
    training = record.training
    test = training.test_error if training else None
    bounds = study.judged.bounds()
    cells = [record.candidate.short_id, _percent(record.values.get("error")), _percent(test)]
    for name in bounds:
        if name != "error":
            value = record.values.get(name)
            cells.append("" if value is None else value_text(name, value))
    if "latency_us" in bounds:
        cells.append(latency_word(record))
    if again:
        finals = found.finals_of(record)
        cells += [_spread(finals), feasible_count_text(finals, study.judged) if finals else ""]
    return cells


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.2f} %"


def _spread(finals: tuple[FinalTraining, ...]) -> str:
    """Mean and spread of several trainings, and how many of them they are of."""
    tested = (final.training.test_error for final in finals)
    errors = [100 * error for error in tested if error is not None]
    told = f" ({seed_count_text(finals)})" if len(finals) > 1 or len(errors) < len(finals) else ""
    if not errors:
        return told.strip()
    deviation = f" ± {statistics.stdev(errors):.2f}" if len(errors) > 1 else ""
    return f"{statistics.fmean(errors):.2f}{deviation} %{told}"


def _as_json(record: Record, found: StudyResults) -> dict[str, Any]:
    return {
        "network": record.candidate.short_id,
        "feasible": record.feasible,
        "latency_provenance": latency_word(record) if "latency_us" in record.values else None,
        "test_errors_again": list(found.final_test_errors(record)),
        "diverged_again": sum(final.diverged for final in found.finals_of(record)),
        "values_again": [dict(final.values) for final in found.finals_of(record)],
        **record.to_json_dict(),
    }


TITLES = {
    "error": "error",
    "peak_memory_bytes": "peak memory",
    "model_size_bytes": "model size",
    "macs": "MACs",
    "latency_us": "latency",
}


def value_text(name: str, value: float) -> str:
    """A quantity with its unit."""
    if name == "error":
        return f"{100 * value:.2f} %"
    if name == "latency_us":
        return f"{value / 1e3:.3f} ms"
    return f"{value:,.0f} MACs" if name == "macs" else f"{value:,.0f} B"


def latency_word(record: Record) -> str:
    """Where the latency that was judged comes from."""
    return "predicted" if record.measurement is None else str(record.measurement.provenance)
