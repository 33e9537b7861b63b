# SPDX-License-Identifier: Apache-2.0
"""Results on the terminal: what a calibration fitted, and what a search found; tables or JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from unas.calibration.measuring import Effort
from unas.cli.output import note, print_json, print_table
from unas.record.latency import final_errors, latency_provenance
from unas.record.wording import (
    column_text,
    feasible_count_text,
    mean_std_percent,
    percent,
    quantity_name,
    seed_count_text,
)
from unas.store.calibration import CalibrationResults, quality_to_json_dict

if TYPE_CHECKING:
    from unas.config import StudyConfig
    from unas.record import FinalTraining, Record
    from unas.store.study_folder import StudyResults


def print_findings(findings: CalibrationResults) -> None:
    """Tables of the models' errors on networks that they never saw."""
    provenance = findings.fitted.model.identity["provenance"]
    quality = quality_to_json_dict(findings.fitted, findings.arena, findings.flash)
    print_table(
        f"Latency, fitted on {provenance} values: networks that the model never saw",
        ["model", "n", "MAPE", "within ±10 %", "interval holds", "R²", "Spearman", "worst"],
        [
            _latency_row(name, one, name == findings.fitted.model.name)
            for name, one in quality["latency"].items()
        ],
    )
    rows = [
        _memory_row(what, quality[key])
        for what, key in (("tensor arena", "arena"), ("flatbuffer in flash", "flash"))
        if quality[key]
    ]
    if rows:
        print_table(
            f"Memory, fitted on {provenance} values: networks that the model never saw",
            ["model", "n", "MAPE", "within ±3 %", "most below", "most above"],
            rows,
        )
    else:
        note("too few networks for models of arena and flash")


def print_findings_json(findings: CalibrationResults) -> None:
    """The same as JSON, with what the models were fitted on and how networks were chosen."""
    print_json(
        {
            "provenance": findings.fitted.model.identity["provenance"],
            "identity": dict(findings.fitted.model.identity),
            "chosen": findings.fitted.model.name,
            "quality": quality_to_json_dict(findings.fitted, findings.arena, findings.flash),
            "fits": [line.to_json_dict() for line in findings.lines.values()],
            "sampling": findings.sampling,
        }
    )


def note_effort(effort: Effort) -> None:
    """A line about images, flash cycles and seconds."""
    note(
        f"{effort.models} models in {effort.images} images, {effort.flash_cycles} flash cycles, "
        f"{effort.device_seconds:.0f} s of device time; {effort.stored} of them came from the "
        f"store, this run measured for {effort.seconds:.0f} s"
    )


def note_target(sampling: Mapping[str, Any]) -> None:
    """A line about whether active sampling reached its target error."""
    error, target = sampling["held_out_mape_percent"], sampling["until_mape_percent"]
    text = f"{len(sampling['held_out'])} held-out networks: mean error {error:.2f} %"
    missed = ": not reached; raise --networks or --kernels to go on from here"
    note(f"{text}, target {target:g} %{'' if sampling['reached'] else missed}")


def _latency_row(name: str, quality: Any, chosen: bool) -> list[str]:
    fit = quality["fit"]
    return [
        f"{name}{' (default)' * chosen}",
        str(fit["n"]),
        f"{fit['mape_percent']:.1f} %",
        f"{fit['within_10_percent']:.0f} %",
        f"{quality['coverage_percent']:.0f} % of {quality['nominal_percent']:.0f}",
        f"{fit['r2']:.4f}",
        f"{fit['spearman']:.4f}",
        f"{quality['worst_percent']:.1f} %",
    ]


def _memory_row(what: str, quality: Any) -> list[str]:
    return [
        what,
        str(quality["networks"]),
        f"{quality['mape_percent']:.2f} %",
        f"{quality['within_3_percent']:.0f} %",
        f"{quality['worst_under_percent']:.2f} %",
        f"{quality['worst_over_percent']:.2f} %",
    ]


def print_search(study: StudyConfig, results: StudyResults) -> None:
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


def print_search_json(study: StudyConfig, results: StudyResults) -> None:
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
