# SPDX-License-Identifier: Apache-2.0
"""Flash an image, time its models one after the other, check every output."""

from __future__ import annotations

import hashlib
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from unas.artifact import FirmwareImage, Flatbuffer
from unas.board import Board
from unas.errors import (
    ArenaTooSmallError,
    ConfigError,
    DeviceError,
    EmulatorError,
    IdentityError,
    LinkError,
    ModelError,
    UnasError,
    UnsupportedOperatorError,
)
from unas.hil.arena_probe import Task, claimed_arena, verified_arena
from unas.hil.device_info import DeviceInfo
from unas.hil.flash import Flasher, StageMark
from unas.hil.offline_plan import offline_order
from unas.hil.session import Deadlines, RawMeasurement, Session
from unas.hil.transport import SerialTransport, Transport
from unas.host.reference import golden_output
from unas.host.seeded_input import seeded_input
from unas.record import (
    ArenaUse,
    HardwareEvent,
    Measurement,
    OperatorCycles,
    OutputCheck,
    Provenance,
)

_STAGE_TIMED = 4
_STAGE_BETWEEN = 5
_STAGE_PROFILED = 6


@dataclass(frozen=True, slots=True)
class Procedure:
    """How each model is timed.

    Attributes:
        warmup: Runs between the cold one and the timed ones.
        runs: Timed runs.
        seed: Seed of the input.
        verify_arena: Whether the smallest arena is tried on the device: two more inferences where
            the runtime says what it needs, dozens where it must be searched.
        most_output_bytes: How many bytes of the output are read and checked; None: all. A single
            operator may have 100 kB of them: ten seconds on a serial line.

    Raises:
        ConfigError: A trial of the arena compares whole outputs.
    """

    warmup: int = 1
    runs: int = 5
    seed: int = 1
    verify_arena: bool = True
    most_output_bytes: int | None = None

    def __post_init__(self) -> None:
        if self.verify_arena and self.most_output_bytes is not None:
            raise ConfigError(
                "a trial of the arena compares whole outputs; read all of them, or leave it out"
            )


@dataclass(frozen=True, slots=True)
class Failure:
    """A model that could not be measured, and why. The others go on."""

    model_sha256: str
    model_name: str
    error: UnasError


OpenTransport = Callable[[str, int], Transport]


def measure_image(
    flasher: Flasher,
    image: FirmwareImage,
    board: Board,
    models: Sequence[Flatbuffer],
    procedure: Procedure,
    *,
    first: int = 0,
    deadlines: Deadlines | None = None,
    open_transport: OpenTransport = SerialTransport,
    log: Callable[[str], None] | None = None,
) -> Iterator[Measurement | Failure]:
    """Measure every model of an image, yielding each as soon as it is there.

    Args:
        flasher: Puts the image on the unit.
        image: What to flash.
        board: Kind of board.
        models: The image's models in the order of their index.
        procedure: Warm-up, runs and seed.
        first: Index of the first model to measure.
        deadlines: How long to wait for answers.
        open_transport: Opens (port, baud).
        log: Takes the device's log lines.

    Raises:
        LinkError: The unit does not answer.
        IdentityError: Something else answers.
        ToolError: Flashing failed.
        EmulatorError: The virtual board stopped.
    """
    line = _Line(flasher, image, board, deadlines, open_transport, log)
    try:
        line.start()
        for index, model in list(enumerate(models))[first:]:
            try:
                yield _measure_one(line, index, model, procedure)
            except (DeviceError, ModelError) as error:
                yield Failure(model.sha256, model.name, _explained(error, model, board))
            except LinkError as error:
                raise _unit_stopped(flasher, error) from error
    finally:
        line.close()


class _Line:
    """The way to one unit with one image: can be started anew."""

    info: DeviceInfo
    flashed: HardwareEvent

    def __init__(
        self,
        flasher: Flasher,
        image: FirmwareImage,
        board: Board,
        deadlines: Deadlines | None,
        open_transport: OpenTransport,
        log: Callable[[str], None] | None,
    ) -> None:
        self.flasher, self.image, self.board = flasher, image, board
        self._deadlines, self._open, self._log = deadlines, open_transport, log
        self._transport: Transport | None = None
        self._session: Session | None = None

    def start(self) -> Session:
        """Flash, and make sure that it is what answers."""
        self.close()
        started = time.monotonic()
        port = self.flasher.flash(self.image)
        self.flashed = HardwareEvent("flash", round(time.monotonic() - started, 3))
        self._transport = self._open(port, self.board.baud)
        self._session = Session(self._transport, self._deadlines, log=self._log)
        try:
            self.info = self._session.hello()
        except LinkError as error:
            raise _unit_stopped(self.flasher, error) from error
        self.info.check_identity(self.image, self.board)
        self.info.check_setup(self.board)
        return self._session

    def session(self, anew: bool = False) -> Session:
        """The session; with ``anew`` the unit is started again, whatever it is at."""
        return self.start() if anew or self._session is None else self._session

    def close(self) -> None:
        """Let go of the port."""
        if self._transport is not None:
            self._transport.close()
        self._transport = self._session = None


