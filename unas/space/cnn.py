# SPDX-License-Identifier: Apache-2.0
"""μNAS's convolutional search space: which values the genes may take, and random draws from it.

Ranges and distributions are those of the paper and its reference code. Unlike there, every value of
a range can be drawn; ``docs/paper.md`` lists the differences.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unas.architecture import (
    CnnArchitecture,
    ConvBlock,
    ConvLayer,
    DenseLayer,
    LayerType,
    Pooling,
    PoolingKind,
)
from unas.space.ranges import IntRange, check_gene, check_minimum, draw_choice, draw_flag


@dataclass(frozen=True, slots=True)
class CnnSpace:
    """Ranges of all genes and the probabilities of the two-valued ones in a random draw.

    Ranges include both ends; a draw is uniform over its range. μNAS's values are ``CNN_SPACE``.

    Attributes:
        blocks: Convolutional blocks of a network.
        layers: Layers of a block.
        layer_types: Kinds of layers.
        kernel_sizes: Of CONV and DEPTHWISE layers, in ascending order.
        filters: Of CONV and POINTWISE layers.
        strides: Of CONV and DEPTHWISE layers.
        pooling_kinds: Kinds of final pooling.
        pooling_sizes: Sizes of the final pooling, in ascending order.
        dense_layers: Hidden dense layers; μNAS always has one at least.
        units: Of a hidden dense layer.
        p_parallel: That a block after the first is parallel.
        p_prepool: That a layer begins with a max pool.
        p_batch_norm: That a layer has a batch normalisation.
        p_relu: That a layer ends with a ReLU.
        p_pooling: That there is a final pooling.

    Raises:
        ConfigError: A range begins below what a network can have.
    """

    blocks: IntRange
    layers: IntRange
    layer_types: tuple[LayerType, ...]
    kernel_sizes: tuple[int, ...]
    filters: IntRange
    strides: tuple[int, ...]
    pooling_kinds: tuple[PoolingKind, ...]
    pooling_sizes: tuple[int, ...]
    dense_layers: IntRange
    units: IntRange
    p_parallel: float
    p_prepool: float
    p_batch_norm: float
    p_relu: float
    p_pooling: float

    def __post_init__(self) -> None:
        check_minimum(1, blocks=self.blocks, layers=self.layers)
        check_minimum(1, filters=self.filters, units=self.units)
        check_minimum(0, dense_layers=self.dense_layers)

    def validate(self, arch: CnnArchitecture) -> None:
        """Does nothing if the architecture is in this space.

        Raises:
            ArchitectureError: It is not; names the gene.
        """
        check_gene("number of blocks", len(arch.blocks), self.blocks)
        for i, block in enumerate(arch.blocks):
            check_gene(f"blocks[{i}]: number of layers", len(block.layers), self.layers)
            for j, layer in enumerate(block.layers):
                self._validate_layer(f"blocks[{i}].layers[{j}]", layer)
        if arch.pooling is not None:
            check_gene("pooling: kind", arch.pooling.kind, self.pooling_kinds)
            check_gene("pooling: size", arch.pooling.size, self.pooling_sizes)
        check_gene("number of hidden dense layers", len(arch.dense), self.dense_layers)
        for i, dense in enumerate(arch.dense):
            check_gene(f"dense[{i}]: units", dense.units, self.units)

    def _validate_layer(self, where: str, layer: ConvLayer) -> None:
        check_gene(f"{where}: type", layer.type, self.layer_types)
        if layer.filters is not None:
            check_gene(f"{where}: filters", layer.filters, self.filters)
        if layer.type is not LayerType.POINTWISE:
            check_gene(f"{where}: kernel_size", layer.kernel_size, self.kernel_sizes)
            check_gene(f"{where}: stride", layer.stride, self.strides)


CNN_SPACE = CnnSpace(
    blocks=IntRange(1, 10),
    layers=IntRange(1, 3),
    layer_types=tuple(LayerType),
    kernel_sizes=(3, 5, 7),
    filters=IntRange(1, 128),
    strides=(1, 2),
    pooling_kinds=tuple(PoolingKind),
    pooling_sizes=(2, 4, 6),
    dense_layers=IntRange(1, 3),
    units=IntRange(10, 256),
    p_parallel=0.5,
    p_prepool=0.25,
    p_batch_norm=0.5,
    p_relu=0.9,
    p_pooling=0.9,
)
"""The search space of the paper; ``dataclasses.replace`` makes variants of it."""


def random_architecture(rng: np.random.Generator, space: CnnSpace = CNN_SPACE) -> CnnArchitecture:
    """One random architecture; no resource bound is asked.

    Args:
        rng: Source of randomness; equal states give equal architectures.
        space: Ranges and probabilities.
    """
    blocks = [
        random_block(rng, space, parallel=i > 0 and draw_flag(rng, space.p_parallel))
        for i in range(space.blocks.draw(rng))
    ]
    pooling = random_pooling(rng, space) if draw_flag(rng, space.p_pooling) else None
    dense = [random_dense(rng, space) for _ in range(space.dense_layers.draw(rng))]
    return CnnArchitecture(tuple(blocks), pooling, tuple(dense))


def random_block(rng: np.random.Generator, space: CnnSpace, *, parallel: bool) -> ConvBlock:
    """A block of a random number of random layers."""
    layers = [random_layer(rng, space) for _ in range(space.layers.draw(rng))]
    return ConvBlock(parallel, tuple(layers))


def random_layer(
    rng: np.random.Generator, space: CnnSpace, layer_type: LayerType | None = None
) -> ConvLayer:
    """A layer with random genes; of the given type, or of a random one."""
    if layer_type is None:
        layer_type = draw_choice(rng, space.layer_types)
    pointwise, depthwise = layer_type is LayerType.POINTWISE, layer_type is LayerType.DEPTHWISE
    return ConvLayer(
        type=layer_type,
        kernel_size=1 if pointwise else draw_choice(rng, space.kernel_sizes),
        filters=None if depthwise else space.filters.draw(rng),
        stride=1 if pointwise else draw_choice(rng, space.strides),
        prepool=draw_flag(rng, space.p_prepool),
        batch_norm=draw_flag(rng, space.p_batch_norm),
        relu=draw_flag(rng, space.p_relu),
    )


def random_pooling(rng: np.random.Generator, space: CnnSpace) -> Pooling:
    """A final pooling of random kind and size."""
    return Pooling(draw_choice(rng, space.pooling_kinds), draw_choice(rng, space.pooling_sizes))


def random_dense(rng: np.random.Generator, space: CnnSpace) -> DenseLayer:
    """A hidden dense layer with a random number of units."""
    return DenseLayer(space.units.draw(rng))
