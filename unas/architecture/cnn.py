# SPDX-License-Identifier: Apache-2.0
"""A network of μNAS's convolutional search space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from unas.architecture.layers import (
    ConvBlock,
    ConvLayer,
    DenseLayer,
    LayerType,
    Pooling,
    PoolingKind,
    dense_from_json,
    dense_to_json,
)
from unas.architecture.record import SCHEMA, GeneRecord, canonical_sha256, gene_record
from unas.errors import ArchitectureError

_LAYER_KEYS = ("type", "kernel_size", "filters", "stride", "prepool", "batch_norm", "relu")


@dataclass(frozen=True, slots=True)
class CnnArchitecture:
    """A convolutional network: blocks, final pooling, hidden dense layers.

    The output layer is implied: one logit per class, or a single one for two classes.

    Raises:
        ArchitectureError: No block, or a first block that is parallel to nothing.
    """

    blocks: tuple[ConvBlock, ...]
    pooling: Pooling | None
    dense: tuple[DenseLayer, ...]

    def __post_init__(self) -> None:
        if not self.blocks or self.blocks[0].parallel:
            raise ArchitectureError("the first block must exist and be serial; make it so")

    def to_json_dict(self) -> dict[str, Any]:
        """The genes as JSON values, with the schema's number."""
        blocks = [
            {"parallel": block.parallel, "layers": [_layer_to_json(x) for x in block.layers]}
            for block in self.blocks
        ]
        pooling = self.pooling and {"kind": self.pooling.kind.value, "size": self.pooling.size}
        head = {"schema": SCHEMA, "space": "cnn"}
        return {**head, "blocks": blocks, "pooling": pooling, "dense": dense_to_json(self.dense)}

    @classmethod
    def from_json_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of ``to_json_dict``, strict.

        Raises:
            ArchitectureError: A key is missing, unknown or of the wrong type.
        """
        record = gene_record(data, "cnn", "blocks", "pooling", "dense")
        blocks = []
        for block in record.records("blocks", "parallel", "layers"):
            genes = block.records("layers", *_LAYER_KEYS)
            layers = tuple(_layer_from_json(x) for x in genes)
            blocks.append(ConvBlock(block.take("parallel", bool), layers))
        found = record.optional_record("pooling", "kind", "size")
        pooling = None
        if found is not None:
            pooling = Pooling(found.choice("kind", PoolingKind), found.take("size", int))
        return cls(tuple(blocks), pooling, dense_from_json(record))

    @property
    def sha256(self) -> str:
        """Hex digest of the canonical JSON: the same on every machine and in every run."""
        return canonical_sha256(self.to_json_dict())

    @property
    def short_id(self) -> str:
        """The first twelve digits of ``sha256``."""
        return self.sha256[:12]


def _layer_to_json(layer: ConvLayer) -> dict[str, Any]:
    return {key: getattr(layer, key) for key in _LAYER_KEYS} | {"type": layer.type.value}


def _layer_from_json(record: GeneRecord) -> ConvLayer:
    return ConvLayer(
        type=record.choice("type", LayerType),
        kernel_size=record.take("kernel_size", int),
        filters=record.optional_int("filters"),
        stride=record.take("stride", int),
        prepool=record.take("prepool", bool),
        batch_norm=record.take("batch_norm", bool),
        relu=record.take("relu", bool),
    )