def _measure_one(line: _Line, index: int, model: Flatbuffer, procedure: Procedure) -> Measurement:
    order = offline_order(model.data, line.info.values.get("kernels", ""))
    raw = line.session().measure(
        index,
        warmup=procedure.warmup,
        runs=procedure.runs,
        seed=procedure.seed,
        order=order,
        most_output_bytes=procedure.most_output_bytes,
    )
    _check_model(raw, model)
    stages = line.flasher.stages()  # before a trial that might need a fresh start
    started = time.monotonic()
    events = [line.flashed, HardwareEvent("measure", round(raw.seconds, 3))]
    if procedure.verify_arena:
        arena = verified_arena(line.session, Task(index, procedure.seed, order, raw), line.info)
        events.append(HardwareEvent("verify arena", round(time.monotonic() - started, 3)))
    else:
        arena = claimed_arena(raw, line.info)
    return _measurement(line, model, procedure, raw, stages, arena, tuple(events))


def _check_model(raw: RawMeasurement, model: Flatbuffer) -> None:
    """An image carries hundreds of models: what was timed must be what was asked for."""
    timed = raw.summary.get("model", "")
    if timed != model.sha256:
        raise IdentityError(
            f"the device timed model {timed[:16] or 'without a name'}, asked for was "
            f"{model.sha256[:16]} ({model.name}); report it with the image"
        )


def _unit_stopped(flasher: Flasher, error: LinkError) -> UnasError:
    failure = flasher.failure()
    return error if failure is None else EmulatorError(failure)


def _explained(error: UnasError, model: Flatbuffer, board: Board) -> UnasError:
    advice = {
        UnsupportedOperatorError: "use only operators the runtime has a kernel for",
        ArenaTooSmallError: f"{board.id} has {board.ram_bytes} B of RAM; use a smaller network",
        ModelError: "convert it again with TFLiteConverter, fully int8",
    }.get(type(error), "please report it with the model")
    return type(error)(f"{model.name}: {error}; {advice}")


def _measurement(
    line: _Line,
    model: Flatbuffer,
    procedure: Procedure,
    raw: RawMeasurement,
    stages: Sequence[StageMark],
    arena: ArenaUse,
    events: tuple[HardwareEvent, ...],
) -> Measurement:
    flasher, image, board, info = line.flasher, line.image, line.board, line.info
    clock_hz = info.number("core_clock_hz")
    _check_counter(raw, clock_hz, flasher.provenance)
    operators = _operators(raw, stages)
    return Measurement(
        model_sha256=model.sha256,
        model_name=model.name,
        flatbuffer_bytes=model.flatbuffer_bytes,
        provenance=flasher.provenance,
        timing=flasher.timing,
        board_id=board.id,
        runtime=image.runtime,
        runtime_revision=info.text("runtime_revision"),
        kernels=info.text("kernels"),
        unit=info.unit,
        clock_hz=clock_hz,
        cold_cycles=raw.number("cold_cycles"),
        samples_cycles=raw.samples,
        operators=operators,
        profiled_cycles=raw.number("profiled_cycles"),
        instructions=_instructions(stages),
        arena=arena,
        flash_bytes=image.flash_bytes,
        region_bytes=image.region_bytes,
        program_bytes=image.program_bytes,
        output=_check_output(model, raw, procedure),
        output_sha256=hashlib.sha256(raw.output).hexdigest(),
        input_seed=procedure.seed,
        warmup=procedure.warmup,
        info=dict(info.values),
        events=events,
    )


def _check_counter(raw: RawMeasurement, clock_hz: int, provenance: Provenance) -> None:
    """The 32-bit cycle counter wraps; a run longer than one lap would look short."""
    profiled = raw.number("profiled_cycles")
    if raw.marks and abs(profiled - statistics.median(raw.samples)) > 1 << 31:
        raise DeviceError(
            "one inference outlasts the 32-bit cycle counter, so its samples are not trustworthy; "
            "measure a smaller network"
        )
    claimed_s = sum(raw.samples) / clock_hz
    # The host's time spans all runs and more: on silicon it is never the shorter one.
    if provenance is Provenance.MEASURED and claimed_s > raw.seconds * 1.02 + 0.05:
        raise DeviceError(
            f"the device claims {claimed_s:.3f} s of timed runs, the host saw {raw.seconds:.3f} s; "
            "its clock is not what it says: check the clock source"
        )


def _instructions(stages: Sequence[StageMark]) -> int | None:
    """Executed instructions of the last timed run, from its two marks on the trace port."""
    for start, end in zip(reversed(stages[:-1]), reversed(stages[1:]), strict=True):
        if start.stage == _STAGE_TIMED and end.stage == _STAGE_BETWEEN:
            return end.instructions - start.instructions
    return None


def _operators(raw: RawMeasurement, stages: Sequence[StageMark]) -> tuple[OperatorCycles, ...]:
    """Shares of the profiled run, with instructions where the trace port was seen.

    The firmware enters the stage once at the run's start and once more at each of its marks.
    """
    profiled = [mark.instructions for mark in stages if mark.stage == _STAGE_PROFILED]
    seen = profiled[-len(raw.marks) :] if len(profiled) > len(raw.marks) else None
    return tuple(
        OperatorCycles(
            index=i,
            name=name,
            cycles=raw.marks[i + 1] - raw.marks[i],
            instructions=None if seen is None else seen[i + 1] - seen[i],
        )
        for i, name in enumerate(raw.operators)
        if i + 1 < len(raw.marks)
    )


def _check_output(model: Flatbuffer, raw: RawMeasurement, procedure: Procedure) -> OutputCheck:
    output, most = raw.output, procedure.most_output_bytes
    golden = golden_output(model.data, seeded_input(raw.number("input_bytes"), procedure.seed))
    expected = golden.output[:most]
    if len(expected) != len(output):
        return OutputCheck(golden.source, len(output), max(len(expected), len(output)))
    mismatches = sum(a != b for a, b in zip(expected, output, strict=True))
    return OutputCheck(golden.source, len(output), mismatches)
