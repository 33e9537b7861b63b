# SPDX-License-Identifier: Apache-2.0
"""Genes as JSON: what all spaces have in common, and the hash of what was written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from unas._codec import object_without, plain_object, read_object
from unas.errors import ArchitectureError

SCHEMA = 1


class Genes:
    """A dataclass of genes: its fields are the JSON's keys, after ``schema`` and ``space``."""

    __slots__ = ()
    space: ClassVar[str]

    def to_json_dict(self) -> dict[str, Any]:
        """The genes as JSON values, with the schema's number."""
        return {"schema": SCHEMA, "space": self.space, **plain_object(self)}

    @classmethod
    def from_json_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of ``to_json_dict``, strict.

        Raises:
            ArchitectureError: A key is missing, unknown or of the wrong type.
        """
        rest: object = data
        for key, value in (("schema", SCHEMA), ("space", cls.space)):
            advice = "use the version of unas that wrote it"
            rest = object_without(rest, key, value, "architecture", advice, ArchitectureError)
        return read_object(rest, cls, "architecture", error=ArchitectureError)

    @property
    def sha256(self) -> str:
        """Hex digest of the canonical JSON: the same on every machine and in every run."""
        text = json.dumps(
            self.to_json_dict(), sort_keys=True, separators=(",", ":"), ensure_ascii=True
        )
        return hashlib.sha256(text.encode("ascii")).hexdigest()

    @property
    def short_id(self) -> str:
        """The first twelve digits of ``sha256``."""
        return self.sha256[:12]
