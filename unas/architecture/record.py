# SPDX-License-Identifier: Apache-2.0
"""Genes as JSON: strict reading, and the hash of what was written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar

from unas.errors import ArchitectureError

SCHEMA = 1
_T = TypeVar("_T")
_E = TypeVar("_E", bound=StrEnum)


class GeneRecord:
    """A JSON object with exactly the keys it must have; keeps its path for messages.

    Raises:
        ArchitectureError: It is no object, or a key is missing or unknown.
    """

    def __init__(self, data: Any, where: str, *keys: str) -> None:
        if not isinstance(data, Mapping):
            raise ArchitectureError(f"{where} is {data!r}; it must be a JSON object")
        missing, unknown = set(keys) - set(data), set(data) - set(keys)
        for words, wrong in (("lacks", missing), ("has unknown", unknown)):
            if wrong:
                raise ArchitectureError(
                    f"{where} {words} {sorted(map(str, wrong))}; its keys are {', '.join(keys)}"
                )
        self._data, self._where = data, where

    def take(self, key: str, kind: type[_T]) -> _T:
        """A value of exactly this type.

        Raises:
            ArchitectureError: It is of another.
        """
        value = self._data[key]
        # bool is an int to isinstance, and must not pass for a number of filters.
        if type(value) is not kind:
            raise ArchitectureError(
                f"{self._where}: {key!r} is {value!r}; it must be of type {kind.__name__}"
            )
        return value

    def optional_int(self, key: str) -> int | None:
        """An integer or null.

        Raises:
            ArchitectureError: It is neither.
        """
        return None if self._data[key] is None else self.take(key, int)

    def choice(self, key: str, kind: type[_E]) -> _E:
        """A member by its value.

        Raises:
            ArchitectureError: There is no such member.
        """
        known = {member.value: member for member in kind}
        value = self.take(key, str)
        if value not in known:
            raise ArchitectureError(
                f"{self._where}: {key!r} is {value!r}; it must be one of {', '.join(known)}"
            )
        return known[value]

    def optional_record(self, key: str, *keys: str) -> GeneRecord | None:
        """An object inside this one, or None for null.

        Raises:
            ArchitectureError: It is neither, or has other keys.
        """
        value = self._data[key]
        return None if value is None else GeneRecord(value, f"{self._where}.{key}", *keys)

    def records(self, key: str, *keys: str) -> list[GeneRecord]:
        """A list of objects.

        Raises:
            ArchitectureError: It is no list, or an object in it has other keys.
        """
        rows = self.take(key, list)
        return [GeneRecord(row, f"{self._where}.{key}[{i}]", *keys) for i, row in enumerate(rows)]


def gene_record(data: Mapping[str, Any], space: str, *keys: str) -> GeneRecord:
    """The outermost object: schema, space and these keys.

    Raises:
        ArchitectureError: It has other keys, or belongs to another schema or space.
    """
    record = GeneRecord(data, "architecture", "schema", "space", *keys)
    schema, name = record.take("schema", int), record.take("space", str)
    if (schema, name) != (SCHEMA, space):
        raise ArchitectureError(
            f"architecture: schema {schema} of space {name!r}, where schema {SCHEMA} of {space!r} "
            "is read; use the version of unas that wrote it"
        )
    return record


def canonical_sha256(data: dict[str, Any]) -> str:
    """Hex digest of the canonical JSON: the same on every machine and in every run."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()
