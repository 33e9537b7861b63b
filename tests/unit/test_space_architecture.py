# SPDX-License-Identifier: Apache-2.0
"""Architectures as data: JSON in and out, strictness, the hash."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from unas.architecture import (
    Architecture,
    CnnArchitecture,
    ConvBlock,
    ConvLayer,
    DenseLayer,
    LayerType,
    MlpArchitecture,
    Pooling,
    PoolingKind,
    architecture_from_json_dict,
)
from unas.errors import ArchitectureError
from unas.space.cnn import random_architecture
from unas.space.mlp import random_mlp


def _conv(**genes: Any) -> ConvLayer:
    layer = ConvLayer(LayerType.CONV, 3, 8, 1, prepool=False, batch_norm=True, relu=True)
    return replace(layer, **genes)


def _arch() -> CnnArchitecture:
    depthwise = _conv(type=LayerType.DEPTHWISE, filters=None, stride=2)
    blocks = (ConvBlock(False, (_conv(),)), ConvBlock(True, (_conv(prepool=True), depthwise)))
    return CnnArchitecture(blocks, Pooling(PoolingKind.MAX, 4), (DenseLayer(32),))


def test_json_gives_back_the_same_architecture() -> None:
    rng = np.random.default_rng(0)
    archs: list[Architecture] = [random_architecture(rng) for _ in range(50)]
    for arch in [*archs, random_mlp(rng)]:
        text = json.dumps(arch.to_json_dict())
        again = architecture_from_json_dict(json.loads(text))
        assert again == arch
        assert again.sha256 == arch.sha256


def test_the_hash_tells_every_gene_apart() -> None:
    arch = _arch()
    block = arch.blocks[1]
    others: list[Architecture] = [
        replace(arch, pooling=None),
        replace(arch, dense=(DenseLayer(33),)),
        replace(arch, blocks=(arch.blocks[0], replace(block, parallel=False))),
        replace(arch, blocks=(ConvBlock(False, (_conv(relu=False),)), block)),
        replace(arch, blocks=arch.blocks[:1]),
        MlpArchitecture(arch.dense),
    ]
    assert len({arch.sha256, *(x.sha256 for x in others)}) == 1 + len(others)
    assert arch.short_id == arch.sha256[:12]


def test_the_hash_does_not_depend_on_the_order_of_keys() -> None:
    data = _arch().to_json_dict()
    turned = {key: data[key] for key in reversed(data)}
    assert architecture_from_json_dict(turned).sha256 == _arch().sha256


def _set(*path: str | int, to: Any) -> Callable[[dict[str, Any]], None]:
    def change(data: Any) -> None:
        for key in path[:-1]:
            data = data[key]
        data[path[-1]] = to

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("schema", to=2), "schema 2"),
        (_set("space", to="rnn"), "'rnn'"),
        (_set("colour", to=1), "unknown key 'colour'"),
        (lambda data: data.pop("dense"), "'dense' is missing"),
        (_set("blocks", to=[]), "first block"),
        (_set("blocks", 0, "parallel", to=True), "first block"),
        (_set("blocks", 0, "layers", to=[]), "without layers"),
        (_set("blocks", 0, "layers", 0, "type", to="conv3d"), "layers\\[0\\].*conv3d"),
        (_set("blocks", 0, "layers", 0, "filters", to=True), "'filters' is True"),
        (_set("blocks", 0, "layers", 0, "filters", to=None), "filters=None"),
        (_set("blocks", 0, "layers", 0, "filters", to=0), "below 1"),
        (_set("blocks", 0, "layers", 0, "relu", to=1), "'relu' is 1"),
        (_set("blocks", 0, "layers", 0, to=7), "must be a JSON object"),
        (_set("pooling", "size", to="4"), "architecture.pooling: 'size'"),
        (_set("dense", 0, "units", to=1.5), "dense\\[0\\]: 'units'"),
    ],
)
def test_refuses_what_it_does_not_know(
    change: Callable[[dict[str, Any]], None], message: str
) -> None:
    data = copy.deepcopy(_arch().to_json_dict())
    change(data)
    with pytest.raises(ArchitectureError, match=message):
        architecture_from_json_dict(data)


def test_a_pointwise_layer_has_neither_kernel_nor_stride() -> None:
    with pytest.raises(ArchitectureError, match="both are 1"):
        _conv(type=LayerType.POINTWISE)
