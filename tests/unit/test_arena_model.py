# SPDX-License-Identifier: Apache-2.0
"""Fitting arena and flash: what is found, how sure it is, what is stored."""

from __future__ import annotations

import functools
import json
from typing import Any

import numpy as np
import pytest

from tests.unit.arena_networks import random_networks
from unas.cost.memory import DESCRIPTIONS, ArenaModel, FlashModel
from unas.cost.memory_fit import byte_quality
from unas.errors import StoreError
from unas.graph import Graph
from unas.tflite.writer import write_flatbuffer

_PROGRAM_BYTES = (61_000, 62_000, 64_000)


@functools.cache
def networks() -> tuple[Graph, ...]:
    return tuple(random_networks(48, seed=9))


def imagined_bytes(graph: Graph, description: str, weights: tuple[float, ...]) -> int:
    """A runtime that is made up: each term weighs what it is given."""
    return round(float(np.dot(DESCRIPTIONS[description].count(graph), weights)))


def fitted_arena(description: str, weights: tuple[float, ...], count: int = 30) -> ArenaModel:
    graphs = networks()[:count]
    return ArenaModel.fit(graphs, [imagined_bytes(g, description, weights) for g in graphs])


@pytest.mark.parametrize(
    ("description", "weights"),
    [
        ("builtin-dsp", (1.0, 1.0, 0.0)),
        ("builtin-plain", (1.0, 1.0, 0.0)),
        ("interpreter-cmsis-nn", (1.0, 30.0, 90.0, 8.0, 500.0)),
        ("interpreter-reference", (1.0, 30.0, 90.0, 8.0, 500.0)),
    ],
)
def test_finds_the_runtime_behind_the_numbers(description: str, weights: tuple[float, ...]) -> None:
    model = fitted_arena(description, weights)
    assert model.description == description
    held_out = networks()[30:]
    found = np.array([imagined_bytes(g, description, weights) for g in held_out], np.float64)
    quality = byte_quality(np.array([model.predict(g).value for g in held_out]), found)
    assert quality.within_3_percent == 100.0
    assert quality.worst_under_percent < 0.1
    assert model.quality.networks == 30


def test_a_few_odd_networks_bend_nothing() -> None:
    graphs = networks()[:30]
    used = [imagined_bytes(g, "builtin-dsp", (1.0, 1.0, 0.0)) for g in graphs]
    used[3] = round(used[3] * 0.8)
    model = ArenaModel.fit(graphs, used)
    graph = networks()[-1]
    assert model.predict(graph).value == imagined_bytes(graph, "builtin-dsp", (1.0, 1.0, 0.0))


def test_the_interval_is_as_wide_as_held_out_networks_are_off() -> None:
    graphs = networks()[:40]
    rng = np.random.default_rng(2)
    off = rng.uniform(0.9, 1.1, len(graphs))
    used = [
        round(imagined_bytes(g, "builtin-dsp", (1.0, 1.0, 0.0)) * o)
        for g, o in zip(graphs, off, strict=True)
    ]
    model = ArenaModel.fit(graphs, used)
    predictions = [model.predict(g) for g in graphs]
    assert all(p.lower <= p.value <= p.upper for p in predictions)
    inside = [p.lower <= u <= p.upper for p, u in zip(predictions, used, strict=True)]
    assert np.mean(inside) >= 0.85
    assert predictions[0].upper / predictions[0].lower > 1.1


def test_copies_of_a_network_are_one_network() -> None:
    graphs = networks()[:7] * 5
    with pytest.raises(StoreError, match="7 different networks"):
        ArenaModel.fit(graphs, [1000] * len(graphs))


def test_survives_being_stored() -> None:
    model = fitted_arena("builtin-dsp", (1.0, 1.0, 0.0))
    stored = json.loads(json.dumps(model.to_json_dict()))
    assert ArenaModel.from_json_dict(stored) == model


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d.pop("fitted"),
        lambda d: d.update(extra=1),
        lambda d: d.update(description="another"),
        lambda d: d.update(description=[]),
        lambda d: d.update(fitted=[]),
        lambda d: d["fitted"].pop("nominal"),
        lambda d: d["fitted"].update(coefficients=[1.0]),
        lambda d: d["fitted"].update(coefficients=["one", 1.0, 1.0]),
        lambda d: d["fitted"].update(lower_ratio=float("nan")),
        lambda d: d["fitted"].update(lower_ratio="1"),
        lambda d: d["fitted"]["quality"].update(surprise=1),
    ],
)
def test_refuses_what_is_no_stored_model(damage: Any) -> None:
    data = fitted_arena("builtin-dsp", (1.0, 1.0, 0.0)).to_json_dict()
    damage(data)
    with pytest.raises(StoreError, match="calibrate again"):
        ArenaModel.from_json_dict(data)


def test_flash_is_program_and_flatbuffer() -> None:
    graphs = networks()
    sizes = [write_flatbuffer(g, seed=1, name="x").flatbuffer_bytes for g in graphs]
    programs = [_PROGRAM_BYTES[i % 3] for i in range(30)]
    model = FlashModel.fit(graphs[:30], sizes[:30], programs)
    held_out = [model.predict_flatbuffer(g).value for g in graphs[30:]]
    quality = byte_quality(np.array(held_out), np.array(sizes[30:], np.float64))
    assert quality.within_3_percent == 100.0
    file, image = model.predict_flatbuffer(graphs[-1]), model.predict(graphs[-1])
    assert image.value - file.value == _PROGRAM_BYTES[1]
    assert image.lower - file.lower == _PROGRAM_BYTES[0]
    assert image.upper - file.upper == _PROGRAM_BYTES[2]
    stored = json.loads(json.dumps(model.to_json_dict()))
    assert FlashModel.from_json_dict(stored) == model
    with pytest.raises(StoreError, match="calibrate again"):
        FlashModel.from_json_dict(stored | {"program_bytes": 1.5})
