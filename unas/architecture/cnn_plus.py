# SPDX-License-Identifier: Apache-2.0
"""A network of the wider search space ``cnn+``; it holds all of ``cnn``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Self

from unas.architecture.cnn import CnnArchitecture
from unas.architecture.layers import (
    ConvLayer,
    DenseLayer,
    LayerType,
    check_counts,
    check_filters,
    check_layers,
)
from unas.architecture.record import Genes
from unas.errors import ArchitectureError


class LayerPadding(StrEnum):
    """What a convolution finds beyond the edge of its input: zeros, or no place to stand."""

    SAME = "same"
    VALID = "valid"


class Connection(StrEnum):
    """What a block reads, and what becomes of its output.

    SERIAL reads the sum of everything before it. PARALLEL reads what the latest block that is not
    parallel reads, and its output is added to that block's. RESIDUAL reads as SERIAL does, and what
    it reads is added to its output.
    """

    SERIAL = "serial"
    PARALLEL = "parallel"
    RESIDUAL = "residual"


class FinalPoolingKind(StrEnum):
    """Kind of the final pooling."""

    AVERAGE = "average"
    MAX = "max"
    GLOBAL_AVERAGE = "global average"


@dataclass(frozen=True, slots=True)
class PlusLayer:
    """[2x2 max pool] -> convolution (with bias) -> [batch normalisation] -> [ReLU].

    Attributes:
        type: Kind of convolution; a depthwise one has depth multiplier 1.
        kernel_h: Height of the kernel; 1 for POINTWISE.
        kernel_w: Width of the kernel; 1 for POINTWISE.
        filters: Output channels; None for DEPTHWISE, which has as many as its input.
        stride_h: Step downwards; 1 for POINTWISE.
        stride_w: Step to the right; 1 for POINTWISE, and for DEPTHWISE that of ``stride_h``, as
            TensorFlow trains no others.
        padding: VALID for POINTWISE.
        prepool: Whether a 2x2 max pool stands before the convolution.
        batch_norm: Whether a batch normalisation follows it.
        relu: Whether a ReLU ends the layer.

    Raises:
        ArchitectureError: Genes that do not go together.
    """

    type: LayerType
    kernel_h: int
    kernel_w: int
    filters: int | None
    stride_h: int
    stride_w: int
    padding: LayerPadding
    prepool: bool
    batch_norm: bool
    relu: bool

    def __post_init__(self) -> None:
        check_filters(self.type, self.filters)
        window = (self.kernel_h, self.kernel_w, self.stride_h, self.stride_w)
        plain = window == (1, 1, 1, 1) and self.padding is LayerPadding.VALID
        if self.type is LayerType.POINTWISE and not plain:
            raise ArchitectureError(
                f"a {self.type} layer with kernel and stride {window} and padding {self.padding}; "
                f"all are 1 there, and the padding is {LayerPadding.VALID}"
            )
        if self.type is LayerType.DEPTHWISE and self.stride_h != self.stride_w:
            raise ArchitectureError(
                f"a {self.type} layer with strides {self.stride_h} and {self.stride_w}; TensorFlow "
                "trains only equal ones, make them so"
            )
        check_counts(self, *window, self.filters)


@dataclass(frozen=True, slots=True)
class PlusBlock:
    """Layers in a row, at least one.

    Raises:
        ArchitectureError: There is no layer.
    """

    connection: Connection
    layers: tuple[PlusLayer, ...]

    def __post_init__(self) -> None:
        check_layers(self.layers)


@dataclass(frozen=True, slots=True)
class FinalPooling:
    """Pooling before the dense layers.

    Attributes:
        kind: What is computed.
        size: Size and stride of the window; None for GLOBAL_AVERAGE.

    Raises:
        ArchitectureError: A size where none belongs, or none where one does.
    """

    kind: FinalPoolingKind
    size: int | None

    def __post_init__(self) -> None:
        if (self.size is None) != (self.kind is FinalPoolingKind.GLOBAL_AVERAGE):
            raise ArchitectureError(
                f"a final pooling {self.kind} of size {self.size}; give a size to every kind but "
                f"{FinalPoolingKind.GLOBAL_AVERAGE}, which has none"
            )


@dataclass(frozen=True, slots=True)
class CnnPlusArchitecture(Genes):
    """A convolutional network of the wider space: blocks, final pooling, hidden dense layers.

    The output layer is implied: one logit per class, or a single one for two classes.

    Raises:
        ArchitectureError: No block, or a first block that is not serial.
    """

    space: ClassVar[str] = "cnn+"
    blocks: tuple[PlusBlock, ...]
    pooling: FinalPooling | None
    dense: tuple[DenseLayer, ...]

    def __post_init__(self) -> None:
        # The input's few channels are no channels to sum with.
        if not self.blocks or self.blocks[0].connection is not Connection.SERIAL:
            raise ArchitectureError("the first block must exist and be serial; make it so")

    @classmethod
    def from_cnn(cls, arch: CnnArchitecture) -> Self:
        """The same genes in this space.

        Both build one graph, but where a kernel is larger than an input that is not square.
        """
        blocks = tuple(
            PlusBlock(
                Connection.PARALLEL if block.parallel else Connection.SERIAL,
                tuple(_widened(layer) for layer in block.layers),
            )
            for block in arch.blocks
        )
        pooling = None
        if arch.pooling is not None:
            kind = FinalPoolingKind(arch.pooling.kind.value)
            pooling = FinalPooling(kind, arch.pooling.size)
        return cls(blocks, pooling, arch.dense)


def _widened(layer: ConvLayer) -> PlusLayer:
    return PlusLayer(
        type=layer.type,
        kernel_h=layer.kernel_size,
        kernel_w=layer.kernel_size,
        filters=layer.filters,
        stride_h=layer.stride,
        stride_w=layer.stride,
        padding=LayerPadding.VALID,
        prepool=layer.prepool,
        batch_norm=layer.batch_norm,
        relu=layer.relu,
    )
