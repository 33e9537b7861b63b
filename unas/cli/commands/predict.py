# SPDX-License-Identifier: Apache-2.0
"""``unas-hil predict``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unas.cli.options import BoardOption, RuntimeOption, read_model
from unas.cli.output import Format, print_json, print_pairs, print_table
from unas.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from unas.artifact import Flatbuffer
    from unas.cost.advice import Advice, OperatorCost
    from unas.cost.model import LatencyModel
    from unas.graph import Graph
    from unas.record import Prediction
    from unas.store.calibration import Models

_MAC_LINE = "mac-line"


def command(
    model: Annotated[Path, typer.Argument(help="An int8 .tflite file.", show_default=False)],
    board: BoardOption,
    runtime: RuntimeOption = "builtin",
    which: Annotated[
        str | None,
        typer.Option(
            "--model",
            help="Latency model: boosted, operator-linear or mac-line. Default: the one that "
            "calibration found best.",
            show_default=False,
        ),
    ] = None,
    advise: Annotated[
        bool,
        typer.Option("--advise", help="Name near shapes that the board runs faster."),
    ] = False,
    results: Annotated[Path, typer.Option("--results", help="Directory of results.")] = Path(
        "results"
    ),
    output: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TABLE,
) -> None:
    """Predict latency, tensor arena and flash of a network from a stored calibration.

    Nothing is built or run; every number is predicted, and the output says what the model behind
    it was fitted on.

    Example: unas-hil predict model.tflite --board f746
    """
    from unas.board import load_board
    from unas.cost.advice import advise as advice_for
    from unas.cost.advice import costs

    models = _models(load_board(board).id, board, runtime, results)
    chosen = _chosen(models, which)
    flatbuffer, graph = read_model(model)
    table = costs(graph, chosen)
    advice = advice_for(graph, chosen) if advise else None
    if output is Format.JSON:
        print_json(_as_json(flatbuffer, graph, models, chosen, table, advice))
        return
    _print_summary(flatbuffer, graph, models, chosen)
    _print_operators(table)
    if advice is not None:
        _print_advice(table, advice, chosen)


def _models(board_id: str, board: str, runtime: str, results: Path) -> Models:
    from unas.store.calibration import calibration_folder, read_models

    folder = calibration_folder(board_id, results, runtime)
    if not folder.exists():
        option = "" if runtime == "builtin" else f" --runtime {runtime}"
        raise StoreError(
            f"no calibration in {folder}; make one with: unas-hil calibrate --board {board}{option}"
        )
    return read_models(folder)


def _chosen(models: Models, which: str | None) -> LatencyModel:
    if which is None:
        return models.default
    if which not in models.latency:
        raise ConfigError(
            f"no latency model {which!r} in this calibration; choose one of "
            f"{', '.join(models.latency)}"
        )
    return models.latency[which]


def _sizes(
    models: Models, graph: Graph, flatbuffer: Flatbuffer
) -> tuple[Prediction | None, Prediction | None]:
    """(tensor arena, flash) in bytes; None where the calibration does not tell them."""
    from unas.record import Prediction

    arena = models.arena.predict(graph) if models.arena else None
    if models.flash is None:
        return arena, None
    # The file is at hand: only the program around it is predicted.
    file, program = flatbuffer.flatbuffer_bytes, models.flash
    return arena, Prediction(
        file + program.program_bytes,
        file + program.least_program_bytes,
        file + program.most_program_bytes,
    )


def _as_json(
    flatbuffer: Flatbuffer,
    graph: Graph,
    models: Models,
    chosen: LatencyModel,
    table: tuple[OperatorCost, ...],
    advice: tuple[Advice, ...] | None,
) -> dict[str, Any]:
    arena, flash = _sizes(models, graph, flatbuffer)
    line = models.latency.get(_MAC_LINE)
    data: dict[str, Any] = {
        "model": flatbuffer.name,
        "model_sha256": flatbuffer.sha256,
        "provenance": "predicted",
        "latency_model": chosen.name,
        "fitted_on": dict(chosen.identity),
        "interval_level": chosen.interval.level,
        "latency_us": _finite(chosen.latency_us(graph)),
        "mac_line_latency_us": _finite(line.latency_us(graph)) if line else None,
        "arena_used_bytes": arena and _finite(arena),
        "flash_bytes": flash and _finite(flash),
        "operators": [
            {
                "index": one.index,
                "name": str(one.kernel.kind),
                "signature": one.kernel.signature,
                "cycles": one.cycles,
                "share": one.share,
                "macs": one.kernel.macs,
                "cycles_per_mac": one.cycles_per_mac,
            }
            for one in table
        ],
    }
    if advice is not None:
        data["advice"] = [
            asdict(one) | {"kernel": one.kernel.signature, "instead": one.instead.signature}
            for one in advice
        ]
    return data


def _finite(prediction: Prediction) -> dict[str, float | None]:
    """JSON has no infinity: an end that nothing bounds is null."""
    return {
        name: value if abs(value) < float("inf") else None
        for name, value in asdict(prediction).items()
    }


def _print_summary(
    flatbuffer: Flatbuffer, graph: Graph, models: Models, chosen: LatencyModel
) -> None:
    identity = chosen.identity
    level = f"{100 * chosen.interval.level:.0f} % interval"
    arena, flash = _sizes(models, graph, flatbuffer)
    pairs = {"latency": f"{_ms(chosen.latency_us(graph))} ({level}), model {chosen.name}"}
    line = models.latency.get(_MAC_LINE)
    if line is not None and chosen.name != _MAC_LINE:
        pairs["by its MACs"] = f"{_ms(line.latency_us(graph))} (the paper's proxy)"
    if arena is not None:
        pairs["tensor arena"] = _bytes(arena)
    if flash is not None:
        pairs["flash"] = f"{_bytes(flash)}: the program and this file"
    timing = f", timing '{identity['timing']}'" if identity.get("timing") else ""
    pairs["fitted on"] = (
        f"{identity['provenance']} values: {identity['board']}, runtime {identity['runtime']} "
        f"({identity['kernels']} kernels){timing}"
    )
    print_pairs(f"{flatbuffer.name} (predicted)", pairs)


def _ms(prediction: Prediction) -> str:
    value, lower, upper = (us / 1e3 for us in asdict(prediction).values())
    if upper == float("inf") or upper > 1000 * value:
        return f"{value:,.2f} ms, no interval: too few networks to tell"
    return f"{value:,.2f} ms, {lower:,.2f} to {upper:,.2f} ms"


def _bytes(prediction: Prediction) -> str:
    value, lower, upper = asdict(prediction).values()
    return f"{value:,.0f} B, {lower:,.0f} to {upper:,.0f} B"


def _print_operators(table: tuple[OperatorCost, ...]) -> None:
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
            for one in table
        ],
    )


def _by(sizes: tuple[int, ...]) -> str:
    return "x".join(map(str, sizes))


def _print_advice(
    table: tuple[OperatorCost, ...], advice: tuple[Advice, ...], chosen: LatencyModel
) -> None:
    dear = sorted(
        (one for one in table if one.cycles_per_mac is not None and one.share >= 0.01),
        key=lambda one: -(one.cycles_per_mac or 0.0),
    )[:3]
    if dear:
        names = [f"#{one.index} {one.kernel.kind} {one.cycles_per_mac:.1f}" for one in dear]
        typer.echo(f"most cycles a MAC: {', '.join(names)}")
    if not advice:
        reason = " (the MAC line knows no shapes)" if chosen.name == _MAC_LINE else ""
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
