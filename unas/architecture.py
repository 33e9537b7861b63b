# SPDX-License-Identifier: Apache-2.0
"""Architectures: the genes of one candidate network, as plain data.

The genes are those of μNAS (Liberis, Dudziak, Lane: "μNAS: Constrained Neural Architecture Search
for Microcontrollers", EuroMLSys '21). Which values a gene may take is the matter of ``unas.space``;
here is only what makes the data well-formed, so that two equal networks are equal values with one
hash.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self, TypeVar

from unas.errors import ArchitectureError

SCHEMA = 1
_T = TypeVar("_T")
_E = TypeVar("_E", bound=StrEnum)


class LayerType(StrEnum):
    """Kind of a convolutional layer."""

    CONV = "conv2d"
    POINTWISE = "conv1x1"
    DEPTHWISE = "dwconv2d"


class PoolingKind(StrEnum):
    """Kind of the final pooling."""

    AVERAGE = "average"
    MAX = "max"


@dataclass(frozen=True, slots=True)
class ConvLayer:
    """[2x2 max pool] -> convolution (with bias, no padding) -> [batch normalisation] -> [ReLU].

    Attributes:
        type: Kind of convolution; a depthwise one has depth multiplier 1.
        kernel_size: Side of the square kernel; 1 for POINTWISE.
        filters: Output channels; None for DEPTHWISE, which has as many as its input.
        stride: In both directions; 1 for POINTWISE.
        prepool: Whether a 2x2 max pool stands before the convolution.
        batch_norm: Whether a batch normalisation follows it.
        relu: Whether a ReLU ends the layer.

    Raises:
        ArchitectureError: Genes that do not go together.
    """

    type: LayerType
    kernel_size: int
    filters: int | None
    stride: int
    prepool: bool
    batch_norm: bool
    relu: bool

    def __post_init__(self) -> None:
        if (self.filters is None) != (self.type is LayerType.DEPTHWISE):
            raise ArchitectureError(
                f"a {self.type} layer with filters={self.filters}; give filters to every layer but "
                f"{LayerType.DEPTHWISE}, which has none"
            )
        if self.type is LayerType.POINTWISE and (self.kernel_size, self.stride) != (1, 1):
            raise ArchitectureError(
                f"a {self.type} layer with kernel_size={self.kernel_size}, stride={self.stride}; "
                "both are 1 there"
            )
        counts = (self.kernel_size, self.stride, 1 if self.filters is None else self.filters)
        if min(counts) < 1:
            raise ArchitectureError(
                f"{self} has a gene below 1; kernel, stride and filters start at 1"
            )


@dataclass(frozen=True, slots=True)
class ConvBlock:
    """Layers in a row.

    Attributes:
        parallel: False: reads the sum of everything before it. True: reads what the latest serial
            block reads, and its output is added to that block's.
        layers: At least one.
    """

    parallel: bool
    layers: tuple[ConvLayer, ...]

    def __post_init__(self) -> None:
        if not self.layers:
            raise ArchitectureError("a block without layers; give it one, or leave the block out")


@dataclass(frozen=True, slots=True)
class Pooling:
    """Final pooling before the dense layers; the stride is the size."""

    kind: PoolingKind
    size: int


@dataclass(frozen=True, slots=True)
class DenseLayer:
    """Hidden dense layer with ReLU."""

    units: int


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
        dense = [{"units": layer.units} for layer in self.dense]
        head = {"schema": SCHEMA, "space": "cnn"}
        return {**head, "blocks": blocks, "pooling": pooling, "dense": dense}

    @classmethod
    def from_json_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of ``to_json_dict``, strict.

        Raises:
            ArchitectureError: A key is missing, unknown or of the wrong type.
        """
        record = _Record(data, "architecture", "schema", "space", "blocks", "pooling", "dense")
        _expect(record, "cnn")
        blocks = []
        for block in record.records("blocks", "parallel", "layers"):
            genes = block.records("layers", *_LAYER_KEYS)
            layers = tuple(_layer_from_json(x) for x in genes)
            blocks.append(ConvBlock(block.take("parallel", bool), layers))
        pooling = None
        if data["pooling"] is not None:
            found = record.record("pooling", "kind", "size")
            pooling = Pooling(found.choice("kind", PoolingKind), found.take("size", int))
        return cls(tuple(blocks), pooling, _dense_from_json(record))

    @property
    def sha256(self) -> str:
        """Hex digest of the canonical JSON: the same on every machine and in every run."""
        return _sha256(self.to_json_dict())

    @property
    def short_id(self) -> str:
        """The first twelve digits of ``sha256``."""
        return self.sha256[:12]


