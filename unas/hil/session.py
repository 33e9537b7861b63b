# SPDX-License-Identifier: Apache-2.0
"""An open dialogue with a device: requests, retries, a deadline on every step."""

from __future__ import annotations

import secrets
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from unas.errors import (
    ArenaTooSmallError,
    DeviceError,
    DeviceFaultError,
    LinkClosedError,
    LinkError,
    LinkTimeoutError,
    ModelError,
    UnsupportedOperatorError,
)
from unas.hil.device_info import DeviceInfo, parse_lines
from unas.hil.transport import Transport
from unas.hil.wire import ErrorCode, Frame, FrameDecoder, ReadWhat, Type, encode

_DATA_HEADER = struct.Struct("<BII")
_RUNTIME_ERRORS: dict[int, type[DeviceError] | type[ModelError]] = {
    ErrorCode.BAD_MODEL: ModelError,
    ErrorCode.UNSUPPORTED_OPERATOR: UnsupportedOperatorError,
    ErrorCode.ARENA_TOO_SMALL: ArenaTooSmallError,
}


def _packed(order: Sequence[int]) -> bytes:
    return struct.pack(f"<{len(order)}H", *order)


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds the host waits for each kind of answer, and how often it asks."""

    answer_s: float = 2.0
    boot_s: float = 10.0
    measure_s: float = 300.0
    tries: int = 3


@dataclass(frozen=True, slots=True)
class RawMeasurement:
    """What the device returns for one model: cycles and bytes, nothing derived.

    Attributes:
        summary: Lines ``key=value`` of SUMMARY.
        samples: Cycles of each timed run.
        marks: Cycle counter at the start of the profiled run and after each of its operators.
        operators: Names of the operators, in execution order.
        output: Bytes of the output tensor, or their beginning.
        seconds: Of the host, from STARTED to DONE.
        tries: How often the measurement was requested before it started.
    """

    summary: dict[str, str]
    samples: tuple[int, ...]
    marks: tuple[int, ...]
    operators: tuple[str, ...]
    output: bytes
    seconds: float
    tries: int = 1

    def number(self, key: str) -> int:
        """A value of the summary.

        Raises:
            LinkError: It is missing or no number.
        """
        value = self.summary.get(key, "")
        if not value.isdigit():
            raise LinkError(f"the device's SUMMARY has {key}={value!r}; flash the firmware again")
        return int(value)


@dataclass(frozen=True, slots=True)
class ArenaTrial:
    """One inference in an arena of a given size.

    Attributes:
        status: 0, or why the runtime refused: ``ErrorCode`` less 100.
        intact: No byte of the board's arena beyond that size was touched.
        used_bytes: Size that the runtime reports as used.
        output_bytes: Size of the output.
        output_crc32: CRC-32 of the output.
    """

    status: int
    intact: bool
    used_bytes: int
    output_bytes: int
    output_crc32: int


class Session:
    """Talks to one device over one transport."""

    def __init__(
        self,
        transport: Transport,
        deadlines: Deadlines | None = None,
        *,
        log: Callable[[str], None] | None = None,
    ) -> None:
        self._transport = transport
        self._deadlines = deadlines or Deadlines()
        self._decoder = FrameDecoder()
        self._frames: list[Frame | None] = []
        self._sequence = 0
        self._asked = 0  # how often the last request was sent
        self._log = log or (lambda _text: None)

    def hello(self) -> DeviceInfo:
        """Ask who is there, until it answers to this very question.

        Raises:
            LinkClosedError: The line is closed.
            LinkTimeoutError: Nothing answered in time.
        """
        nonce = secrets.randbits(32)
        end = time.monotonic() + self._deadlines.boot_s
        while time.monotonic() < end:
            self._sequence = (self._sequence + 1) % 256
            self._send(Type.HELLO, struct.pack("<I", nonce))
            try:
                frame = self._answer(Type.INFO, min(self._deadlines.answer_s, 1.0))
            except LinkClosedError:
                raise
            except LinkError:
                continue
            info = DeviceInfo(parse_lines(frame.payload, "INFO"))
            if info.values.get("nonce") == str(nonce):
                return info
        raise LinkTimeoutError(
            f"no answer to HELLO within {self._deadlines.boot_s:.0f} s; check that the firmware is "
            "flashed, the board is powered and the port is the right one"
        )

    def measure(
        self,
        model: int,
        *,
        warmup: int,
        runs: int,
        seed: int,
        order: Sequence[int] = (),
        max_output_bytes: int | None = None,
    ) -> RawMeasurement:
        """Time one model of the image.

        Args:
            model: Index in the image.
            warmup: Runs before the timed ones, after the cold one.
            runs: Timed runs.
            seed: Seed of the input.
            order: Buffers in the order to place them in the arena, if the runtime takes advice.
            max_output_bytes: How many bytes of the output are read; None: all.

        Raises:
            LinkError: The line failed, or the deadline passed.
            DeviceFaultError: The device reset itself meanwhile.
            ModelError: The runtime does not accept the model.
            ArenaTooSmallError: It does not fit the RAM.
            DeviceError: Any other refusal.
        """
        payload = struct.pack("<HHHI", model, warmup, runs, seed)
        self._ask(Type.MEASURE, payload + _packed(order), Type.STARTED)
        tries, started = self._asked, time.monotonic()
        self._wait_until_done(self._deadlines.measure_s)
        seconds = time.monotonic() - started
        summary = self._read_all(ReadWhat.SUMMARY)
        samples = self._read_all(ReadWhat.SAMPLES)
        marks = self._read_all(ReadWhat.MARKS)
        return RawMeasurement(
            summary=parse_lines(summary, "SUMMARY"),
            samples=struct.unpack(f"<{len(samples) // 8}Q", samples),
            marks=struct.unpack(f"<{len(marks) // 8}Q", marks),
            operators=tuple(self._read_all(ReadWhat.OPERATORS).decode("ascii").split()),
            output=self._read_all(ReadWhat.OUTPUT, max_output_bytes),
            seconds=seconds,
            tries=tries,
        )

    def try_arena(
        self,
        model: int,
        *,
        seed: int,
        arena_bytes: int,
        order: Sequence[int] = (),
        deadline_s: float | None = None,
    ) -> ArenaTrial:
        """Run one inference in an arena of a given size. The device drops its last measurement.

        Args:
            model: Index in the image.
            seed: Seed of the input.
            arena_bytes: Size of the arena; no more than the board has.
            order: As for ``measure``.
            deadline_s: How long it may take; as long as a measurement if None.

        Raises:
            LinkError: The line failed, or the deadline passed.
            DeviceFaultError: The device reset itself meanwhile.
            DeviceError: It refuses the request.
        """
        payload = struct.pack("<HII", model, seed, arena_bytes)
        self._ask(Type.TRY, payload + _packed(order), Type.STARTED)
        self._wait_until_done(self._deadlines.measure_s if deadline_s is None else deadline_s)
        lines = parse_lines(self._read_all(ReadWhat.TRIAL), "TRIAL")
        keys = ("status", "intact", "arena_used_bytes", "output_bytes", "output_crc32")
        try:
            status, intact, used, size, crc = (int(lines[key]) for key in keys)
        except (KeyError, ValueError) as error:
            raise LinkError(f"the device's TRIAL is broken ({error}); flash it again") from error
        return ArenaTrial(status, bool(intact), used, size, crc)

    def reset(self) -> None:
        """Restart the device; the next step is ``hello``."""
        self._send(Type.RESET, b"")

    def _wait_until_done(self, timeout_s: float) -> None:
        """Wait for DONE. A device that restarts instead sends BOOT: find out why.

        A frame that came broken can only have been DONE: the device is silent until then, and what
        it has to send waits to be read.
        """
        frame = self._next({Type.DONE, Type.BOOT}, timeout_s, or_broken=True)
        if frame is None or frame.type == Type.DONE:
            return
        self.hello().raise_fault()
        raise DeviceFaultError(
            "the device reset itself while measuring and kept no record of a fault; "
            "check its power supply"
        )

    def _read_all(self, what: ReadWhat, max_bytes: int | None = None) -> bytes:
        collected = bytearray()
        while True:
            payload = struct.pack("<BI", what, len(collected))
            data = self._ask(Type.READ, payload, Type.DATA).payload
            if len(data) < _DATA_HEADER.size:
                raise LinkError("a DATA frame is too short; flash the firmware again")
            kind, offset, total = _DATA_HEADER.unpack_from(data)
            chunk = data[_DATA_HEADER.size :]
            if kind != what or offset != len(collected):
                raise LinkError("a DATA frame answers another READ; flash the firmware again")
            collected += chunk
            if len(collected) >= (total if max_bytes is None else min(total, max_bytes)):
                return bytes(collected[:max_bytes])
            if not chunk:
                raise LinkError("a DATA frame is empty before the end; flash the firmware again")

    def _ask(self, kind: Type, payload: bytes, answer: Type) -> Frame:
        """Send a request and wait for its answer; repeat it where either came broken or not at all.

        A repeated request keeps its sequence number: an answer to any of its copies is one.

        Raises:
            LinkClosedError: The line is closed.
            LinkError: The last try failed.
        """
        self._sequence = (self._sequence + 1) % 256
        self._asked = 0
        while True:
            self._asked += 1
            self._send(kind, payload)
            try:
                return self._answer(answer, self._deadlines.answer_s)
            except LinkClosedError:
                raise
            except LinkError as error:
                if self._asked >= self._deadlines.tries:
                    raise type(error)(f"{error} (asked {self._asked} times)") from error

    def _send(self, kind: Type, payload: bytes) -> None:
        self._frames.clear()
        self._transport.write(encode(Frame(kind, self._sequence, payload)))

    def _answer(self, expected: Type, timeout_s: float) -> Frame:
        frame = self._next({expected}, timeout_s)
        assert frame is not None  # only where broken frames were asked for
        return frame

    def _next(
        self, wanted: set[Type], timeout_s: float, *, or_broken: bool = False
    ) -> Frame | None:
        """The next frame of a wanted type that answers the last request (BOOT answers none).

        Returns:
            None for a frame that came broken, if ``or_broken``.

        Raises:
            LinkTimeoutError: None came in time.
            LinkClosedError: The line is closed.
        """
        end = time.monotonic() + timeout_s
        while True:
            while self._frames:
                frame = self._frames.pop(0)
                if frame is None:
                    if or_broken:
                        return None
                elif frame.type == Type.LOG:
                    self._log(frame.payload.decode("utf-8", "replace"))
                elif frame.type == Type.ERROR:
                    self._raise(frame)
                elif frame.type in wanted and (
                    frame.sequence == self._sequence or frame.type == Type.BOOT
                ):
                    return frame
            remaining = end - time.monotonic()
            if remaining <= 0:
                names = " or ".join(sorted(kind.name for kind in wanted))
                raise LinkTimeoutError(
                    f"no {names} within {timeout_s:g} s; check cable and power supply"
                )
            self._frames += self._decoder.feed(self._transport.read(min(remaining, 0.5)))

    def _raise(self, frame: Frame) -> None:
        if len(frame.payload) < 2:
            raise LinkError("an ERROR frame is too short; flash the firmware again")
        code = int.from_bytes(frame.payload[:2], "little")
        text = frame.payload[2:].decode("utf-8", "replace")
        if code == ErrorCode.FRAME:
            raise LinkError("the device received a broken frame; check the cable")
        if frame.sequence != self._sequence:
            return
        raise _RUNTIME_ERRORS.get(code, DeviceError)(text)
