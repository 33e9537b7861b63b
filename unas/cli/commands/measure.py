# SPDX-License-Identifier: Apache-2.0
"""``unas-hil measure``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unas.cli.options import (
    BoardOption,
    EmulatorOption,
    FreshOption,
    RunsOption,
    RuntimeOption,
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
from unas.cli.output import Format, note, print_json, print_pairs, print_table

if TYPE_CHECKING:
    from unas.artifact import Flatbuffer
    from unas.lab.bench import Bench
    from unas.record import ArenaUse, Measurement


def _measure(bench: Bench, model: Flatbuffer, fresh: bool) -> tuple[Measurement, bool]:
    from rich.console import Console
    from rich.text import Text

    from unas._paths import cache_dir
    from unas.lab.lab import measure_one
    from unas.store.cache import DirectoryStore

    store = DirectoryStore(cache_dir() / "measurements")
    with Console(stderr=True).status(Text(f"building, flashing and timing {model.name}…")):
        return measure_one(bench, store, model, fresh=fresh, log=note)


def _plan(arena: ArenaUse) -> str:
    planned = arena.tensor_bytes + arena.scratch_bytes
    words = [arena.plan or "unknown"]
    if arena.bound_bytes:
        over = f"{planned - arena.bound_bytes:,} B above" if planned > arena.bound_bytes else "at"
        words.append(f"{over} the lower bound of {arena.bound_bytes:,} B")
    if arena.verified:
        words.append("verified: runs in exactly this arena, in 16 B less it does not")
    return ", ".join(words)


def _print(found: Measurement, stored: bool) -> None:
    output = found.output
    check = (
        "equal" if output.equal else f"{output.mismatches} OF {output.output_bytes} BYTES DIFFER"
    )
    arena = found.arena
    kept = ", stored earlier (--fresh measures again)" if stored else ""
    word = str(found.provenance)
    pairs = {
        "latency": f"{found.latency_us / 1e3:,.3f} ms = {found.median_cycles:,.0f} cycles at "
        f"{found.clock_hz / 1e6:g} MHz, median of {len(found.samples_cycles)} runs "
        f"(spread {found.spread_cycles:,})",
        "cold run": f"{found.cold_cycles:,} cycles",
        "timing": f"{found.timing}",
        "tensor arena": f"{arena.used_bytes:,} B (tensors {arena.tensor_bytes:,}, scratch "
        f"{arena.scratch_bytes:,}, persistent {arena.persistent_bytes:,}) "
        f"of {arena.capacity_bytes:,} B",
        "arena plan": _plan(arena),
        "flash": f"{found.flash_bytes:,} B, of these {found.flatbuffer_bytes:,} B flatbuffer",
        "output": f"{output.output_bytes} bytes, {check} ({output.golden})",
        "runtime": f"{found.runtime} ({found.runtime_revision}), {found.kernels} kernels, "
        f"{found.info.get('compiler')}",
        "unit": found.unit,
    }
    if found.instructions is not None:
        pairs["instructions"] = f"{found.instructions:,}, exact"
    print_pairs(f"{found.model_name} on {found.board_id} ({word}{kept})", pairs)
    total = found.profiled_cycles
    rows = [
        [op.name, str(op.index), f"{op.cycles:,}", f"{100 * op.cycles / total:.1f} %"]
        for op in found.operators
    ]
    added = sum(op.cycles for op in found.operators)
    rows.append(["sum of the operators", "", f"{added:,}", f"{100 * added / total:.2f} %"])
    rows.append(["whole profiled run", "", f"{total:,}", ""])
    print_table(f"Cycles per operator ({word})", ["operator", "#", "cycles", "share"], rows)


def command(
    model: Annotated[Path, typer.Argument(help="An int8 .tflite file.")],
    board: BoardOption,
    runtime: RuntimeOption = "builtin",
    tflm: TflmOption = None,
    unit: UnitOption = None,
    virtual: VirtualOption = False,
    emulator: EmulatorOption = "unicorn",
    timing: TimingOption = None,
    runs: RunsOption = 5,
    warmup: WarmupOption = 1,
    seed: Annotated[
        int, typer.Option("--seed", min=1, max=2**31 - 1, help="Seed of the input.")
    ] = 1,
    fresh: FreshOption = False,
    output: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TABLE,
) -> None:
    """Time one network on a board, and check its output against TensorFlow Lite Micro.

    Example: unas-hil measure model.tflite --board f746
    """
    from unas.hil.measure import Procedure

    ran = choose_runtime(runtime, tflm)
    flatbuffer, _graph = read_model(model)
    how = choose_emulation(emulator, timing)
    bench = choose_bench(board, unit, virtual, 1, Procedure(warmup, runs, seed), ran, how)
    found, stored = _measure(bench, flatbuffer, fresh)
    if output is Format.JSON:
        print_json(found.to_json_dict())
    else:
        _print(found, stored)
    if not found.output.equal:
        note("the output differs from the golden implementation: do not trust this latency")
        raise typer.Exit(1)
