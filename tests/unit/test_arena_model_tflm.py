# SPDX-License-Identifier: Apache-2.0
"""The same code learns another runtime's arena: TensorFlow Lite Micro's, as it tells it itself."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tests.unit.arena_networks import random_networks
from unas.cost.memory import ArenaModel
from unas.cost.memory_fit import byte_quality
from unas.graph import Graph
from unas.tflite.writer import write_flatbuffer

_ARENA_BYTES = 8 << 20


def allocated_bytes(graph: Graph, capfd: pytest.CaptureFixture[str]) -> int:
    """What TensorFlow Lite Micro for this machine takes; it tells only in print."""
    runtime = pytest.importorskip("tflite_micro.python.tflite_micro.runtime")
    model = write_flatbuffer(graph, seed=0, name="x").data
    interpreter = runtime.Interpreter.from_bytes(model, arena_size=_ARENA_BYTES)
    capfd.readouterr()
    interpreter.print_allocations()
    printed = "".join(capfd.readouterr())
    found = re.search(r"Arena allocation total (\d+)", printed)
    assert found is not None, printed
    return int(found[1])


def test_learns_tensorflow_lite_micro(capfd: pytest.CaptureFixture[str]) -> None:
    graphs = random_networks(40, seed=21)
    used = [allocated_bytes(graph, capfd) for graph in graphs]
    model = ArenaModel.fit(graphs[:24], used[:24])
    assert model.description.startswith("interpreter")
    predicted = np.array([model.predict(graph).value for graph in graphs[24:]])
    quality = byte_quality(predicted, np.array(used[24:], np.float64))
    assert quality.within_3_percent == 100.0
    assert quality.worst_under_percent < 2.0
