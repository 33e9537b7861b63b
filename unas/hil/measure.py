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
    DeviceError,
    EmulatorError,
    LinkError,
    ModelError,
    UnasError,
    UnsupportedOperatorError,
)
from unas.hil.flasher import Flasher, StageMark
from unas.hil.golden import golden_output
from unas.hil.info import DeviceInfo
from unas.hil.seeded import seeded_input
from unas.hil.session import Deadlines, RawMeasurement, Session
from unas.hil.transport import SerialTransport, Transport
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


@dataclass(frozen=True, slots=True)
class Procedure:
    """How each model is timed.

    Attributes:
        warmup: Runs between the cold one and the timed ones.
        runs: Timed runs.
        seed: Seed of the input.
    """

    warmup: int = 1
    runs: int = 5
    seed: int = 1


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
    started = time.monotonic()
    port = flasher.flash(image)
    flashed = HardwareEvent("flash", round(time.monotonic() - started, 3))
    transport = open_transport(port, board.baud)
    try:
        session = Session(transport, deadlines, log=log)
        info = _introduce(session, flasher, image, board)
        for index, model in list(enumerate(models))[first:]:
            try:
                raw = session.measure(
                    index, warmup=procedure.warmup, runs=procedure.runs, seed=procedure.seed
                )
                yield _measurement(flasher, image, model, board, procedure, info, raw, flashed)
            except (DeviceError, ModelError) as error:
                yield Failure(model.sha256, model.name, _explained(error, model, board))
            except LinkError as error:
                raise _unit_stopped(flasher, error) from error
    finally:
        transport.close()


def _introduce(
    session: Session, flasher: Flasher, image: FirmwareImage, board: Board
) -> DeviceInfo:
    try:
        info = session.hello()
    except LinkError as error:
        raise _unit_stopped(flasher, error) from error
    info.check_identity(image, board)
    info.check_setup(board)
    return info


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
    flasher: Flasher,
    image: FirmwareImage,
    model: Flatbuffer,
    board: Board,
    procedure: Procedure,
    info: DeviceInfo,
    raw: RawMeasurement,
    flashed: HardwareEvent,
) -> Measurement:
    clock_hz = info.number("core_clock_hz")
    _check_counter(raw, clock_hz, flasher.provenance)
    operators = tuple(
        OperatorCycles(i, name, raw.marks[i + 1] - raw.marks[i])
        for i, name in enumerate(raw.operators)
        if i + 1 < len(raw.marks)
    )
    return Measurement(
        model_sha256=model.sha256,
        model_name=model.name,
        flatbuffer_bytes=model.flatbuffer_bytes,
        provenance=flasher.provenance,
        timing=flasher.timing,
        board_id=board.id,
        unit=info.unit,
        clock_hz=clock_hz,
        cold_cycles=raw.number("cold_cycles"),
        samples_cycles=raw.samples,
        operators=operators,
        profiled_cycles=raw.number("profiled_cycles"),
        instructions=_instructions(flasher.stages()),
        arena=_arena(raw, info),
        flash_bytes=image.flash_bytes,
        region_bytes=image.region_bytes,
        output=_check_output(model, raw, procedure.seed),
        output_sha256=hashlib.sha256(raw.output).hexdigest(),
        input_seed=procedure.seed,
        warmup=procedure.warmup,
        info=dict(info.values),
        events=(flashed, HardwareEvent("measure", round(raw.seconds, 3))),
    )


def _arena(raw: RawMeasurement, info: DeviceInfo) -> ArenaUse:
    return ArenaUse(
        used_bytes=raw.number("arena_used_bytes"),
        tensor_bytes=raw.number("arena_tensor_bytes"),
        scratch_bytes=raw.number("arena_scratch_bytes"),
        persistent_bytes=raw.number("arena_persistent_bytes"),
        capacity_bytes=info.number("arena_capacity_bytes"),
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


def _check_output(model: Flatbuffer, raw: RawMeasurement, seed: int) -> OutputCheck:
    output = raw.output
    golden = golden_output(model.data, seeded_input(raw.number("input_bytes"), seed))
    if len(golden.output) != len(output):
        return OutputCheck(golden.source, len(output), max(len(golden.output), len(output)))
    mismatches = sum(a != b for a, b in zip(golden.output, output, strict=True))
    return OutputCheck(golden.source, len(output), mismatches)
