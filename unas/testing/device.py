# SPDX-License-Identifier: Apache-2.0
"""A device that speaks the wire protocol in memory, and can be told to misbehave."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from unas.errors import LinkError
from unas.hil.wire import Decoder, ErrorCode, Frame, ReadWhat, Type, encode


class Fault(Enum):
    """One misbehaviour; each is used up by the answer it spoils."""

    DROP = auto()  # the answer gets lost
    CORRUPT = auto()  # one bit of the answer flips
    NOISE = auto()  # bytes that are no frame come before it
    LOG = auto()  # a log frame comes before it
    STALE = auto()  # the answer of an earlier request comes before it
    RESET = auto()  # the device starts anew instead of answering
    GONE = auto()  # the line breaks


@dataclass
class FakeDevice:
    """Answers requests from fixed data.

    Attributes:
        info: What INFO tells, without the nonce.
        samples: Cycles of timed runs; as many as asked for are returned.
        operators: (name, cycles) of the profiled run.
        output: Output bytes.
        refusal: (code, text) of the ERROR that answers MEASURE, if any.
        faults: What to do to the next answers, in order; None is a good answer.
    """

    info: Mapping[str, str] = field(default_factory=dict)
    samples: Sequence[int] = (1000, 1001, 1002)
    operators: Sequence[tuple[str, int]] = (("CONV_2D", 700), ("SOFTMAX", 300))
    output: bytes = bytes(range(10))
    refusal: tuple[int, str] | None = None
    faults: deque[Fault | None] = field(default_factory=deque)
    fault_record: Mapping[str, str] = field(default_factory=dict)
    measured: int = 0
    _measured_runs: int = 0

    def answer(self, request: Frame) -> list[bytes]:
        """Byte strings that go back for a request."""
        fault = self.faults.popleft() if self.faults else None
        if fault is Fault.GONE:
            raise LinkError("serial port fake is gone; plug the board in again")
        if fault is Fault.DROP:
            return []
        if fault is Fault.RESET:
            begun = [Frame(Type.STARTED, request.sequence)] if request.type == Type.MEASURE else []
            return [encode(frame) for frame in (*begun, Frame(Type.BOOT, 0))]
        good = b"".join(encode(frame) for frame in self._frames(request))
        if fault is Fault.CORRUPT:
            spoiled = bytearray(good)
            spoiled[len(spoiled) // 2] ^= 0x40
            return [bytes(spoiled)]
        before = {
            Fault.NOISE: b"\x07garbage\0\0",
            Fault.LOG: encode(Frame(Type.LOG, 0, b"hello from the device")),
            Fault.STALE: encode(Frame(Type.DATA, (request.sequence - 1) % 256, bytes(12))),
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
            _model, _warmup, self._measured_runs, _seed = struct.unpack("<HHHI", request.payload)
            self.measured += 1
            if self.refusal is not None:
                code, text = self.refusal
                error = reply(Type.ERROR, struct.pack("<H", code) + text.encode())
                return [reply(Type.STARTED), error]
            return [reply(Type.STARTED), reply(Type.DONE)]
        if request.type == Type.READ:
            what, offset = struct.unpack("<BI", request.payload)
            content = self._content(ReadWhat(what))
            chunk = content[offset : offset + 16]
            return [reply(Type.DATA, struct.pack("<BII", what, offset, len(content)) + chunk)]
        return [reply(Type.ERROR, struct.pack("<H", ErrorCode.REQUEST) + b"unknown request")]

    def _summary(self) -> dict[str, str]:
        total = sum(cycles for _, cycles in self.operators)
        return {
            "input_bytes": "10",
            "cold_cycles": "1500",
            "samples": str(self._measured_runs),
            "operators": str(len(self.operators)),
            "profiled_cycles": str(total),
            "arena_used_bytes": "2048",
            "arena_tensor_bytes": "1024",
            "arena_scratch_bytes": "512",
            "arena_persistent_bytes": "512",
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
        if what is ReadWhat.OPERATORS:
            return "".join(f"{name}\n" for name, _ in self.operators).encode()
        return self.output


def _lines(values: Mapping[str, str]) -> bytes:
    return "".join(f"{key}={value}\n" for key, value in values.items()).encode()


class FakeTransport:
    """A transport whose other end is a ``FakeDevice``; time passes only in ``read``."""

    def __init__(self, device: FakeDevice) -> None:
        self._device = device
        self._decoder = Decoder()
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
            raise LinkError("serial port fake is gone: closed; open it again")
