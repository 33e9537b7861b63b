# SPDX-License-Identifier: Apache-2.0
"""Flash an image and time its models one after the other."""

from __future__ import annotations

import hashlib
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
    LinkError,
    ModelError,
    UnasError,
    UnsupportedOperatorError,
)
from unas.hil.arena_probe import MeasuredModel, claimed_arena, offline_order, verified_arena
from unas.hil.derived import (
    check_counter,
    check_model,
    check_output,
    operator_cycles,
    timed_instructions,
)
from unas.hil.device_info import DeviceInfo
from unas.hil.flash import Flasher, StageMark
from unas.hil.session import Deadlines, RawMeasurement, Session
from unas.hil.transport import SerialTransport, Transport
from unas.record import ArenaUse, HardwareEvent, Measurement


@dataclass(frozen=True, slots=True)
class Procedure:
    """How each model is timed.

    Attributes:
        warmup: Runs between the cold one and the timed ones.
        runs: Timed runs.
        seed: Seed of the input.
        verify_arena: Whether the smallest arena is tried on the device: two more inferences where
            the runtime reports what it needs, dozens where it must be searched.
        max_output_bytes: How many bytes of the output are read and checked; None: all. A single
            operator may have 100 kB of them: ten seconds on a serial line.

    Raises:
        ConfigError: The arena is to be verified, which compares whole outputs, with a part of the
            output.
    """

    warmup: int = 1
    runs: int = 5
    seed: int = 1
    verify_arena: bool = True
    max_output_bytes: int | None = None

    def __post_init__(self) -> None:
        if self.verify_arena and self.max_output_bytes is not None:
            raise ConfigError(
                "verifying the arena compares whole outputs; leave max_output_bytes or "
                "verify_arena out"
            )


@dataclass(frozen=True, slots=True)
class Failure:
    """A model that could not be measured, and why. The other models are measured all the same."""

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
    attempt: int = 1,
    deadlines: Deadlines | None = None,
    open_transport: OpenTransport = SerialTransport,
    log: Callable[[str], None] | None = None,
) -> Iterator[Measurement | Failure]:
    """Measure every model of an image, yielding each result as soon as it is there.

    Args:
        flasher: Puts the image on the unit.
        image: What to flash.
        board: Kind of board.
        models: The image's models in the order of their index.
        procedure: Warm-up, runs and seed.
        first: Index of the first model to measure.
        attempt: How often the image has been flashed to measure the first model, this time
            included; goes into the measurement's events.
        deadlines: How long to wait for answers.
        open_transport: Opens (port, baud).
        log: Takes the device's log lines.

    Raises:
        LinkError: The unit does not answer.
        IdentityError: Another firmware, board or model answers.
        ToolError: Flashing failed.
        EmulatorError: The virtual board stopped.
    """
    connection = _Connection(flasher, image, board, attempt, deadlines, open_transport, log)
    try:
        connection.start()
        for index in range(first, len(models)):
            model, before = models[index], attempt - 1 if index == first else 0
            try:
                yield _measure_one(connection, index, model, procedure, before)
            except (DeviceError, ModelError) as error:
                yield Failure(model.sha256, model.name, _explained(error, model, board))
            except LinkError as error:
                raise _reason_of_failure(flasher, error) from error
    finally:
        connection.close()


class _Connection:
    """A unit that runs one image, and the session with it; can be started again."""

    info: DeviceInfo
    flashed: HardwareEvent

    def __init__(
        self,
        flasher: Flasher,
        image: FirmwareImage,
        board: Board,
        attempt: int,
        deadlines: Deadlines | None,
        open_transport: OpenTransport,
        log: Callable[[str], None] | None,
    ) -> None:
        self.flasher, self.image, self.board = flasher, image, board
        self._attempt = attempt
        self._deadlines, self._open, self._log = deadlines, open_transport, log
        self._transport: Transport | None = None
        self._session: Session | None = None

    def start(self) -> Session:
        """Flash the image, and check that it is what answers."""
        self.close()
        started = time.monotonic()
        port = self.flasher.flash(self.image)
        seconds = round(time.monotonic() - started, 3)
        self.flashed = HardwareEvent("flash", seconds, self._attempt)
        self._transport = self._open(port, self.board.baud)
        self._session = Session(self._transport, self._deadlines, log=self._log)
        try:
            self.info = self._session.hello()
        except LinkError as error:
            raise _reason_of_failure(self.flasher, error) from error
        self.info.check_identity(self.image, self.board)
        self.info.check_setup(self.board)
        return self._session

    def session(self, restart: bool = False) -> Session:
        """The session; with ``restart`` the unit is flashed again first, whatever it does."""
        return self.start() if restart or self._session is None else self._session

    def close(self) -> None:
        """Give the port back."""
        if self._transport is not None:
            self._transport.close()
        self._transport = self._session = None


