# SPDX-License-Identifier: Apache-2.0
"""Random draws: every value of every range comes, as often as it should."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from unas.architecture import CnnArchitecture, ConvLayer, DenseLayer, LayerType
from unas.errors import ArchitectureError, ConfigError
from unas.resources.estimate import footprint
from unas.space.build import build_graph
from unas.space.cnn import CNN_SPACE, random_architecture, random_layer
from unas.space.mlp import MLP_SPACE, random_mlp
from unas.space.ranges import IntRange
from unas.space.sample import draw_within

_COUNT = 4000


@pytest.fixture(scope="module")
def architectures() -> list[CnnArchitecture]:
    rng = np.random.default_rng(2010)
    return [random_architecture(rng) for _ in range(_COUNT)]


@pytest.fixture(scope="module")
def layers(architectures: list[CnnArchitecture]) -> list[ConvLayer]:
    return [x for arch in architectures for block in arch.blocks for x in block.layers]


def _assert_share(hits: int, total: int, probability: float) -> None:
    """Within five standard deviations."""
    assert abs(hits - total * probability) < 5 * math.sqrt(total * probability * (1 - probability))


def _assert_uniform(values: list[int], allowed: IntRange | tuple[int, ...]) -> None:
    counts = Counter(values)
    options = range(allowed.low, allowed.high + 1) if isinstance(allowed, IntRange) else allowed
    assert set(counts) == set(options)
    for option in options:
        _assert_share(counts[option], len(values), 1 / len(options))


def test_every_draw_is_in_the_space(architectures: list[CnnArchitecture]) -> None:
    for arch in architectures:
        CNN_SPACE.validate(arch)


def test_counts_are_uniform_up_to_their_maximum(architectures: list[CnnArchitecture]) -> None:
    space = CNN_SPACE
    _assert_uniform([len(x.blocks) for x in architectures], space.blocks)
    _assert_uniform([len(b.layers) for x in architectures for b in x.blocks], space.layers)
    _assert_uniform([len(x.dense) for x in architectures], space.dense_layers)
    _assert_uniform([d.units for x in architectures for d in x.dense], space.units)


def test_layers_are_uniform_in_type_kernel_filters_and_stride(layers: list[ConvLayer]) -> None:
    for kind in LayerType:
        _assert_share(sum(x.type is kind for x in layers), len(layers), 1 / 3)
    spatial = [x for x in layers if x.type is not LayerType.POINTWISE]
    _assert_uniform([x.kernel_size for x in spatial], CNN_SPACE.kernel_sizes)
    _assert_uniform([x.stride for x in spatial], CNN_SPACE.strides)
    _assert_uniform([x.filters for x in layers if x.filters is not None], CNN_SPACE.filters)


def test_flags_have_their_probabilities(
    architectures: list[CnnArchitecture], layers: list[ConvLayer]
) -> None:
    later = [block for arch in architectures for block in arch.blocks[1:]]
    _assert_share(sum(x.parallel for x in later), len(later), CNN_SPACE.p_parallel)
    _assert_share(sum(x.prepool for x in layers), len(layers), CNN_SPACE.p_prepool)
    _assert_share(sum(x.batch_norm for x in layers), len(layers), CNN_SPACE.p_batch_norm)
    _assert_share(sum(x.relu for x in layers), len(layers), CNN_SPACE.p_relu)
    pools = [x.pooling for x in architectures if x.pooling is not None]
    _assert_share(len(pools), len(architectures), CNN_SPACE.p_pooling)
    _assert_uniform([x.size for x in pools], CNN_SPACE.pooling_sizes)
    for kind in CNN_SPACE.pooling_kinds:
        _assert_share(sum(x.kind is kind for x in pools), len(pools), 1 / 2)


def test_one_seed_gives_one_architecture() -> None:
    first, again, other = (random_architecture(np.random.default_rng(s)) for s in (5, 5, 6))
    assert first == again != other


def test_number_of_distinct_layers() -> None:
    """7,216 by the count of Liberis et al.'s schema that comes with the method's description."""
    space = CNN_SPACE
    flags = 2**3  # prepool, batch norm, ReLU
    spatial = len(space.kernel_sizes) * len(space.strides)
    conv, pointwise, depthwise = spatial * len(space.filters), len(space.filters), spatial
    assert (conv + pointwise + depthwise) * flags == 7216


def test_the_size_of_the_space_is_the_reference_s() -> None:
    """Distinct descriptions: about 10^126.5, as counted on the reference's schema."""
    space = CNN_SPACE
    spatial = len(space.kernel_sizes) * len(space.strides)
    layer = ((spatial + 1) * len(space.filters) + spatial) * 2**3
    block = sum(layer**n for n in range(space.layers.low, space.layers.high + 1))
    blocks = sum(block**n * 2 ** (n - 1) for n in range(space.blocks.low, space.blocks.high + 1))
    pooling = 1 + len(space.pooling_kinds) * len(space.pooling_sizes)
    dense = sum(
        len(space.units) ** n for n in range(space.dense_layers.low, space.dense_layers.high + 1)
    )
    assert math.log10(blocks * pooling * dense) == pytest.approx(126.5, abs=0.2)


