# SPDX-License-Identifier: Apache-2.0
"""Reads the tables of flatbuffers that may be damaged.

The generated accessors trust every offset in the file: a flipped bit makes them raise whatever
struct or numpy come upon, or read from the wrong end. Here each access is checked against the file,
so that a broken file is a ModelError and nothing else. Format: flatbuffers.dev/internals.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from unas.errors import ModelError


@dataclass(frozen=True, slots=True)
class FlatbufferTable:
    """One table of a flatbuffer file; fields are numbered in the order of the schema.

    Attributes:
        data: The whole file.
        position: Where the table stands in it.
        where: The file's name, for messages.

    Raises:
        ModelError: From every method: the access would leave the file.
    """

    data: bytes
    position: int
    where: str

    @classmethod
    def root(cls, data: bytes, where: str) -> FlatbufferTable:
        """The table that the file's first word refers to."""
        return cls(data, 0, where)._follow(0)

    def int8(self, field: int, default: int = 0) -> int:
        """A byte or a small enumeration, signed."""
        return int(self._scalar(field, "<b", default))

    def uint8(self, field: int, default: int = 0) -> int:
        """An unsigned byte, the type of a union, or a boolean."""
        return int(self._scalar(field, "<B", default))

    def int32(self, field: int, default: int = 0) -> int:
        """A signed word."""
        return int(self._scalar(field, "<i", default))

    def uint32(self, field: int, default: int = 0) -> int:
        """An unsigned word."""
        return int(self._scalar(field, "<I", default))

    def uint64(self, field: int, default: int = 0) -> int:
        """An unsigned double word."""
        return int(self._scalar(field, "<Q", default))

    def float32(self, field: int, default: float = 0.0) -> float:
        """A float."""
        return float(self._scalar(field, "<f", default))

    def table(self, field: int) -> FlatbufferTable | None:
        """A table this one refers to; None if absent."""
        position = self._field_position(field)
        return None if position is None else self._follow(position)

    def tables(self, field: int, limit: int) -> list[FlatbufferTable]:
        """A vector of tables of at most ``limit`` elements; empty if absent."""
        start, count = self.vector(field, 4)
        self._limit(count, limit)
        return [self._follow(start + 4 * i) for i in range(count)]

    def int32s(self, field: int, limit: int) -> tuple[int, ...]:
        """A vector of words of at most ``limit`` elements; empty if absent."""
        start, count = self.vector(field, 4)
        self._limit(count, limit)
        return struct.unpack_from(f"<{count}i", self.data, start)

    def bytes(self, field: int) -> memoryview:
        """A vector of bytes, not copied; empty if absent."""
        start, count = self.vector(field, 1)
        return memoryview(self.data)[start : start + count]

    def string(self, field: int, limit: int) -> str:
        """A string, cut after ``limit`` bytes; empty if absent."""
        return str(self.bytes(field)[:limit], "utf-8", "replace")

    def vector(self, field: int, element_bytes: int) -> tuple[int, int]:
        """Position of a vector's first element, and its length; (0, 0) if absent."""
        position = self._field_position(field)
        if position is None:
            return 0, 0
        length = self._target(position)
        count = self._read("<I", length)
        if length + 4 + count * element_bytes > len(self.data):
            raise self.broken(f"a vector of {count} elements at byte {length} is cut off")
        return length + 4, count

    def broken(self, what: str) -> ModelError:
        """The error for a file that contradicts itself."""
        return ModelError(
            f"{self.where} is damaged: {what}; convert the model again or copy it anew"
        )

    def _limit(self, count: int, limit: int) -> None:
        if count > limit:
            raise self.broken(f"a vector has {count} elements where {limit} are the limit")

    def _read(self, layout: str, position: int) -> Any:
        if position < 0 or position + struct.calcsize(layout) > len(self.data):
            raise self.broken(f"byte {position} is outside its {len(self.data)} bytes")
        return struct.unpack_from(layout, self.data, position)[0]

    def _target(self, position: int) -> int:
        return position + int(self._read("<I", position))

    def _follow(self, position: int) -> FlatbufferTable:
        return FlatbufferTable(self.data, self._target(position), self.where)

    def _field_position(self, field: int) -> int | None:
        """Position of a field's content; None where the table leaves it at its default."""
        vtable = self.position - self._read("<i", self.position)
        entry = 4 + 2 * field
        if entry + 2 > self._read("<H", vtable):
            return None
        offset = self._read("<H", vtable + entry)
        return self.position + offset if offset else None

    def _scalar(self, field: int, layout: str, default: float) -> Any:
        position = self._field_position(field)
        return default if position is None else self._read(layout, position)
