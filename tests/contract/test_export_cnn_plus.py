# SPDX-License-Identifier: Apache-2.0
"""Networks of ``cnn+`` in all their forms: Keras, the converter's file, ours, the runtime."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest

from tests.contract.test_export_agreement import converted, structure
from tests.unit.float_network import Array, run_float
from unas.architecture import (
    Architecture,
    CnnPlusArchitecture,
    Connection,
    FinalPooling,
    FinalPoolingKind,
    LayerPadding,
    LayerType,
    PlusBlock,
    PlusLayer,
)
from unas.graph import Graph, OperatorKind
from unas.host.reference import reference_output
from unas.host.runtime import run_on_host
from unas.space.catalogue import find_space
from unas.tflite.lowering import lower_graph
from unas.tflite.order import exported_graph, in_best_order, reorder_flatbuffer
from unas.tflite.writer import write_flatbuffer
from unas.train.keras_model import build_keras_model

MODELS = int(os.environ.get("UNAS_AGREEMENT_MODELS", "4"))
NETWORKS = 40
# Images, a spectrogram, a sequence, and inputs that clip nearly every window.
SHAPES = ((32, 32, 3), (128, 1, 9), (49, 40, 1), (28, 28, 1), (8, 8, 1), (3, 9, 2), (1, 1, 2))
_NARROW: dict[str, object] = {"filters": [1, 24], "units": [10, 40]}
needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="no host C compiler (cc)")


def _drawn(
    seed: int, overrides: dict[str, object] | None = None
) -> tuple[Architecture, tuple[int, int, int]]:
    shape = SHAPES[seed % len(SHAPES)]
    space = find_space("cnn+1d" if shape[1] == 1 < shape[0] else "cnn+", overrides)
    return space.random(np.random.default_rng(seed)), shape


def _everything() -> tuple[Architecture, tuple[int, int, int]]:
    """A shortcut around an inverted bottleneck, one around a stride, a branch, a global average."""
    padded = PlusLayer(
        LayerType.CONV, 5, 3, 8, 2, 1, LayerPadding.SAME, prepool=False, batch_norm=True, relu=True
    )
    wide = PlusLayer(
        LayerType.POINTWISE,
        1,
        1,
        24,
        1,
        1,
        LayerPadding.VALID,
        prepool=False,
        batch_norm=True,
        relu=True,
    )
    deep = PlusLayer(
        LayerType.DEPTHWISE,
        3,
        5,
        None,
        1,
        1,
        LayerPadding.SAME,
        prepool=False,
        batch_norm=False,
        relu=True,
    )
    blocks = (
        PlusBlock(Connection.SERIAL, (padded,)),
        PlusBlock(Connection.RESIDUAL, (wide, deep, wide)),
        PlusBlock(Connection.RESIDUAL, (padded,)),
        PlusBlock(Connection.PARALLEL, (deep,)),
    )
    head = FinalPooling(FinalPoolingKind.GLOBAL_AVERAGE, None)
    return CnnPlusArchitecture(blocks, head, ()), (24, 16, 2)


def _graph(number: int) -> Graph:
    arch, shape = _everything() if number == 0 else _drawn(number)
    space = find_space("cnn+")
    return space.graph(arch, shape, 2 + number)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(MODELS))
def test_the_writer_and_the_converter_give_one_structure(number: int) -> None:
    graph = _graph(number)
    direct = write_flatbuffer(in_best_order(lower_graph(graph)), seed=number, name="direct")
    assert structure(direct) == structure(reorder_flatbuffer(converted(graph, number)))


@needs_compiler
def test_the_runtime_gives_the_golden_bytes() -> None:
    pytest.importorskip("tflite_micro", reason="the wheel is for Linux on x86-64 only")
    kinds = set()
    for seed in range(NETWORKS):
        arch, shape = _drawn(seed, _NARROW) if seed else _everything()
        graph = exported_graph(arch, shape, 5)
        kinds |= {op.kind for op in graph.operators}
        model = write_flatbuffer(graph, seed=seed, name="plus").data
        data = np.random.default_rng(seed).bytes(graph.tensors[graph.inputs[0]].elements)
        run = run_on_host(model, data, arena_bytes=1 << 21, kernels="dsp")
        assert run.output == reference_output(model, data).output, seed
    assert {OperatorKind.MEAN, OperatorKind.ADD, OperatorKind.PAD} <= kinds


@pytest.mark.parametrize("seed", range(6))
def test_keras_computes_the_graph(seed: int) -> None:
    """In floats, against an interpreter of the graph that knows nothing of Keras."""
    arch, shape = _drawn(seed, {"p_batch_norm": 0, "blocks": [1, 5], "filters": [1, 12]})
    graph = find_space("cnn+").graph(arch, shape, 4)
    model = build_keras_model(graph, seed=seed)
    constants: dict[int, Array] = {}
    for position, op in enumerate(graph.operators):
        if len(op.inputs) != 3:
            continue
        layer = model.get_layer(f"op{position}_{op.kind.lower()}")
        kernel, bias = (np.asarray(x, np.float64) for x in layer.get_weights())
        axes = {
            OperatorKind.CONV_2D: (3, 0, 1, 2),
            OperatorKind.DEPTHWISE_CONV_2D: (3, 0, 1, 2),
            OperatorKind.FULLY_CONNECTED: (1, 0),
        }
        constants[op.inputs[1]] = kernel.transpose(axes[op.kind])
        constants[op.inputs[2]] = bias
    data = np.random.default_rng(seed).standard_normal((1, *shape))
    expected = run_float(graph, constants, data)[graph.outputs[0]]
    found = np.asarray(model(data.astype(np.float32)))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())
