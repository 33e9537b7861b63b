# SPDX-License-Identifier: Apache-2.0
"""What ``unas-hil calibrate`` prints of its models: tables, JSON, notes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from unas.calibration.measuring import Effort
from unas.cli.output import note, print_json, print_table
from unas.store.calibration import CalibrationResults, quality_to_json_dict


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
