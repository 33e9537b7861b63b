# SPDX-License-Identifier: Apache-2.0
"""``unas-hil compare``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unas.cli.options import (
    BoardOption,
    EmulatorOption,
    RunsOption,
    TflmOption,
    TimingOption,
    UnitOption,
    VirtualOption,
    WarmupOption,
    choose_bench,
    choose_emulation,
    choose_runtime,
    read_model,
)
from unas.cli.output import Format, note, print_json, print_table

if TYPE_CHECKING:
    from unas.artifact import Flatbuffer
    from unas.firmware.runtimes import Runtime
    from unas.graph import Graph
    from unas.lab.bench import Bench
    from unas.lab.comparison import Comparison
    from unas.record import Measurement, OperatorCycles


def _compare(
    bench: Bench, runtimes: list[Runtime], models: list[tuple[Flatbuffer, Graph]]
) -> list[Comparison]:
    from rich.console import Console
    from rich.text import Text

    from unas._paths import cache_dir
    from unas.lab.comparison import compare
    from unas.store.cache import DirectoryStore

    store = DirectoryStore(cache_dir() / "measurements")
    with Console(stderr=True).status("building…") as status:

        def show(runtime: str, model: str) -> None:
            done = f"{model} measured" if model else "building, flashing"
            status.update(Text(f"{runtime}: {done}…"))

        return compare(bench, runtimes, models, store, log=note, on_step=show)


def _whole(comparison: Comparison) -> None:
    found = comparison.measured
    first = next(iter(found.values()))
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
        for name, m in found.items()
    ]
    print_table(
        f"{comparison.model.name} on {first.board_id}: {comparison.macs:,} MACs, "
        f"{first.provenance}, timing {first.timing}, "
        f"outputs {'equal' if comparison.outputs_equal else 'DIFFER'}",
        ["runtime", "kernels", "cycles", "instructions", "/MAC", "arena B", "flash B"],
        rows,
        dense=True,
    )


def _by_operator(comparison: Comparison) -> None:
    found = comparison.measured
    longest: list[OperatorCycles] = max((list(m.operators) for m in found.values()), key=len)
    counted = any(op.instructions is not None for op in longest)
    cycles, instructions = [], []
    for operator in longest:
        macs = comparison.operator_macs.get(operator.index, 0)
        shares = [_share(m, operator) for m in found.values()]
        head = [operator.name, str(operator.index)]
        cycles.append(
            [*head, f"{macs:,}", *(_count(None if s is None else s.cycles) for s in shares)]
        )
        cells = []
        for share in shares:
            count = None if share is None else share.instructions
            cells += [_count(count), _ratio(comparison.per_mac(count, macs))]
        instructions.append([*head, *cells])
    names = [name.replace("-", "-\n") for name in found]  # a narrow terminal has no room for more
    print_table("Cycles per operator", ["operator", "#", "MACs", *names], cycles)
    if counted:
        columns = [column for name in names for column in (name, "/MAC")]
        print_table(
            "Instructions per operator", ["operator", "#", *columns], instructions, dense=True
        )


def _share(found: Measurement, wanted: OperatorCycles) -> OperatorCycles | None:
    """The operator at the same place, if it is the same."""
    for operator in found.operators:
        if (operator.index, operator.name) == (wanted.index, wanted.name):
            return operator
    return None


def _count(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _print(comparisons: list[Comparison]) -> None:
    for comparison in comparisons:
        if comparison.measured:
            _whole(comparison)
            _by_operator(comparison)
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
    seed: Annotated[
        int, typer.Option("--seed", min=1, max=2**31 - 1, help="Seed of the input.")
    ] = 1,
    output: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TABLE,
) -> None:
    """Time networks under several runtimes, side by side, and check their outputs for equality.

    Example: unas-hil compare model.tflite --board f746 --runtimes builtin,builtin-plain
    """
    from unas.hil.measure import Procedure

    names = [name.strip() for name in runtimes.split(",") if name.strip()]
    chosen = [choose_runtime(name, tflm if name == "tflm" else None) for name in names]
    if not chosen:
        raise typer.BadParameter("name at least one runtime", param_hint="--runtimes")
    read = [read_model(model) for model in models]
    how = choose_emulation(emulator, timing)
    bench = choose_bench(board, unit, virtual, 1, Procedure(warmup, runs, seed), chosen[0], how)
    comparisons = _compare(bench, chosen, read)
    if output is Format.JSON:
        print_json([comparison.to_json_dict() for comparison in comparisons])
    else:
        _print(comparisons)
    complaints = [line for comparison in comparisons for line in comparison.complaints()]
    for line in complaints:
        note(line)
    if complaints:
        raise typer.Exit(1)
