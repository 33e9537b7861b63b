# SPDX-License-Identifier: Apache-2.0
"""``unas-hil predict``."""

from __future__ import annotations

from dataclasses import astuple
from typing import TYPE_CHECKING, Annotated

import typer

from unas.cli.options import (
    RESULTS,
    BoardOption,
    FormatOption,
    ModelArgument,
    ResultsOption,
    RuntimeOption,
)
from unas.cli.output import Format, print_json, print_pairs, print_table

if TYPE_CHECKING:
    from unas.calibration.predict import NetworkPrediction
    from unas.cost.advice import Advice, OperatorCost
    from unas.record import Prediction

_MAC_LINE = "mac-line"


def command(
    model: ModelArgument,
    board: BoardOption,
    runtime: RuntimeOption = "builtin",
    latency_model: Annotated[
        str | None,
        typer.Option(
            "--latency-model",
            help="boosted, operator-linear or mac-line. Default: the one that calibration found "
            "best.",
            show_default=False,
        ),
    ] = None,
    advise: Annotated[
        bool,
        typer.Option("--advise", help="Name near shapes that the board runs faster."),
    ] = False,
    results: ResultsOption = RESULTS,
    output: FormatOption = Format.TABLE,
) -> None:
    """Predict latency, tensor arena and flash of a network from a stored calibration.

    Nothing is built or run; every number is predicted, and the output says what the model behind
    it was fitted on.

    Example: unas-hil predict model.tflite --board f746
    """
    from unas.board import load_board
    from unas.calibration.predict import predict
    from unas.tflite.model_file import load_model

    prediction = predict(
        load_model(model),
        load_board(board),
        runtime=runtime,
        latency_model=latency_model,
        advise=advise,
        results=results,
    )
    if output is Format.JSON:
        print_json(prediction.to_json_dict())
        return
    _print_summary(prediction)
    _print_operators(prediction.operators)
    if prediction.advice is not None:
        _print_advice(prediction.operators, prediction.advice, prediction.latency_model)


def _print_summary(prediction: NetworkPrediction) -> None:
    level = f"{100 * prediction.interval_level:.0f} % interval"
    latency = f"{_ms(prediction.latency_us)} ({level}), model {prediction.latency_model}"
    pairs = {"latency": latency}
    line = prediction.mac_line_latency_us
    if line is not None and prediction.latency_model != _MAC_LINE:
        pairs["by its MACs"] = f"{_ms(line)} (the paper's proxy)"
    if prediction.arena_used_bytes is not None:
        pairs["tensor arena"] = _bytes(prediction.arena_used_bytes)
    if prediction.flash_bytes is not None:
        pairs["flash"] = f"{_bytes(prediction.flash_bytes)}: the program and this file"
    identity = prediction.fitted_on
    timing = f", timing '{identity['timing']}'" if identity.get("timing") else ""
    pairs["fitted on"] = (
        f"{identity['provenance']} values: {identity['board']}, runtime {identity['runtime']} "
        f"({identity['kernels']} kernels){timing}"
    )
    print_pairs(f"{prediction.model.name} (predicted)", pairs)


def _ms(prediction: Prediction) -> str:
    value, lower, upper = (us / 1e3 for us in astuple(prediction))
    if upper == float("inf") or upper > 1000 * value:
        return f"{value:,.2f} ms, no interval: too few networks to tell"
    return f"{value:,.2f} ms, {lower:,.2f} to {upper:,.2f} ms"


def _bytes(prediction: Prediction) -> str:
    value, lower, upper = astuple(prediction)
    return f"{value:,.0f} B, {lower:,.0f} to {upper:,.0f} B"


def _print_operators(operators: tuple[OperatorCost, ...]) -> None:
    print_table(
        "Operators (predicted)",
        ["operator", "#", "input", "output", "window", "cycles", "share", "MACs", "cycles/MAC"],
        [
            [
                str(one.kernel.kind),
                str(one.index),
                _by(one.kernel.input),
                _by(one.kernel.output),
                _by(one.kernel.filter) if one.kernel.filter != (1, 1) else "",
                f"{one.cycles:,.0f}",
                f"{100 * one.share:.1f} %",
                f"{one.kernel.macs:,}" if one.kernel.macs else "",
                f"{one.cycles_per_mac:.2f}" if one.cycles_per_mac is not None else "",
            ]
            for one in operators
        ],
    )


def _by(sizes: tuple[int, ...]) -> str:
    return "x".join(map(str, sizes))


def _print_advice(
    operators: tuple[OperatorCost, ...], advice: tuple[Advice, ...], latency_model: str
) -> None:
    slowest = sorted(
        (one for one in operators if one.cycles_per_mac is not None and one.share >= 0.01),
        key=lambda one: -(one.cycles_per_mac or 0.0),
    )[:3]
    if slowest:
        names = [f"#{one.index} {one.kernel.kind} {one.cycles_per_mac:.1f}" for one in slowest]
        typer.echo(f"most cycles a MAC: {', '.join(names)}")
    if not advice:
        reason = " (the MAC line knows no shapes)" if latency_model == _MAC_LINE else ""
        typer.echo(f"no near shape is predicted to be worth a change{reason}")
        return
    print_table(
        "Near shapes (predicted; each change by itself, neighbours' own time not counted)",
        ["operator", "#", "change", "saves", "of network", "at equal MACs", "MACs", "changes too"],
        [
            [
                str(one.kernel.kind),
                str(one.index),
                one.change,
                f"{one.saved_cycles:,.0f}",
                f"{one.saved_percent:.1f} %",
                f"{one.gain_percent:.1f} %",
                f"{one.macs_percent:+.0f} %",
                ", ".join(f"#{index}" for index in one.neighbours) or "none",
            ]
            for one in advice
        ],
    )