def test_validate_names_the_gene() -> None:
    arch = random_architecture(np.random.default_rng(0))
    with pytest.raises(ArchitectureError, match=r"dense\[0\]: units is 257.*10\.\.256"):
        CNN_SPACE.validate(replace(arch, dense=(DenseLayer(257),)))
    with pytest.raises(ArchitectureError, match="hidden dense layers is 0"):
        CNN_SPACE.validate(replace(arch, dense=()))
    with pytest.raises(ArchitectureError, match="number of blocks"):
        CNN_SPACE.validate(replace(arch, blocks=arch.blocks[:1] * 11))
    wide = replace(CNN_SPACE, filters=IntRange(200, 200))
    layer = random_layer(np.random.default_rng(0), wide, LayerType.CONV)
    block = replace(arch.blocks[0], layers=(layer,))
    with pytest.raises(ArchitectureError, match=r"blocks\[0\]\.layers\[0\]: filters is 200"):
        CNN_SPACE.validate(replace(arch, blocks=(block,)))


def test_an_empty_range_is_refused() -> None:
    with pytest.raises(ConfigError, match="empty"):
        IntRange(2, 1)


def test_mlps_are_drawn_from_their_whole_space() -> None:
    rng = np.random.default_rng(0)
    mlps = [random_mlp(rng) for _ in range(_COUNT)]
    for mlp in mlps:
        MLP_SPACE.validate(mlp)
    _assert_uniform([len(x.dense) for x in mlps], MLP_SPACE.dense_layers)
    with pytest.raises(ArchitectureError, match="hidden dense layers is 8"):
        MLP_SPACE.validate(replace(mlps[0], dense=(DenseLayer(10),) * 8))


def test_draw_within_keeps_both_bounds() -> None:
    rng = np.random.default_rng(1)
    for _ in range(8):
        arch = draw_within(
            rng,
            CNN_SPACE,
            (32, 32, 3),
            10,
            footprint=footprint,
            max_model_size_bytes=60_000,
            max_peak_memory_bytes=30_000,
        )
        CNN_SPACE.validate(arch)
        cost = footprint(build_graph(arch, (32, 32, 3), 10))
        assert cost.model_size_bytes <= 60_000
        assert cost.peak_memory_bytes <= 30_000


def test_draw_within_gives_up_on_impossible_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unas.space.sample._STARTS", 2)
    monkeypatch.setattr("unas.space.sample._STEPS_BEFORE_NEW_START", 5)
    with pytest.raises(ArchitectureError, match="raise the bounds"):
        draw_within(
            np.random.default_rng(0),
            CNN_SPACE,
            (32, 32, 3),
            10,
            footprint=footprint,
            max_model_size_bytes=10,
            max_peak_memory_bytes=10,
        )
