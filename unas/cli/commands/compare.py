# SPDX-License-Identifier: Apache-2.0
"""``unas-hil compare``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unas.cli.options import (
    BoardOption,
    EmulatorOption,
    FormatOption,
    InputSeedOption,
    RunsOption,
    TflmOption,
    TimingOption,
    UnitOption,
    VirtualOption,
    WarmupOption,
    choose_bench,
    choose_emulation,
    choose_runtime,
)
from unas.cli.output import Format, note, print_json, print_table

if TYPE_CHECKING:
    from unas.firmware.runtimes import Runtime
    from unas.lab.bench import Bench
    from unas.lab.comparison import Comparison
    from unas.tflite.model_file import Model


def command(
    models: Annotated[list[Path], typer.Argument(help="Int8 .tflite files.")],
    board: BoardOption,
    runtimes: Annotated[
        str, typer.Option("--runtimes", help="Names, with commas; see 'measure --runtime'.")
    ] = "builtin,builtin-plain",
    tflm: TflmOption = None,
    unit: UnitOption = None,
    virtual: VirtualOption = False,
    emulator: EmulatorOption = "unicorn",
    timing: TimingOption = None,
    runs: RunsOption = 1,
    warmup: WarmupOption = 0,
    seed: InputSeedOption = 1,
    output: FormatOption = Format.TABLE,
) -> None:
    """Time networks under several runtimes, side by side, and check their outputs for equality.

    Example: unas-hil compare model.tflite --board f746 --runtimes builtin,builtin-plain
    """
    from unas.hil.measure import Procedure
    from unas.tflite.model_file import load_model

    names = [name.strip() for name in runtimes.split(",") if name.strip()]
    chosen = [choose_runtime(name, tflm if name == "tflm" else None) for name in names]
    if not chosen:
        raise typer.BadParameter("name at least one runtime", param_hint="--runtimes")
    loaded = [load_model(model) for model in models]
    how = choose_emulation(emulator, timing)
    bench = choose_bench(board, unit, virtual, 1, Procedure(warmup, runs, seed), chosen[0], how)
    comparisons = _compare(bench, chosen, loaded)
    if output is Format.JSON:
        print_json([comparison.to_json_dict() for comparison in comparisons])
    else:
        _print(comparisons)
    complaints = [line for comparison in comparisons for line in comparison.complaints()]
    for line in complaints:
        note(line)
    if complaints:
        raise typer.Exit(1)


def _compare(bench: Bench, runtimes: list[Runtime], models: list[Model]) -> list[Comparison]:
    from rich.console import Console
    from rich.text import Text

    from unas.lab.comparison import compare
    from unas.store.cache import user_store

    with Console(stderr=True).status("building…") as status:

        def show(runtime: str, model: str) -> None:
            done = f"{model} measured" if model else "building, flashing"
            status.update(Text(f"{runtime}: {done}…"))

        return compare(bench, runtimes, models, user_store(), log=note, on_step=show)


def _print_runtimes(comparison: Comparison) -> None:
    measured = comparison.measured
    first = next(iter(measured.values()))
    rows = [
        [
            name,
            m.kernels,
            f"{m.median_cycles:,.0f}",
            _count(m.instructions),
            _ratio(comparison.per_mac(m.instructions)),
            f"{m.arena.used_bytes:,}",
            f"{m.program_bytes:,}",
        ]
        for name, m in measured.items()
    ]
    print_table(
        f"{comparison.model.name} on {first.board_id}: {comparison.macs:,} MACs, "
        f"{first.provenance}, timing {first.timing}, "
        f"outputs {'equal' if comparison.outputs_equal else 'DIFFER'}",
        ["runtime", "kernels", "cycles", "instructions", "/MAC", "arena B", "flash B"],
        rows,
        dense=True,
    )


def _print_operators(comparison: Comparison) -> None:
    cycles, instructions = [], []
    operators = comparison.operators()
    for operator in operators:
        counts = operator.cycles.values()
        head = [operator.name, str(operator.index)]
        cells = [_count(None if one is None else one.cycles) for one in counts]
        cycles.append([*head, f"{operator.macs:,}", *cells])
        instructions.append(head)
        for one in counts:
            count = None if one is None else one.instructions
            instructions[-1] += [_count(count), _ratio(comparison.per_mac(count, operator.macs))]
    # A narrow terminal has no room for more.
    names = [name.replace("-", "-\n") for name in comparison.measured]
    print_table("Cycles per operator", ["operator", "#", "MACs", *names], cycles)
    if any(one and one.instructions is not None for op in operators for one in op.cycles.values()):
        columns = [column for name in names for column in (name, "/MAC")]
        print_table(
            "Instructions per operator", ["operator", "#", *columns], instructions, dense=True
        )


def _count(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _print(comparisons: list[Comparison]) -> None:
    for comparison in comparisons:
        if comparison.measured:
            _print_runtimes(comparison)
            _print_operators(comparison)
    revisions = {
        name: f"{m.runtime_revision}, {m.info.get('compiler')}, flags {m.info.get('flags')}"
        for comparison in comparisons
        for name, m in comparison.measured.items()
    }
    for name, revision in revisions.items():
        typer.echo(f"{name}: {revision}")
    typer.echo(
        "flash: the program without the models; builtin has all its kernels in it, tflm only those "
        "that these models use"
    )
