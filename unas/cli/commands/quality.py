# SPDX-License-Identifier: Apache-2.0
"""``unas-hil quality``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from unas.cli.options import RESULTS, BoardOption, FormatOption, ResultsOption, RuntimeOption
from unas.cli.output import Format, print_json, print_table


def command(
    board: BoardOption,
    runtime: RuntimeOption = "builtin",
    limit: Annotated[
        str | None,
        typer.Option(
            "--limit",
            help="A latency limit to decide at, for example 50ms. Default: the median.",
            show_default=False,
        ),
    ] = None,
    results: ResultsOption = RESULTS,
    output: FormatOption = Format.TABLE,
) -> None:
    """How good a board's stored latency models are: errors, ranks, decisions at a limit.

    Every network is predicted by models that did not see it. The MAC line is the paper's proxy.

    Example: unas-hil quality --board f746 --limit 50ms
    """
    from unas.board import load_board
    from unas.report.calibration.summary import summary_of
    from unas.store.calibration import calibration_folder, read_calibration
    from unas.units import parse_microseconds

    folder = calibration_folder(load_board(board).id, results, runtime)
    limit_us = None if limit is None else parse_microseconds(limit)
    summary = summary_of(read_calibration(folder), limit_us)
    if output is Format.JSON:
        print_json(summary)
    else:
        _print(summary)


def _print(summary: dict[str, Any]) -> None:
    models = summary["models"]
    count = next(iter(models.values()))["networks"]
    print_table(
        f"Latency predicted for {count} held-out networks; truth: {summary['provenance']}",
        ["model", "MAPE", "within ±10 %", "worst", "R²", "Spearman", "Kendall"],
        [
            [
                f"{name} (default)" if name == summary["default"] else name,
                f"{one['mape_percent']:.1f} %",
                f"{one['within_10_percent']:.0f} %",
                f"{one['worst_percent']:.0f} %",
                f"{one['r2']:.4f}",
                f"{one['spearman']:.4f}",
                f"{one['kendall']:.4f}",
            ]
            for name, one in models.items()
        ],
    )
    feasible, limit_ms = next(iter(models.values()))["feasible"], summary["limit_us"] / 1e3
    print_table(
        f"Decisions at a limit of {limit_ms:,.2f} ms: {feasible} of {count} feasible",
        ["model", "wrongly accepted", "wrongly rejected", "wrong, mean over all limits"],
        [
            [
                name,
                str(one["wrongly_accepted"]),
                str(one["wrongly_rejected"]),
                f"{one['wrong_decisions_percent']:.1f} %",
            ]
            for name, one in models.items()
        ],
    )
    _print_operators(summary["operators"])


def _print_operators(rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    names = [key.removesuffix(" mape") for key in rows[0] if key.endswith(" mape")]
    print_table(
        "Error by family of operators (MAPE; median)",
        ["family", "share of time", "n", *names],
        [
            [
                row["family"],
                f"{row['share_percent']:.1f} %",
                str(row["n"]),
                *(f"{row[f'{m} mape']:.1f} %; {row[f'{m} p50']:+.1f} %" for m in names),
            ]
            for row in rows
        ],
    )
