# SPDX-License-Identifier: Apache-2.0
"""The parts of μNAS's networks: layers, blocks, pooling.

The genes are those of μNAS (Liberis, Dudziak, Lane: "μNAS: Constrained Neural Architecture Search
for Microcontrollers", EuroMLSys '21).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from unas.errors import ArchitectureError


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
        check_filters(self.type, self.filters)
        if self.type is LayerType.POINTWISE and (self.kernel_size, self.stride) != (1, 1):
            raise ArchitectureError(
                f"a {self.type} layer with kernel_size={self.kernel_size}, stride={self.stride}; "
                "both are 1 there"
            )
        check_counts(self, self.kernel_size, self.stride, self.filters)


@dataclass(frozen=True, slots=True)
class ConvBlock:
    """Layers in a row.

    Attributes:
        parallel: False: reads the sum of everything before it. True: reads what the latest serial
            block reads, and its output is added to that block's.
        layers: At least one.

    Raises:
        ArchitectureError: There is no layer.
    """

    parallel: bool
    layers: tuple[ConvLayer, ...]

    def __post_init__(self) -> None:
        check_layers(self.layers)


@dataclass(frozen=True, slots=True)
class Pooling:
    """Final pooling before the dense layers; the stride is the size."""

    kind: PoolingKind
    size: int


@dataclass(frozen=True, slots=True)
class DenseLayer:
    """Hidden dense layer with ReLU."""

    units: int


def check_filters(kind: LayerType, filters: int | None) -> None:
    """Only depthwise layers have no number of filters.

    Raises:
        ArchitectureError: It is otherwise.
    """
    if (filters is None) != (kind is LayerType.DEPTHWISE):
        raise ArchitectureError(
            f"a {kind} layer with filters={filters}; give filters to every layer but "
            f"{LayerType.DEPTHWISE}, which has none"
        )


def check_counts(layer: object, *counts: int | None) -> None:
    """What is counted starts at 1.

    Raises:
        ArchitectureError: Something is below.
    """
    if min(1 if count is None else count for count in counts) < 1:
        raise ArchitectureError(
            f"{layer} has a gene below 1; kernel, stride and filters start at 1"
        )


def check_layers(layers: tuple[object, ...]) -> None:
    """A block has layers.

    Raises:
        ArchitectureError: It has none.
    """
    if not layers:
        raise ArchitectureError("a block without layers; give it one, or leave the block out")