@dataclass(frozen=True, slots=True)
class MlpArchitecture:
    """A multi-layer perceptron: hidden dense layers with ReLU, and the implied output layer."""

    dense: tuple[DenseLayer, ...]

    def to_json_dict(self) -> dict[str, Any]:
        """The genes as JSON values, with the schema's number."""
        dense = [{"units": layer.units} for layer in self.dense]
        return {"schema": SCHEMA, "space": "mlp", "dense": dense}

    @classmethod
    def from_json_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of ``to_json_dict``, strict.

        Raises:
            ArchitectureError: A key is missing, unknown or of the wrong type.
        """
        record = _Record(data, "architecture", "schema", "space", "dense")
        _expect(record, "mlp")
        return cls(_dense_from_json(record))

    @property
    def sha256(self) -> str:
        """Hex digest of the canonical JSON: the same on every machine and in every run."""
        return _sha256(self.to_json_dict())

    @property
    def short_id(self) -> str:
        """The first twelve digits of ``sha256``."""
        return self.sha256[:12]


Architecture = CnnArchitecture | MlpArchitecture
_LAYER_KEYS = ("type", "kernel_size", "filters", "stride", "prepool", "batch_norm", "relu")


def architecture_from_json_dict(data: Mapping[str, Any]) -> Architecture:
    """An architecture of either space, by its ``space`` key.

    Raises:
        ArchitectureError: The data is no architecture.
    """
    spaces: dict[Any, type[CnnArchitecture] | type[MlpArchitecture]] = {
        "cnn": CnnArchitecture,
        "mlp": MlpArchitecture,
    }
    name = data.get("space") if isinstance(data, Mapping) else None
    if not isinstance(name, str) or name not in spaces:
        raise ArchitectureError(f"architecture: 'space' is {name!r}; it must be one of cnn, mlp")
    return spaces[name].from_json_dict(data)


class _Record:
    """A JSON object with exactly the keys it must have; keeps its path for messages."""

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
        value = self._data[key]
        # bool is an int to isinstance, and must not pass for a number of filters.
        if type(value) is not kind:
            raise ArchitectureError(
                f"{self._where}: {key!r} is {value!r}; it must be of type {kind.__name__}"
            )
        return value

    def optional_int(self, key: str) -> int | None:
        return None if self._data[key] is None else self.take(key, int)

    def choice(self, key: str, kind: type[_E]) -> _E:
        known = {member.value: member for member in kind}
        value = self.take(key, str)
        if value not in known:
            raise ArchitectureError(
                f"{self._where}: {key!r} is {value!r}; it must be one of {', '.join(known)}"
            )
        return known[value]

    def record(self, key: str, *keys: str) -> _Record:
        return _Record(self._data[key], f"{self._where}.{key}", *keys)

    def records(self, key: str, *keys: str) -> list[_Record]:
        rows = self.take(key, list)
        return [_Record(row, f"{self._where}.{key}[{i}]", *keys) for i, row in enumerate(rows)]


def _expect(record: _Record, space: str) -> None:
    schema, name = record.take("schema", int), record.take("space", str)
    if (schema, name) != (SCHEMA, space):
        raise ArchitectureError(
            f"architecture: schema {schema} of space {name!r}, where schema {SCHEMA} of {space!r} "
            "is read; use the version of unas that wrote it"
        )


def _layer_to_json(layer: ConvLayer) -> dict[str, Any]:
    return {key: getattr(layer, key) for key in _LAYER_KEYS} | {"type": layer.type.value}


def _layer_from_json(record: _Record) -> ConvLayer:
    return ConvLayer(
        type=record.choice("type", LayerType),
        kernel_size=record.take("kernel_size", int),
        filters=record.optional_int("filters"),
        stride=record.take("stride", int),
        prepool=record.take("prepool", bool),
        batch_norm=record.take("batch_norm", bool),
        relu=record.take("relu", bool),
    )


def _dense_from_json(record: _Record) -> tuple[DenseLayer, ...]:
    return tuple(DenseLayer(x.take("units", int)) for x in record.records("dense", "units"))


def _sha256(data: dict[str, Any]) -> str:
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()
