# SPDX-License-Identifier: Apache-2.0
"""The built-in runtime's bytes against TensorFlow Lite Micro's, over hundreds of drawn graphs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.firmware.random_graphs import ADD, draw_network, draw_operator
from tests.firmware.wild_quantization import Mode, rewrite_quantization
from unas.errors import UnsupportedOperatorError
from unas.graph import Graph, OperatorKind
from unas.host.reference import reference_output
from unas.host.runtime import run_on_host
from unas.tflite.writer import write_flatbuffer

tflite_micro = pytest.importorskip(
    "tflite_micro", reason="the tflite-micro wheel is for Linux on x86-64 only"
)
pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no host C compiler (cc)")

TAME, WILD, NETWORKS = 60, 80, 200
ARENA_BYTES = 1 << 20


def _schema() -> Any:
    from tflite_micro.tensorflow.lite.micro.python import schema_py_generated

    return schema_py_generated


def _input_bytes(graph: Graph, rng: np.random.Generator) -> bytes:
    return rng.bytes(graph.tensors[graph.inputs[0]].elements)


def _expect_equal(model: bytes, input_bytes: bytes, case: str) -> bytes:
    outputs = [
        run_on_host(model, input_bytes, arena_bytes=ARENA_BYTES, kernels=kernels).output
        for kernels in ("plain", "dsp")
    ]
    golden = reference_output(model, input_bytes)
    assert golden.source.startswith("tflite-micro ")
    assert outputs == [golden.output] * len(outputs), case
    return golden.output


@pytest.mark.parametrize("kind", ADD)
def test_an_operator_gives_the_golden_bytes(kind: OperatorKind) -> None:
    saturated = 0
    for seed in range(TAME):
        rng = np.random.default_rng([seed, list(ADD).index(kind)])
        graph = draw_operator(kind, rng)
        model = write_flatbuffer(graph, seed=seed, name=kind).data
        output = _expect_equal(model, _input_bytes(graph, rng), f"seed {seed}: {graph.operators}")
        saturated += len(output) > 4 and set(output) <= {0x80, 0x7F}
    assert saturated < TAME // 5  # else equality would say little


@pytest.mark.slow
@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("kind", ADD)
def test_an_operator_gives_the_golden_bytes_whatever_its_scales(
    kind: OperatorKind, mode: Mode
) -> None:
    refused = 0  # scales so far apart that TFLM aborts the process
    for seed in range(WILD):
        rng = np.random.default_rng([seed, list(ADD).index(kind), mode.value])
        graph = draw_operator(kind, rng)
        tame = write_flatbuffer(graph, seed=seed, name=kind).data
        model = rewrite_quantization(tame, kind, mode, _schema(), rng)
        try:
            _expect_equal(model, _input_bytes(graph, rng), f"seed {seed}: {graph.operators}")
        except UnsupportedOperatorError:
            refused += 1
    assert refused < WILD // 5


def test_branched_networks_give_the_golden_bytes() -> None:
    for seed in range(NETWORKS):
        rng = np.random.default_rng([seed, 11])
        graph = draw_network(rng, int(rng.integers(2, 14)))
        model = write_flatbuffer(graph, seed=seed, name="network").data
        kinds = [str(op.kind) for op in graph.operators]
        _expect_equal(model, _input_bytes(graph, rng), f"seed {seed}: {kinds}")


@pytest.mark.parametrize("name", ["kws_ref_model", "pretrainedResnet_quant"])
def test_published_models_give_the_golden_bytes(name: str, mlperf_tiny: Path) -> None:
    model = (mlperf_tiny / f"{name}.tflite").read_bytes()
    interpreter = tflite_micro.runtime.Interpreter.from_bytes(model, arena_size=ARENA_BYTES)
    elements = int(np.prod(interpreter.get_input_details(0)["shape"]))
    rng = np.random.default_rng(0)
    outputs = {_expect_equal(model, rng.bytes(elements), name) for _ in range(10)}
    assert len(outputs) > 1
