# SPDX-License-Identifier: Apache-2.0
"""The result of a search: its front as a table or as JSON, every number with its provenance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unas.cli.output import note, print_json, print_table
from unas.record.latency import latency_provenance
from unas.record.repeated_trainings import final_errors
from unas.record.wording import (
    column_text,
    feasible_count_text,
    mean_std_percent,
    percent,
    quantity_name,
    seed_count_text,
)

if TYPE_CHECKING:
    from unas.config import StudyConfig
    from unas.record import FinalTraining, Record
    from unas.store.study_folder import StudyResults


def print_found(study: StudyConfig, results: StudyResults) -> None:
    """The feasible networks of the front; without one, the whole front."""
    from unas.strategies.progress import count_outcomes

    counts = count_outcomes(results.records)
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count)
    note(f"{len(results.records)} candidates: {outcomes}")
    rows = results.feasible
    if not rows:
        note("no network is feasible; search longer, or loosen a bound. The whole front:")
    bounds = study.judged.bounds()
    columns = ["network", "val. error", "test error"]
    columns += [quantity_name(name) for name in bounds if name != "error"]
    if "latency_us" in bounds:
        columns.append("provenance")
    title = f"Front of {study.name}: errors of the int8 model; sizes computed"
    repeated = any(results.finals_of(record) for record in rows)
    if repeated:
        columns += ["repeated trainings", "feasible"]
        title += "; repeated trainings: mean ± std of the test error"
    print_table(title, columns, [_row(r, study, results, repeated) for r in rows or results.front])


def print_found_json(study: StudyConfig, results: StudyResults) -> None:
    """The whole front, for programs."""
    print_json(
        {
            "study": study.name,
            "config_sha256": study.digest,
            "bounds": study.judged.bounds(),
            "records": len(results.records),
            "front": [_as_json(record, results) for record in results.front],
        }
    )


def _row(record: Record, study: StudyConfig, results: StudyResults, repeated: bool) -> list[str]:
    training = record.training
    test = training.test_error if training else None
    bounds = study.judged.bounds()
    errors = (record.values.get("error"), test)
    cells = [record.candidate.short_id, *("" if e is None else percent(e) for e in errors)]
    for name in bounds:
        if name != "error":
            value = record.values.get(name)
            cells.append("" if value is None else column_text(name, value))
    if "latency_us" in bounds:
        cells.append(str(latency_provenance(record)))
    if repeated:
        finals = results.finals_of(record)
        cells += [_repeated(finals), feasible_count_text(finals, study.judged) if finals else ""]
    return cells


def _repeated(finals: tuple[FinalTraining, ...]) -> str:
    """Mean and spread of the test error, and over how many trainings: ``"2.51 ± 0.39 % (2)"``."""
    errors = final_errors(finals)
    known = 0 if errors is None else errors.n
    count = f"({seed_count_text(finals)})" if len(finals) > 1 or known < len(finals) else ""
    return " ".join(text for text in (mean_std_percent(errors) if known else "", count) if text)


def _as_json(record: Record, results: StudyResults) -> dict[str, Any]:
    return {
        "network": record.candidate.short_id,
        "feasible": record.feasible,
        "latency_provenance": str(latency_provenance(record))
        if "latency_us" in record.values
        else None,
        "test_errors_again": list(results.final_test_errors(record)),
        "diverged_again": sum(final.diverged for final in results.finals_of(record)),
        "values_again": [dict(final.values) for final in results.finals_of(record)],
        **record.to_json_dict(),
    }