def _measure_one(
    connection: _Connection,
    index: int,
    model: Flatbuffer,
    procedure: Procedure,
    failed_attempts: int,
) -> Measurement:
    order = offline_order(model.data, connection.info.values.get("kernels", ""))
    raw = connection.session().measure(
        index,
        warmup=procedure.warmup,
        runs=procedure.runs,
        seed=procedure.seed,
        order=order,
        max_output_bytes=procedure.max_output_bytes,
    )
    check_model(raw, model)
    stages = connection.flasher.stages()  # before a trial that might need a restart
    started = time.monotonic()
    timed = HardwareEvent("measure", round(raw.seconds, 3), failed_attempts + raw.tries)
    events = [connection.flashed, timed]
    if procedure.verify_arena:
        measured = MeasuredModel(index, procedure.seed, order, raw)
        arena = verified_arena(connection.session, measured, connection.info)
        events.append(HardwareEvent("verify arena", round(time.monotonic() - started, 3)))
    else:
        arena = claimed_arena(raw, connection.info)
    return _measurement(connection, model, procedure, raw, stages, arena, tuple(events))


def _measurement(
    connection: _Connection,
    model: Flatbuffer,
    procedure: Procedure,
    raw: RawMeasurement,
    stages: Sequence[StageMark],
    arena: ArenaUse,
    events: tuple[HardwareEvent, ...],
) -> Measurement:
    flasher, image, info = connection.flasher, connection.image, connection.info
    clock_hz = info.number("core_clock_hz")
    check_counter(raw, clock_hz, flasher.provenance)
    return Measurement(
        model_sha256=model.sha256,
        model_name=model.name,
        flatbuffer_bytes=model.flatbuffer_bytes,
        provenance=flasher.provenance,
        timing=flasher.timing,
        board_id=connection.board.id,
        runtime=image.runtime,
        runtime_revision=info.text("runtime_revision"),
        kernels=info.text("kernels"),
        unit=info.unit,
        clock_hz=clock_hz,
        cold_cycles=raw.number("cold_cycles"),
        samples_cycles=raw.samples,
        operators=operator_cycles(raw, stages),
        profiled_cycles=raw.number("profiled_cycles"),
        instructions=timed_instructions(stages),
        arena=arena,
        flash_bytes=image.flash_bytes,
        region_bytes=image.region_bytes,
        program_bytes=image.program_bytes,
        output=check_output(model, raw, procedure.seed, procedure.max_output_bytes),
        output_sha256=hashlib.sha256(raw.output).hexdigest(),
        input_seed=procedure.seed,
        warmup=procedure.warmup,
        info=dict(info.values),
        events=events,
    )


def _reason_of_failure(flasher: Flasher, error: LinkError) -> UnasError:
    """Why the line failed: the unit has stopped, where it can tell, else the line's own error."""
    failure = flasher.failure()
    return error if failure is None else EmulatorError(failure)


def _explained(error: UnasError, model: Flatbuffer, board: Board) -> UnasError:
    advice = {
        UnsupportedOperatorError: "use only operators the runtime has a kernel for",
        ArenaTooSmallError: f"{board.id} has {board.ram_bytes} B of RAM; use a smaller network",
        ModelError: "convert it again with TFLiteConverter, fully int8",
    }.get(type(error), "please report it with the model")
    return type(error)(f"{model.name}: {error}; {advice}")
