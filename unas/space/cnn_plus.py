# SPDX-License-Identifier: Apache-2.0
"""The wider convolutional space ``cnn+``: which values the genes may take, and random draws.

Beside all of μNAS's space it has shortcuts around blocks, padding, kernels and strides that are not
square, a global average pooling, and networks without hidden dense layer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from unas.architecture import (
    CnnPlusArchitecture,
    Connection,
    DenseLayer,
    FinalPooling,
    FinalPoolingKind,
    LayerPadding,
    LayerType,
    PlusBlock,
    PlusLayer,
)
from unas.errors import ConfigError
from unas.space.ranges import IntRange, check_gene, check_minimum, draw_choice, draw_flag

Pair = tuple[int, int]

_SLACK = 1e-9  # decimal shares that add up to 1 may be above it as floats


@dataclass(frozen=True, slots=True)
class CnnPlusSpace:
    """Ranges of all genes and the probabilities of a random draw; ``CNN_PLUS_SPACE`` has values.

    Ranges include both ends; a draw is uniform over its range.

    Attributes:
        blocks: Convolutional blocks of a network.
        layers: Layers of a block.
        connections: How blocks after the first are connected; SERIAL is one of them.
        layer_types: Kinds of layers.
        kernel_heights: Of CONV and DEPTHWISE layers, in ascending order. No kernel is 1x1: that is
            what POINTWISE layers are for.
        kernel_widths: Likewise.
        filters: Of CONV and POINTWISE layers.
        strides_h: Of CONV layers downwards, and of DEPTHWISE layers in both directions.
        strides_w: Of CONV layers to the right.
        paddings: Of CONV and DEPTHWISE layers.
        pooling_kinds: Kinds of final pooling.
        pooling_sizes: Sizes of a final pooling that has one, in ascending order.
        dense_layers: Hidden dense layers.
        units: Of a hidden dense layer.
        p_parallel: That a block after the first is parallel.
        p_residual: That a block after the first has a shortcut.
        p_square: That a kernel is drawn among the square ones; a stride likewise.
        p_same: That a layer is padded, where both are allowed.
        p_prepool: That a layer begins with a max pool.
        p_batch_norm: That a layer has a batch normalisation.
        p_relu: That a layer ends with a ReLU.
        p_pooling: That there is a final pooling.

    Raises:
        ConfigError: A range begins below what a network can have, SERIAL is not among the
            connections, there is no kernel, or the shares of parallel and residual blocks are more
            than all.
    """

    blocks: IntRange
    layers: IntRange
    connections: tuple[Connection, ...]
    layer_types: tuple[LayerType, ...]
    kernel_heights: tuple[int, ...]
    kernel_widths: tuple[int, ...]
    filters: IntRange
    strides_h: tuple[int, ...]
    strides_w: tuple[int, ...]
    paddings: tuple[LayerPadding, ...]
    pooling_kinds: tuple[FinalPoolingKind, ...]
    pooling_sizes: tuple[int, ...]
    dense_layers: IntRange
    units: IntRange
    p_parallel: float
    p_residual: float
    p_square: float
    p_same: float
    p_prepool: float
    p_batch_norm: float
    p_relu: float
    p_pooling: float

    def __post_init__(self) -> None:
        check_minimum(1, blocks=self.blocks, layers=self.layers)
        check_minimum(1, filters=self.filters, units=self.units)
        check_minimum(0, dense_layers=self.dense_layers)
        if Connection.SERIAL not in self.connections:
            raise ConfigError("connections lack serial, which the first block always is; add it")
        if not self.kernels:
            raise ConfigError("no kernel is larger than 1x1; add a height or a width")
        if self.p_parallel + self.p_residual > 1 + _SLACK:
            raise ConfigError(
                f"p_parallel is {self.p_parallel:g} and p_residual {self.p_residual:g}, together "
                "more than 1; what is left of 1 is serial, lower one of them"
            )

    @property
    def kernels(self) -> tuple[Pair, ...]:
        """(height, width) of every kernel that CONV and DEPTHWISE layers may have."""
        return tuple(x for x in product(self.kernel_heights, self.kernel_widths) if x != (1, 1))

    def strides(self, layer_type: LayerType) -> tuple[Pair, ...]:
        """(downwards, to the right) of every stride that a layer of this kind may have."""
        if layer_type is LayerType.DEPTHWISE:
            return tuple((step, step) for step in self.strides_h)
        return tuple(product(self.strides_h, self.strides_w))

    def validate(self, arch: CnnPlusArchitecture) -> None:
        """Does nothing if the architecture is in this space.

        Raises:
            ArchitectureError: It is not; names the gene.
        """
        check_gene("number of blocks", len(arch.blocks), self.blocks)
        for i, block in enumerate(arch.blocks):
            check_gene(f"blocks[{i}]: connection", block.connection, self.connections)
            check_gene(f"blocks[{i}]: number of layers", len(block.layers), self.layers)
            for j, layer in enumerate(block.layers):
                self._validate_layer(f"blocks[{i}].layers[{j}]", layer)
        if arch.pooling is not None:
            check_gene("pooling: kind", arch.pooling.kind, self.pooling_kinds)
            if arch.pooling.size is not None:
                check_gene("pooling: size", arch.pooling.size, self.pooling_sizes)
        check_gene("number of hidden dense layers", len(arch.dense), self.dense_layers)
        for i, dense in enumerate(arch.dense):
            check_gene(f"dense[{i}]: units", dense.units, self.units)

    def _validate_layer(self, where: str, layer: PlusLayer) -> None:
        check_gene(f"{where}: type", layer.type, self.layer_types)
        if layer.filters is not None:
            check_gene(f"{where}: filters", layer.filters, self.filters)
        if layer.type is not LayerType.POINTWISE:
            check_gene(f"{where}: kernel", (layer.kernel_h, layer.kernel_w), self.kernels)
            stride = (layer.stride_h, layer.stride_w)
            check_gene(f"{where}: stride", stride, self.strides(layer.type))
            check_gene(f"{where}: padding", layer.padding, self.paddings)


CNN_PLUS_SPACE = CnnPlusSpace(
    blocks=IntRange(1, 10),
    layers=IntRange(1, 3),
    connections=tuple(Connection),
    layer_types=tuple(LayerType),
    kernel_heights=(1, 3, 5, 7),
    kernel_widths=(1, 3, 5, 7),
    filters=IntRange(1, 128),
    strides_h=(1, 2),
    strides_w=(1, 2),
    paddings=tuple(LayerPadding),
    pooling_kinds=tuple(FinalPoolingKind),
    pooling_sizes=(2, 4, 6),
    dense_layers=IntRange(0, 3),
    units=IntRange(10, 256),
    p_parallel=0.25,
    p_residual=0.25,
    p_square=0.5,
    p_same=0.5,
    p_prepool=0.25,
    p_batch_norm=0.5,
    p_relu=0.9,
    p_pooling=0.9,
)
"""The wider space; ``dataclasses.replace`` makes variants of it."""

CNN_PLUS_1D_SPACE = replace(
    CNN_PLUS_SPACE, kernel_heights=(3, 5, 7, 9), kernel_widths=(1,), strides_w=(1,)
)
"""For inputs of shape (samples, 1, channels): no gene for a width that is not there."""


def random_cnn_plus(
    rng: np.random.Generator, space: CnnPlusSpace = CNN_PLUS_SPACE
) -> CnnPlusArchitecture:
    """One random architecture; equal states of ``rng`` give equal architectures."""
    blocks = []
    for i in range(space.blocks.draw(rng)):
        connection = random_connection(rng, space) if i > 0 else Connection.SERIAL
        layers = [random_plus_layer(rng, space) for _ in range(space.layers.draw(rng))]
        blocks.append(PlusBlock(connection, tuple(layers)))
    pooling = random_final_pooling(rng, space) if draw_flag(rng, space.p_pooling) else None
    count = space.dense_layers.draw(rng)
    dense = tuple(DenseLayer(space.units.draw(rng)) for _ in range(count))
    return CnnPlusArchitecture(tuple(blocks), pooling, dense)


def random_connection(rng: np.random.Generator, space: CnnPlusSpace) -> Connection:
    """How a block after the first is connected; one that is not allowed becomes serial."""
    value = rng.random()
    drawn = Connection.SERIAL
    if value < space.p_parallel:
        drawn = Connection.PARALLEL
    elif value < space.p_parallel + space.p_residual:
        drawn = Connection.RESIDUAL
    return drawn if drawn in space.connections else Connection.SERIAL


def random_plus_layer(
    rng: np.random.Generator, space: CnnPlusSpace, layer_type: LayerType | None = None
) -> PlusLayer:
    """A layer with random genes; of the given type, or of a random one."""
    if layer_type is None:
        layer_type = draw_choice(rng, space.layer_types)
    kernel, stride, padding = (1, 1), (1, 1), LayerPadding.VALID
    if layer_type is not LayerType.POINTWISE:
        kernel = _draw_pair(rng, space.kernels, space.p_square)
        stride = _draw_pair(rng, space.strides(layer_type), space.p_square)
        same = draw_flag(rng, space.p_same)
        padding = LayerPadding.SAME if same else LayerPadding.VALID
        padding = padding if padding in space.paddings else space.paddings[0]
    return PlusLayer(
        type=layer_type,
        kernel_h=kernel[0],
        kernel_w=kernel[1],
        filters=None if layer_type is LayerType.DEPTHWISE else space.filters.draw(rng),
        stride_h=stride[0],
        stride_w=stride[1],
        padding=padding,
        prepool=draw_flag(rng, space.p_prepool),
        batch_norm=draw_flag(rng, space.p_batch_norm),
        relu=draw_flag(rng, space.p_relu),
    )


def random_final_pooling(rng: np.random.Generator, space: CnnPlusSpace) -> FinalPooling:
    """A final pooling of random kind, and of random size where it has one."""
    kind = draw_choice(rng, space.pooling_kinds)
    if kind is FinalPoolingKind.GLOBAL_AVERAGE:
        return FinalPooling(kind, None)
    return FinalPooling(kind, draw_choice(rng, space.pooling_sizes))


def _draw_pair(rng: np.random.Generator, pairs: tuple[Pair, ...], p_square: float) -> Pair:
    """Uniform over the square pairs with the given probability, otherwise over all."""
    square = tuple(pair for pair in pairs if pair[0] == pair[1])
    return draw_choice(rng, square if draw_flag(rng, p_square) and square else pairs)
