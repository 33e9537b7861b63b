# SPDX-License-Identifier: Apache-2.0
"""``unas-hil run``."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unas.cli.options import BoardOption, FormatOption
from unas.cli.output import Format, note, print_json, print_pairs, print_table
from unas.errors import ConfigError

if TYPE_CHECKING:
    from unas.board import Board
    from unas.virtual.machine.foreign import RunOutcome
    from unas.virtual.machine.script import Step

_INTERRUPTED = 130
_ENDS = {
    "script": "the script is done",
    "exit": "the firmware ended itself",
    "timeout": "the virtual time is over",
    "wall": "the wall-clock limit",
    "idle": "the firmware waits for bytes that nobody sends",
}


def command(
    firmware: Annotated[
        Path, typer.Argument(help="Any firmware for the chip: .elf, .hex, or .bin (flash image).")
    ],
    board: BoardOption = "f746",
    send: Annotated[
        list[str] | None,
        typer.Option("--send", help=r"Text for its serial line; \n, \r, \xNN work. Repeatable."),
    ] = None,
    until: Annotated[
        list[str] | None,
        typer.Option(
            "--until",
            help="Text to wait for; repeatable. Sends and waits take turns; with one --until more "
            "than --send the first thing is to wait. After the last --until the run ends.",
        ),
    ] = None,
    script: Annotated[
        Path | None,
        typer.Option("--script", help="File of lines 'send TEXT' and 'until TEXT' instead."),
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.0, help="Seconds of virtual time.")
    ] = 10.0,
    wall: Annotated[
        float, typer.Option("--wall", min=0.0, help="Seconds on the wall clock.")
    ] = 600.0,
    uart: Annotated[
        str,
        typer.Option("--uart", help="Console, e.g. usart1; auto: the first UART that is used."),
    ] = "auto",
    hse: Annotated[
        str | None,
        typer.Option("--hse", help="Frequency of the board's crystal, e.g. 25MHz."),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Unknown registers and broken clock rules end the run."),
    ] = False,
    output: FormatOption = Format.TABLE,
) -> None:
    r"""Run other people's firmware, unmodified, on a virtual board: its serial line and its counts.

    Serial output goes to standard output as it comes, remarks to standard error. Counts between
    markers: let the firmware write words to ITM stimulus port 0 (0xE0000000). It ends after the
    last --until, at the timeout, or when the firmware exits by semihosting (BKPT 0xAB, SYS_EXIT).

    Example: unas-hil run kws.bin --board l4r5 --until m-ready --send "name%" --until m-ready
    """
    from unas.virtual.machine.foreign import RunOptions, refuse_failure, run_firmware

    kind = _board(board, hse)

    def show(byte: int) -> None:
        sys.stdout.write(chr(byte) if byte < 0x80 else "\N{REPLACEMENT CHARACTER}")
        sys.stdout.flush()

    options = RunOptions(
        steps=_steps(send or [], until or [], script),
        timeout_s=timeout,
        wall_s=wall,
        uart=uart.lower(),
        strict=strict,
        tell=lambda text: note(f"note: {text}"),
        **({"out": show} if output is Format.TABLE else {}),
    )
    try:
        outcome = run_firmware(kind, firmware, options)
    except KeyboardInterrupt:
        note("stopped")
        raise typer.Exit(_INTERRUPTED) from None
    if output is Format.JSON:
        print_json(_as_json(kind, firmware, outcome))
    else:
        sys.stdout.write("" if outcome.serial[-1:] in (b"", b"\n") else "\n")
        _print(kind, outcome)
    refuse_failure(outcome)


def _board(argument: str, hse: str | None) -> Board:
    from unas.board import load_board
    from unas.units import parse_frequency

    board = load_board(argument)
    return board if hse is None else dataclasses.replace(board, hse_hz=parse_frequency(hse))


def _steps(sends: list[str], untils: list[str], script: Path | None) -> tuple[Step, ...]:
    from unas.virtual.machine.script import alternate, read_script

    if script is None:
        return alternate(sends, untils)
    if sends or untils:
        raise ConfigError("--script stands for --send and --until; leave one out")
    return read_script(script)


def _print(board: Board, outcome: RunOutcome) -> None:
    pairs = {
        "ended": _ENDS[outcome.end],
        "instructions": f"{outcome.instructions:,}",
        "cycles": f"{outcome.cycles:,} (emulated, timing {outcome.timing})",
        "asleep": f"{outcome.asleep_cycles:,} of them",
        "virtual time": f"{outcome.seconds:.6f} s, core clock {outcome.core_clock_hz / 1e6:g} MHz",
    }
    if outcome.faults:
        pairs["faults"] = f"{len(outcome.faults)}, resets {outcome.resets}"
    print_pairs(f"virtual {board.name}", pairs)
    if outcome.sections:
        print_table(
            "between markers",
            ("marker (ITM port 0)", "instructions", "cycles (emulated)"),
            [
                [f"0x{s.first:X} -> 0x{s.last:X}", f"{s.instructions:,}", f"{s.cycles:,}"]
                for s in outcome.sections
            ],
        )


def _as_json(board: Board, firmware: Path, outcome: RunOutcome) -> dict[str, object]:
    data = dataclasses.asdict(outcome)
    data["serial"] = outcome.serial.decode("latin-1")
    return {"board": board.id, "firmware": str(firmware), "provenance": "emulated", **data}
