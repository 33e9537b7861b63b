# SPDX-License-Identifier: Apache-2.0
"""Run firmware that knows nothing of unas, and tell what it took."""

from __future__ import annotations

import itertools
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from unas.board import Board
from unas.errors import EmulatorError
from unas.virtual.bus.rules import Strictness
from unas.virtual.machine.events import Event, FaultEvent, ResetEvent, StageEvent
from unas.virtual.machine.machine import Machine, Stop
from unas.virtual.machine.script import ScriptLink, Step
from unas.virtual.stm32.uarts import AUTO

_SLICES_A_SECOND = 50  # of virtual time: how often the clocks are looked at


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What to do with the firmware.

    Attributes:
        steps: What the far end of its serial line says and waits for.
        timeout_s: Virtual time after which it is enough.
        wall_s: Time of the clock on the wall after which it is enough.
        uart: Name of the console, or ``"auto"``: the first UART that sends or listens.
        strict: Breaches of the chip's rules and unknown registers are errors.
        out: Takes each byte of the console and of semihosting.
        tell: Takes remarks: rules that were broken, registers that are not modelled, faults.
    """

    steps: Sequence[Step] = ()
    timeout_s: float = 10.0
    wall_s: float = 600.0
    uart: str = AUTO
    strict: bool = False
    out: Callable[[int], None] = lambda byte: None
    tell: Callable[[str], None] = lambda text: None


@dataclass(frozen=True, slots=True)
class Marker:
    """A word that the firmware wrote to ITM stimulus port 0, and the counts at that moment."""

    value: int
    instructions: int
    cycles: int


@dataclass(frozen=True, slots=True)
class Section:
    """What the firmware took from one marker to the next."""

    first: int
    last: int
    instructions: int
    cycles: int


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """What came of it.

    Attributes:
        end: Why it ended: ``"script"``, ``"exit"``, ``"timeout"``, ``"wall"`` or ``"idle"``.
        exit_code: Of a semihosting exit.
        waiting_for: The text that did not come; None: all came.
        serial: What the firmware sent.
        timing: Name of the model of time behind the cycles.
        instructions: Executed instructions.
        cycles: Core clock cycles, those asleep among them.
        asleep_cycles: Spent in WFI and WFE.
        seconds: Virtual time.
        core_clock_hz: At the end.
        markers: In order.
        faults: In words, in order.
        resets: How often the firmware reset itself.
    """

    end: str
    exit_code: int | None
    waiting_for: str | None
    serial: bytes = field(repr=False)
    timing: str
    instructions: int
    cycles: int
    asleep_cycles: int
    seconds: float
    core_clock_hz: int
    markers: tuple[Marker, ...]
    faults: tuple[str, ...]
    resets: int

    @property
    def sections(self) -> tuple[Section, ...]:
        """Counts between every two markers that follow each other."""
        return tuple(
            Section(
                before.value,
                after.value,
                after.instructions - before.instructions,
                after.cycles - before.cycles,
            )
            for before, after in itertools.pairwise(self.markers)
        )


def run_firmware(board: Board, firmware: Path, options: RunOptions) -> RunOutcome:
    """Run it from power-on until there is a reason to stop.

    Raises:
        EmulatorError: The firmware cannot be read or run, or fails.
        KeyboardInterrupt: Ctrl-C.
    """
    events: list[Event] = []
    spoken = bytearray()

    def hear(byte: int) -> None:
        spoken.append(byte)
        options.out(byte)

    def hear_all(data: bytes) -> None:
        for byte in data:
            hear(byte)

    def note(event: Event) -> None:
        events.append(event)
        if isinstance(event, FaultEvent):
            options.tell(event.fault)

    link = ScriptLink(options.steps, hear, lambda: machine.stop())
    strictness = Strictness(
        tell=None if options.strict else options.tell,
        paced=True,
        uart=options.uart,
        semihosting=hear_all,
    )
    with Machine(board, firmware, link=link, strictness=strictness, on_event=note) as machine:
        with _interruptible(machine):
            end = _run(machine, options)
        waiting = link.waiting_for
        return RunOutcome(
            end=end,
            exit_code=machine.exit_code,
            waiting_for=None if waiting is None else waiting.decode("latin-1"),
            serial=bytes(spoken),
            timing=machine.timing,
            instructions=machine.instructions,
            cycles=machine.cycles,
            asleep_cycles=machine.cycles - machine.awake_cycles,
            seconds=machine.seconds,
            core_clock_hz=machine.core_clock_hz,
            markers=tuple(
                Marker(e.stage, e.instructions, e.cycles)
                for e in events
                if isinstance(e, StageEvent)
            ),
            faults=tuple(e.fault for e in events if isinstance(e, FaultEvent)),
            resets=sum(isinstance(e, ResetEvent) for e in events),
        )


_ENDS = {Stop.REQUESTED: "script", Stop.EXIT: "exit", Stop.IDLE: "idle"}


def _run(machine: Machine, options: RunOptions) -> str:
    deadline = time.monotonic() + options.wall_s
    while machine.seconds < options.timeout_s:
        if time.monotonic() > deadline:
            return "wall"
        left = (options.timeout_s - machine.seconds) * machine.core_clock_hz
        slice_cycles = machine.core_clock_hz // _SLICES_A_SECOND
        stop = machine.run(max_cycles=max(1, min(slice_cycles, int(left) + 1)))
        if stop in _ENDS:
            return _ENDS[stop]
    return "timeout"


@contextmanager
def _interruptible(machine: Machine) -> Iterator[None]:
    """Ctrl-C stops the machine first: raised inside Unicorn's callbacks, it would be lost."""
    pressed = False

    def press(_: int, __: FrameType | None) -> None:
        nonlocal pressed
        pressed = True
        machine.request_stop()

    try:
        before = signal.signal(signal.SIGINT, press)
    except ValueError:  # not in the main thread: nobody presses keys there
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt


def refuse_failure(outcome: RunOutcome) -> None:
    """Make an error of an outcome that is none of success.

    Raises:
        EmulatorError: A text did not come, or the firmware ended itself with a code other than 0.
    """
    if outcome.waiting_for is not None:
        reasons = {
            "timeout": f"within {outcome.seconds:.3f} s of virtual time; give more with --timeout",
            "wall": "before the wall-clock limit; give more with --wall",
            "idle": "and the firmware waits for bytes that nobody sends; send some with --send",
            "exit": "before the firmware ended itself",
        }
        why = reasons.get(outcome.end, "before the end")
        raise EmulatorError(f"{outcome.waiting_for!r} did not come {why}")
    if outcome.exit_code:
        raise EmulatorError(
            f"the firmware ended itself with code {outcome.exit_code}; see what it wrote"
        )
