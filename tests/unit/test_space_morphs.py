# SPDX-License-Identifier: Apache-2.0
"""Morphisms: each child is in the space and differs from its parent by what the morph says."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields, replace

import numpy as np
import pytest

from unas.architecture import CnnArchitecture, ConvBlock, ConvLayer, LayerType
from unas.space.cnn import CNN_SPACE, random_architecture, random_dense, random_layer
from unas.space.morphs import Morph, MorphKind, morphs, random_morph
from unas.space.ranges import IntRange

_GENES = {
    MorphKind.TOGGLE_BATCH_NORM: "batch_norm",
    MorphKind.TOGGLE_RELU: "relu",
    MorphKind.TOGGLE_PREPOOL: "prepool",
    MorphKind.CHANGE_FILTERS: "filters",
    MorphKind.CHANGE_KERNEL: "kernel_size",
    MorphKind.TOGGLE_STRIDE: "stride",
}
_STEPS = {1, 3, 5}


def _layers(arch: CnnArchitecture) -> list[ConvLayer]:
    return [layer for block in arch.blocks for layer in block.layers]


def _changed_layers(parent: CnnArchitecture, child: CnnArchitecture) -> list[tuple[ConvLayer, ...]]:
    pairs = zip(_layers(parent), _layers(child), strict=True)
    return [(old, new) for old, new in pairs if old != new]


def _without(layers: tuple[object, ...]) -> set[tuple[object, ...]]:
    return {layers[:i] + layers[i + 1 :] for i in range(len(layers))}


def _check_gene(kind: MorphKind, parent: CnnArchitecture, child: CnnArchitecture) -> None:
    ((old, new),) = _changed_layers(parent, child)
    gene = _GENES[kind]
    assert [f.name for f in fields(old) if getattr(old, f.name) != getattr(new, f.name)] == [gene]
    before, after = getattr(old, gene), getattr(new, gene)
    if kind is MorphKind.CHANGE_FILTERS:
        assert abs(after - before) in _STEPS
    if kind is MorphKind.CHANGE_KERNEL:
        assert abs(after - before) == 2


def _check_blocks(kind: MorphKind, parent: CnnArchitecture, child: CnnArchitecture) -> None:
    assert (child.pooling, child.dense) == (parent.pooling, parent.dense)
    old, new = parent.blocks, child.blocks
    if kind is MorphKind.ADD_BLOCK:
        assert new[:-1] == old
        assert len(new[-1].layers) == 1
    elif kind is MorphKind.REMOVE_BLOCK:
        assert tuple(x.layers for x in new) in _without(tuple(x.layers for x in old))
        serial = sum(not x.parallel for x in old)
        # A serial block passes its role on to a parallel one behind it.
        assert sum(not x.parallel for x in new) in (serial, serial - 1)
    elif kind is MorphKind.TOGGLE_PARALLEL:
        flips = [a != b for a, b in zip(old, new, strict=True)]
        assert sum(flips) == 1
        assert [x.layers for x in old] == [x.layers for x in new]
    elif kind is MorphKind.CHANGE_TYPE:
        ((layer, retyped),) = _changed_layers(parent, child)
        assert layer.type is not retyped.type
    else:
        ((before, after),) = [(a, b) for a, b in zip(old, new, strict=True) if a != b]
        assert before.parallel == after.parallel
        longer, shorter = (after, before) if kind is MorphKind.INSERT_LAYER else (before, after)
        assert shorter.layers in _without(longer.layers)


def _check_head(kind: MorphKind, parent: CnnArchitecture, child: CnnArchitecture) -> None:
    assert child.blocks == parent.blocks
    old, new = parent.pooling, child.pooling
    if kind is MorphKind.TOGGLE_POOLING:
        assert (old is None) != (new is None)
        assert child.dense == parent.dense
    elif kind is MorphKind.CHANGE_POOLING_KIND:
        assert old is not None
        assert new is not None
        assert old.kind is not new.kind
        assert old.size == new.size
    elif kind is MorphKind.CHANGE_POOLING_SIZE:
        assert old is not None
        assert new is not None
        assert old.kind is new.kind
        assert abs(old.size - new.size) == 2
    elif kind is MorphKind.ADD_DENSE:
        assert child.dense[:-1] == parent.dense
    elif kind is MorphKind.REMOVE_DENSE:
        assert child.dense in _without(parent.dense)
    else:
        pairs = zip(parent.dense, child.dense, strict=True)
        steps = [abs(a.units - b.units) for a, b in pairs if a != b]
        assert len(steps) == 1
        assert steps[0] in _STEPS


_HEAD = {
    MorphKind.TOGGLE_POOLING,
    MorphKind.CHANGE_POOLING_KIND,
    MorphKind.CHANGE_POOLING_SIZE,
    MorphKind.ADD_DENSE,
    MorphKind.REMOVE_DENSE,
    MorphKind.CHANGE_UNITS,
}


def _check(morph: Morph[CnnArchitecture], parent: CnnArchitecture, child: CnnArchitecture) -> None:
    CNN_SPACE.validate(child)
    assert child != parent
    if morph.kind in _GENES:
        _check_gene(morph.kind, parent, child)
        assert (child.pooling, child.dense) == (parent.pooling, parent.dense)
    elif morph.kind in _HEAD:
        _check_head(morph.kind, parent, child)
    else:
        _check_blocks(morph.kind, parent, child)


def test_every_morph_does_what_it_says_and_stays_in_the_space() -> None:
    rng = np.random.default_rng(0)
    seen: Counter[MorphKind] = Counter()
    for _ in range(60):
        parent = random_architecture(rng)
        for morph in morphs(parent):
            _check(morph, parent, morph.apply(rng))
            seen[morph.kind] += 1
    only_in_cnn_plus = {MorphKind.CHANGE_CONNECTION, MorphKind.TOGGLE_PADDING}
    assert set(seen) == set(MorphKind) - only_in_cnn_plus


def test_a_long_walk_stays_in_the_space() -> None:
    rng = np.random.default_rng(1)
    arch = random_architecture(rng)
    for _ in range(500):
        arch = random_morph(rng, arch)
        CNN_SPACE.validate(arch)


def test_an_inserted_layer_can_come_last() -> None:
    rng = np.random.default_rng(2)
    old = random_layer(rng, CNN_SPACE)
    dense = (random_dense(rng, CNN_SPACE),)
    parent = CnnArchitecture((ConvBlock(False, (old,)),), None, dense)
    (insert,) = [x for x in morphs(parent) if x.kind is MorphKind.INSERT_LAYER]
    places = {insert.apply(rng).blocks[0].layers.index(old) for _ in range(40)}
    assert places == {0, 1}


def test_bounds_close_the_morphs_beyond_them() -> None:
    rng = np.random.default_rng(3)
    layer = replace(random_layer(rng, CNN_SPACE, LayerType.CONV), filters=1, kernel_size=7)
    dense = (random_dense(rng, CNN_SPACE),)
    smallest = CnnArchitecture((ConvBlock(False, (layer,)),), None, dense)
    kinds = Counter(x.kind for x in morphs(smallest))
    assert kinds[MorphKind.CHANGE_FILTERS] == len(_STEPS)  # only upwards
    assert kinds[MorphKind.CHANGE_KERNEL] == 1  # only downwards
    for absent in (MorphKind.REMOVE_BLOCK, MorphKind.REMOVE_LAYER, MorphKind.REMOVE_DENSE):
        assert kinds[absent] == 0
    full = CnnArchitecture((ConvBlock(False, (layer,) * 3),) * 10, None, dense * 3)
    kinds = Counter(x.kind for x in morphs(full))
    for absent in (MorphKind.ADD_BLOCK, MorphKind.INSERT_LAYER, MorphKind.ADD_DENSE):
        assert kinds[absent] == 0


@pytest.mark.parametrize("removed", [0, 1])
def test_a_branch_whose_serial_block_goes_becomes_serial(removed: int) -> None:
    rng = np.random.default_rng(4)
    blocks = [ConvBlock(parallel, (random_layer(rng, CNN_SPACE),)) for parallel in (False, True)]
    parent = CnnArchitecture(tuple(blocks), None, (random_dense(rng, CNN_SPACE),))
    removals = [x for x in morphs(parent) if x.kind is MorphKind.REMOVE_BLOCK]
    # One removes a random block, and each block of a single layer has its own.
    child = removals[1 + removed].apply(rng)
    assert child.blocks == (replace(blocks[1 - removed], parallel=False),)


# Shares of all morphs of 400 random parents, in per cent, as counted on the reference's code.
_REFERENCE_SHARES = {
    (MorphKind.CHANGE_FILTERS,): 27.2,
    (
        MorphKind.TOGGLE_BATCH_NORM,
        MorphKind.TOGGLE_RELU,
        MorphKind.TOGGLE_PREPOOL,
        MorphKind.TOGGLE_STRIDE,
    ): 24.9,
    (MorphKind.CHANGE_TYPE,): 13.6,
    (MorphKind.CHANGE_UNITS,): 8.6,
    (MorphKind.CHANGE_KERNEL,): 6.7,
    (MorphKind.INSERT_LAYER,): 4.6,
    (MorphKind.TOGGLE_PARALLEL,): 3.6,
    (MorphKind.REMOVE_BLOCK,): 3.1,
    (MorphKind.REMOVE_LAYER,): 2.2,
    (MorphKind.CHANGE_POOLING_SIZE,): 1.3,
    (MorphKind.ADD_BLOCK,): 0.95,
    (MorphKind.TOGGLE_POOLING,): 0.95,
    (MorphKind.ADD_DENSE,): 0.95,
    (MorphKind.CHANGE_POOLING_KIND,): 0.85,
    (MorphKind.REMOVE_DENSE,): 0.5,
}


def test_kinds_are_as_frequent_as_in_the_reference() -> None:
    """On parents as the reference draws them: its generator never draws the largest value."""
    drawn = replace(
        CNN_SPACE,
        blocks=IntRange(1, 9),
        layers=IntRange(1, 2),
        kernel_sizes=(3, 5),
        filters=IntRange(1, 127),
        pooling_sizes=(2, 4),
        dense_layers=IntRange(1, 2),
        units=IntRange(10, 255),
    )
    rng, found = np.random.default_rng(0), Counter[MorphKind]()
    for _ in range(1000):
        found.update(morph.kind for morph in morphs(random_architecture(rng, drawn)))
    for kinds, share in _REFERENCE_SHARES.items():
        ours = 100 * sum(found[kind] for kind in kinds) / found.total()
        # 400 parents of the reference against 1,000: the larger classes scatter by half a point.
        assert ours == pytest.approx(share, abs=0.7, rel=0.05), kinds
