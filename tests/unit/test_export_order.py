# SPDX-License-Identifier: Apache-2.0
"""The order in the file is a best one, and the file is otherwise untouched."""

from __future__ import annotations

import numpy as np
import pytest
import tflite

from tests.export_graphs import branches, every_operator
from unas.artifact import Flatbuffer
from unas.errors import ModelError
from unas.graph import Graph
from unas.resources.liveness import analyse
from unas.resources.order_search import peak_memory
from unas.space.build import build_graph
from unas.space.cnn import random_architecture
from unas.tflite.order import in_best_order, reorder_flatbuffer
from unas.tflite.reader import read_flatbuffer
from unas.tflite.writer import write_flatbuffer


def peak_as_listed(graph: Graph) -> int:
    """Peak memory of the order in which the operators stand."""
    problem = analyse(graph, count_input=True, in_place_add=False)
    return max(problem.working_sets(range(len(graph.operators))))


def random_graph(seed: int) -> Graph:
    return build_graph(random_architecture(np.random.default_rng(seed)), (32, 32, 3), 10)


def test_branches_run_one_after_the_other() -> None:
    graph = branches()
    pixels = 8 * 8
    assert peak_as_listed(graph) == pixels * (4 + 40 + 40)
    assert peak_as_listed(in_best_order(graph)) == pixels * (4 + 40 + 2)


@pytest.mark.parametrize("seed", range(20))
def test_the_order_in_the_graph_reaches_the_peak(seed: int) -> None:
    graph = random_graph(seed)
    best = peak_memory(graph, count_input=True, in_place_add=False).bytes
    assert peak_as_listed(in_best_order(graph)) == best <= peak_as_listed(graph)


@pytest.mark.parametrize("seed", range(20))
def test_the_order_does_not_depend_on_the_one_before(seed: int) -> None:
    graph = random_graph(seed)
    rng = np.random.default_rng(seed)
    assert in_best_order(graph.reordered(_any_order(graph, rng))) == in_best_order(graph)


def _any_order(graph: Graph, rng: np.random.Generator) -> tuple[int, ...]:
    """A random topological order."""
    order: list[int] = []
    while len(order) < len(graph.operators):
        ready = [
            i
            for i, op in enumerate(graph.operators)
            if i not in order
            and all(graph.producer(x) in (None, *order) for x in graph.activations_of(op))
        ]
        order.append(int(rng.choice(ready)))
    return tuple(order)


def test_a_file_is_reordered_in_place() -> None:
    model = write_flatbuffer(branches(), seed=0, name="branches")
    better = reorder_flatbuffer(model)
    assert len(better.data) == len(model.data)
    assert better.name == model.name
    before, after = (read_flatbuffer(m.data, m.name) for m in (model, better))
    assert after.tensors == before.tensors
    assert sorted(map(repr, after.operators)) == sorted(map(repr, before.operators))
    assert after == in_best_order(before)
    changed = sum(a != b for a, b in zip(model.data, better.data, strict=True))
    assert 0 < changed <= 4 * len(before.operators)
    assert reorder_flatbuffer(better) == better


def test_constants_and_quantization_stay() -> None:
    model = write_flatbuffer(branches(), seed=0, name="branches")
    schemas = [tflite.Model.GetRootAs(m.data) for m in (model, reorder_flatbuffer(model))]
    for index in range(schemas[0].Subgraphs(0).TensorsLength()):
        one, other = (m.Subgraphs(0).Tensors(index) for m in schemas)
        assert one.Quantization() is None or np.array_equal(
            one.Quantization().ScaleAsNumpy(), other.Quantization().ScaleAsNumpy()
        )
        data = [m.Buffers(one.Buffer()).DataAsNumpy() for m in schemas]
        assert np.array_equal(*data)


def test_writing_the_best_order_needs_no_reordering() -> None:
    model = write_flatbuffer(in_best_order(every_operator()), seed=0, name="x")
    assert reorder_flatbuffer(model) == model


def test_what_cannot_be_read_is_not_reordered() -> None:
    with pytest.raises(ModelError, match=r"junk is no TFLite file"):
        reorder_flatbuffer(Flatbuffer(b"junk", "junk"))
