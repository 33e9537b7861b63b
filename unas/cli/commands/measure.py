# SPDX-License-Identifier: Apache-2.0
"""``unas-hil measure``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from unas.cli.options import (
    BoardOption,
    EmulatorOption,
    FormatOption,
    FreshOption,
    InputSeedOption,
    ModelArgument,
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
)
from unas.cli.output import Format, note, print_json, print_pairs, print_table

if TYPE_CHECKING:
    from unas.artifact import Flatbuffer
    from unas.lab.bench import Bench
    from unas.record import ArenaUse, Measurement


def command(
    model: ModelArgument,
    board: BoardOption,
    runtime: RuntimeOption = "builtin",
    tflm: TflmOption = None,
    unit: UnitOption = None,
    virtual: VirtualOption = False,
    emulator: EmulatorOption = "unicorn",
    timing: TimingOption = None,
    runs: RunsOption = 5,
    warmup: WarmupOption = 1,
    seed: InputSeedOption = 1,
    fresh: FreshOption = False,
    output: FormatOption = Format.TABLE,
) -> None:
    """Time one network on a board, and check its output against TensorFlow Lite Micro.

    Example: unas-hil measure model.tflite --board f746
    """
    from unas.hil.measure import Procedure
    from unas.tflite.model_file import load_model

    ran = choose_runtime(runtime, tflm)
    flatbuffer = load_model(model).flatbuffer
    how = choose_emulation(emulator, timing)
    bench = choose_bench(board, unit, virtual, 1, Procedure(warmup, runs, seed), ran, how)
    measurement, stored = _measure(bench, flatbuffer, fresh)
    if output is Format.JSON:
        print_json(measurement.to_json_dict())
    else:
        _print(measurement, stored)
    if not measurement.output.equal:
        note("the output differs from the golden implementation: do not trust this latency")
        raise typer.Exit(1)


def _measure(bench: Bench, model: Flatbuffer, fresh: bool) -> tuple[Measurement, bool]:
    from rich.console import Console
    from rich.text import Text

    from unas.lab.lab import measure_one
    from unas.store.cache import user_store

    with Console(stderr=True).status(Text(f"building, flashing and timing {model.name}…")):
        return measure_one(bench, user_store(), model, fresh=fresh, log=note)


def _print(measurement: Measurement, stored: bool) -> None:
    origin = f"{measurement.provenance}{', stored earlier (--fresh measures again)' * stored}"
    pairs = _summary(measurement)
    if measurement.instructions is not None:
        pairs["instructions"] = f"{measurement.instructions:,}, exact"
    print_pairs(f"{measurement.model_name} on {measurement.board_id} ({origin})", pairs)
    total = measurement.profiled_cycles
    rows = [
        [op.name, str(op.index), f"{op.cycles:,}", f"{100 * op.cycles / total:.1f} %"]
        for op in measurement.operators
    ]
    added = sum(op.cycles for op in measurement.operators)
    rows.append(["sum of the operators", "", f"{added:,}", f"{100 * added / total:.2f} %"])
    rows.append(["whole profiled run", "", f"{total:,}", ""])
    title = f"Cycles per operator ({measurement.provenance})"
    print_table(title, ["operator", "#", "cycles", "share"], rows)


def _summary(one: Measurement) -> dict[str, str]:
    output, arena = one.output, one.arena
    check = (
        "equal" if output.equal else f"{output.mismatches} OF {output.output_bytes} BYTES DIFFER"
    )
    return {
        "latency": f"{one.latency_us / 1e3:,.3f} ms = {one.median_cycles:,.0f} cycles at "
        f"{one.clock_hz / 1e6:g} MHz, median of {len(one.samples_cycles)} runs "
        f"(spread {one.spread_cycles:,})",
        "cold run": f"{one.cold_cycles:,} cycles",
        "timing": f"{one.timing}",
        "tensor arena": f"{arena.used_bytes:,} B (tensors {arena.tensor_bytes:,}, scratch "
        f"{arena.scratch_bytes:,}, persistent {arena.persistent_bytes:,}) "
        f"of {arena.capacity_bytes:,} B",
        "arena plan": _plan(arena),
        "flash": f"{one.flash_bytes:,} B, of these {one.flatbuffer_bytes:,} B flatbuffer",
        "output": f"{output.output_bytes} bytes, {check} ({output.golden})",
        "runtime": f"{one.runtime} ({one.runtime_revision}), {one.kernels} kernels, "
        f"{one.info.get('compiler')}",
        "unit": one.unit,
    }


def _plan(arena: ArenaUse) -> str:
    planned = arena.tensor_bytes + arena.scratch_bytes
    words = [arena.plan or "unknown"]
    if arena.bound_bytes:
        over = f"{planned - arena.bound_bytes:,} B above" if planned > arena.bound_bytes else "at"
        words.append(f"{over} the lower bound of {arena.bound_bytes:,} B")
    if arena.verified:
        words.append("verified: runs in exactly this arena, in 16 B less it does not")
    return ", ".join(words)
