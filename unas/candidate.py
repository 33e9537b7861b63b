# SPDX-License-Identifier: Apache-2.0
"""Candidates: one network of a search, not judged."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from unas._codec import plain_object, read_object
from unas.architecture import Architecture, architecture_from_json_dict
from unas.errors import ArchitectureError

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Candidate:
    """The genes of one network.

    Attributes:
        architecture: What is built before anything is pruned.
        sparsity: Share of channels (or weights) that pruning takes away while training; None
            without pruning.
        parent: ``sha256`` of the candidate this one was made from; None for a random one.

    Raises:
        ArchitectureError: A sparsity outside 0..1 (1 excluded), or a parent that is no digest.
    """

    architecture: Annotated[Architecture, architecture_from_json_dict]
    sparsity: float | None = None
    parent: str | None = None

    def __post_init__(self) -> None:
        if self.sparsity is not None and not 0 <= self.sparsity < 1:
            raise ArchitectureError(f"sparsity is {self.sparsity}; it must be within 0..1, below 1")
        if self.parent is not None and not _SHA256.fullmatch(self.parent):
            raise ArchitectureError(f"parent is {self.parent!r}; it must be a candidate's sha256")

    @property
    def sha256(self) -> str:
        """Hex digest of the genes. Where they come from does not count: equal genes, one digest."""
        text = f"{self.architecture.sha256} {self.sparsity!r}"
        return hashlib.sha256(text.encode("ascii")).hexdigest()

    @property
    def short_id(self) -> str:
        """The first twelve digits of ``sha256``."""
        return self.sha256[:12]

    def to_json_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return plain_object(self)

    def to_json(self) -> str:
        """``to_json_dict`` as text: one line."""
        return json.dumps(self.to_json_dict(), separators=(",", ":"))

    @classmethod
    def from_json_dict(cls, data: Mapping[str, Any]) -> Candidate:
        """The inverse of ``to_json_dict``, strict.

        Raises:
            ArchitectureError: A key is missing, unknown or of the wrong type.
        """
        return read_object(data, cls, "a candidate", error=ArchitectureError)
