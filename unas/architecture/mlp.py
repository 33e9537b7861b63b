# SPDX-License-Identifier: Apache-2.0
"""A network of μNAS's search space of multi-layer perceptrons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from unas.architecture.layers import DenseLayer, dense_from_json, dense_to_json
from unas.architecture.record import SCHEMA, canonical_sha256, gene_record


@dataclass(frozen=True, slots=True)
class MlpArchitecture:
    """A multi-layer perceptron: hidden dense layers with ReLU, and the implied output layer."""

    dense: tuple[DenseLayer, ...]

    def to_json_dict(self) -> dict[str, Any]:
        """The genes as JSON values, with the schema's number."""
        return {"schema": SCHEMA, "space": "mlp", "dense": dense_to_json(self.dense)}

    @classmethod
    def from_json_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of ``to_json_dict``, strict.

        Raises:
            ArchitectureError: A key is missing, unknown or of the wrong type.
        """
        return cls(dense_from_json(gene_record(data, "mlp", "dense")))

    @property
    def sha256(self) -> str:
        """Hex digest of the canonical JSON: the same on every machine and in every run."""
        return canonical_sha256(self.to_json_dict())

    @property
    def short_id(self) -> str:
        """The first twelve digits of ``sha256``."""
        return self.sha256[:12]
