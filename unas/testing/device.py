# SPDX-License-Identifier: Apache-2.0
"""A device that speaks the wire protocol in memory, and misbehaves on demand."""

from __future__ import annotations

import struct
import zlib
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from unas.artifact import FirmwareImage
from unas.board import Board
from unas.errors import LinkClosedError
from unas.hil.wire import PROTOCOL, ErrorCode, Frame, FrameDecoder, ReadWhat, Type, encode


class LineFault(Enum):
    """One misbehaviour; each is used up by the answer it spoils."""

    DROP = auto()  # the answer gets lost
    CORRUPT = auto()  # one bit of the answer flips
    GARBLED = auto()  # the request comes broken, and the answer says so
    NOISE = auto()  # bytes that are no frame come before it
    LOG = auto()  # a log frame comes before it
    STALE = auto()  # the answer of an earlier request comes before it
    RESET = auto()  # the device restarts instead of answering
    GONE = auto()  # the line breaks


@dataclass
class FakeDevice:
    """Answers requests from fixed data.

    Attributes:
        info: Values of INFO, without the nonce.
        samples: Cycles of timed runs; as many as asked for are returned.
        operators: (name, cycles) of the profiled run.
        output: Output bytes.
        refusal: (code, text) of the ERROR that answers MEASURE, if any.
        faults: What to do to the next answers, in order; None is a good answer.
        fault_record: Values of INFO about a fault before the last reset.
        models: Digests of the image's models; a summary names the one that was measured.
        arena_needed: The smallest arena the model runs in.
        arena_claimed: The size that it reports as used.
        arena_exact: Whether it reports that less will not do.
        hangs_below: In a smaller arena it never answers again until it is restarted.
        leaks: It writes beyond the arena of a trial.
        trial_output: Output bytes of a trial, if not those of the measurement.
        starts: How often it was started.
        measured: How many measurements were requested.
        tried: Sizes of the arenas that were tried.
        orders: The order given with each measurement and trial.
    """

    info: Mapping[str, str] = field(default_factory=dict)
    samples: Sequence[int] = (1000, 1001, 1002)
    operators: Sequence[tuple[str, int]] = (("CONV_2D", 700), ("SOFTMAX", 300))
    output: bytes = bytes(range(10))
    refusal: tuple[int, str] | None = None
    faults: deque[LineFault | None] = field(default_factory=deque)
    fault_record: Mapping[str, str] = field(default_factory=dict)
    models: Sequence[str] = ()
    arena_needed: int = 2048
    arena_claimed: int = 2048
    arena_exact: bool = True
    hangs_below: int = 0
    leaks: bool = False
    trial_output: bytes | None = None
    starts: int = 0
    measured: int = 0
    tried: list[int] = field(default_factory=list)
    orders: list[tuple[int, ...]] = field(default_factory=list)
    _hung: bool = False
    _measured_runs: int = 0
    _measured_model: int = 0

    def start(self) -> None:
        """Restart, as after flashing."""
        self._hung = False
        self.starts += 1

    def answer(self, request: Frame) -> list[bytes]:
        """Byte strings that go back for a request."""
        if self._hung:
            return []
        fault = self.faults.popleft() if self.faults else None
        if fault is LineFault.GONE:
            raise LinkClosedError("serial port fake is gone; plug the board in again")
        if fault is LineFault.DROP:
            return []
        if fault is LineFault.GARBLED:
            return [encode(Frame(Type.ERROR, request.sequence, struct.pack("<H", ErrorCode.FRAME)))]
        if fault is LineFault.RESET:
            begun = [Frame(Type.STARTED, request.sequence)] if request.type == Type.MEASURE else []
            return [encode(frame) for frame in (*begun, Frame(Type.BOOT, 0))]
        good = b"".join(encode(frame) for frame in self._frames(request))
        if fault is LineFault.CORRUPT:
            spoiled = bytearray(good)
            spoiled[len(spoiled) // 2] ^= 0x40
            return [bytes(spoiled)]
        before = {
            LineFault.NOISE: b"\x07garbage\0\0",
            LineFault.LOG: encode(Frame(Type.LOG, 0, b"hello from the device")),
            LineFault.STALE: encode(Frame(Type.DATA, (request.sequence - 1) % 256, bytes(12))),
        }
        return [before[fault], good] if fault in before else [good]

    def _frames(self, request: Frame) -> list[Frame]:
        def reply(kind: Type, payload: bytes = b"") -> Frame:
            return Frame(kind, request.sequence, payload)

        if request.type == Type.HELLO:
            (nonce,) = struct.unpack("<I", request.payload)
            lines = {"nonce": str(nonce), **self.info, **self.fault_record}
            return [reply(Type.INFO, _lines(lines))]
        if request.type == Type.MEASURE:
            self._measured_model, _, self._measured_runs, _ = struct.unpack_from(
                "<HHHI", request.payload
            )
            self.orders.append(_order(request.payload))
            self.measured += 1
            if self.refusal is not None:
                code, text = self.refusal
                error = reply(Type.ERROR, struct.pack("<H", code) + text.encode())
                return [reply(Type.STARTED), error]
            return [reply(Type.STARTED), reply(Type.DONE)]
        if request.type == Type.TRY:
            self.tried.append(struct.unpack_from("<HII", request.payload)[2])
            self.orders.append(_order(request.payload))
            self._hung = self.tried[-1] < self.hangs_below
            answers = [reply(Type.STARTED), reply(Type.DONE)]
            return answers[:1] if self._hung else answers
        if request.type == Type.READ:
            what, offset = struct.unpack("<BI", request.payload)
            content = self._content(ReadWhat(what))
            chunk = content[offset : offset + 16]
            return [reply(Type.DATA, struct.pack("<BII", what, offset, len(content)) + chunk)]
        return [reply(Type.ERROR, struct.pack("<H", ErrorCode.REQUEST) + b"unknown request")]

    def _summary(self) -> dict[str, str]:
        total = sum(cycles for _, cycles in self.operators)
        known = self._measured_model < len(self.models)
        return {
            "model": self.models[self._measured_model] if known else "",
            "input_bytes": "10",
            "cold_cycles": "1500",
            "samples": str(self._measured_runs),
            "operators": str(len(self.operators)),
            "profiled_cycles": str(total),
            "arena_used_bytes": str(self.arena_claimed),
            "arena_tensor_bytes": "1024",
            "arena_scratch_bytes": "512",
            "arena_persistent_bytes": "512",
            "arena_bound_bytes": "1500",
            "arena_plan": "greedy",
            "arena_exact": str(int(self.arena_exact)),
        }

    def _trial(self) -> dict[str, str]:
        fits = self.tried[-1] >= self.arena_needed
        output = self.output if self.trial_output is None else self.trial_output
        return {
            "status": "0" if fits else "3",
            "intact": str(int(not self.leaks)),
            "arena_used_bytes": str(self.arena_claimed if fits else 0),
            "output_bytes": str(len(output) if fits else 0),
            "output_crc32": str(zlib.crc32(output) if fits else 0),
        }

    def _content(self, what: ReadWhat) -> bytes:
        if what is ReadWhat.SAMPLES:
            runs = [self.samples[i % len(self.samples)] for i in range(self._measured_runs)]
            return struct.pack(f"<{len(runs)}Q", *runs)
        if what is ReadWhat.MARKS:
            marks = [5]
            for _, cycles in self.operators:
                marks.append(marks[-1] + cycles)
            return struct.pack(f"<{len(marks)}Q", *marks)
        if what is ReadWhat.SUMMARY:
            return _lines(self._summary())
        if what is ReadWhat.TRIAL:
            return _lines(self._trial())
        if what is ReadWhat.OPERATORS:
            return "".join(f"{name}\n" for name, _ in self.operators).encode()
        return self.output


def matching_info(board: Board, image: FirmwareImage) -> dict[str, str]:
    """INFO of a device that is the board and runs the image."""
    return {
        "protocol": str(PROTOCOL),
        "board": board.id,
        "image_hash": image.image_hash,
        "runtime": image.runtime_on_device,
        "runtime_revision": image.runtime_revision or "1",
        "kernels": image.kernels or "plain",
        "model_count": str(len(image.models)),
        "core_clock_hz": str(board.core_clock_hz),
        "cpuid": f"{board.cpu.cpuid:08x}",
        "device_id": f"{board.cpu.device_id:08x}",
        "icache": str(int(board.cpu.icache_bytes > 0)),
        "dcache": str(int(board.cpu.dcache_bytes > 0)),
        "uid": "00" * 12,
        "arena_capacity_bytes": str(board.ram_bytes),
    }


def _order(payload: bytes) -> tuple[int, ...]:
    """What stands behind the ten bytes of MEASURE and of TRY."""
    return struct.unpack(f"<{(len(payload) - 10) // 2}H", payload[10:])


def _lines(values: Mapping[str, str]) -> bytes:
    return "".join(f"{key}={value}\n" for key, value in values.items()).encode()


class FakeTransport:
    """A transport whose other end is a ``FakeDevice``; time passes only in ``read``."""

    def __init__(self, device: FakeDevice) -> None:
        self._device = device
        device.start()
        self._decoder = FrameDecoder()
        self._incoming: deque[bytes] = deque()
        self._closed = False

    def write(self, data: bytes) -> None:
        """Hand bytes to the device."""
        self._check_open()
        for frame in filter(None, self._decoder.feed(data)):
            self._incoming.extend(self._device.answer(frame))

    def read(self, timeout_s: float) -> bytes:
        """Bytes of the device, one answer at a time."""
        self._check_open()
        return self._incoming.popleft() if self._incoming else b""

    def close(self) -> None:
        """Close; later calls fail."""
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise LinkClosedError("serial port fake is gone: closed; open it again")
