# SPDX-License-Identifier: Apache-2.0
"""The wire protocol, host side; ``firmware_templates/src/wire.h`` describes it."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum

from cobs import cobs

PROTOCOL = 3
_HEADER = struct.Struct("<HBB")
_CRC = struct.Struct("<I")
# What no frame of this protocol reaches: noise without a zero byte is cut off there.
_FRAME_MAX = 1 << 17


class Type(IntEnum):
    """Frame types."""

    HELLO = 0x01
    MEASURE = 0x02
    READ = 0x03
    RESET = 0x04
    TRY = 0x05
    INFO = 0x81
    STARTED = 0x82
    DONE = 0x83
    DATA = 0x84
    ERROR = 0x8F
    LOG = 0x90
    BOOT = 0x91


class ErrorCode(IntEnum):
    """Codes of an ERROR frame."""

    FRAME = 1
    REQUEST = 2
    MODEL_INDEX = 3
    NOTHING_TO_READ = 4
    RUNS = 5
    ARENA = 6
    RUNTIME = 100  # + runtime_status
    BAD_MODEL = 101
    UNSUPPORTED_OPERATOR = 102
    ARENA_TOO_SMALL = 103
    INVOKE_FAILED = 104


class ReadWhat(IntEnum):
    """What READ fetches."""

    SAMPLES = 0
    MARKS = 1
    OPERATORS = 2
    OUTPUT = 3
    SUMMARY = 4
    TRIAL = 5


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame. ``type`` is a number: a device may send what this version does not know."""

    type: int
    sequence: int
    payload: bytes = b""


def encode(frame: Frame) -> bytes:
    """The bytes on the line, delimiter included."""
    body = _HEADER.pack(len(frame.payload), frame.type, frame.sequence) + frame.payload
    encoded: bytes = cobs.encode(body + _CRC.pack(zlib.crc32(body)))
    return encoded + b"\0"


def decode(encoded: bytes) -> Frame | None:
    """A frame from the bytes between two delimiters; None if they are not one."""
    try:
        body: bytes = cobs.decode(encoded)
    except cobs.DecodeError:
        return None
    if len(body) < _HEADER.size + _CRC.size:
        return None
    length, kind, sequence = _HEADER.unpack_from(body)
    (crc,) = _CRC.unpack_from(body, len(body) - _CRC.size)
    if length != len(body) - _HEADER.size - _CRC.size or crc != zlib.crc32(body[: -_CRC.size]):
        return None
    return Frame(kind, sequence, body[_HEADER.size : -_CRC.size])


class FrameDecoder:
    """Cuts a byte stream into frames."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, received: bytes) -> list[Frame | None]:
        """Frames that these bytes complete, in order; None stands for one that came broken."""
        frames: list[Frame | None] = []
        *complete, rest = bytes(received).split(b"\0")
        for part in complete:
            encoded = bytes(self._pending) + part
            self._pending.clear()
            if encoded:
                frames.append(decode(encoded))
        self._pending += rest
        if len(self._pending) > _FRAME_MAX:
            self._pending.clear()
        return frames
