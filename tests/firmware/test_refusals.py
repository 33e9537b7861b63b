# SPDX-License-Identifier: Apache-2.0
"""What the runtime cannot run it refuses by name: the operator, its index, the reason."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import flatbuffers
import numpy as np
import pytest
import tflite

from tests.firmware.random_graphs import ADD, Sketch
from unas.errors import ModelError, UnasError, UnsupportedOperatorError
from unas.graph import ConvOptions, ElementType, OperatorKind, Padding
from unas.host.runtime import run_on_host
from unas.tflite.writer import write_flatbuffer

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no host C compiler (cc)")

CONV, PAD, RELU, SOFTMAX = range(4)  # operators of the model that is spoilt


def _model() -> bytes:
    sketch = Sketch(np.random.default_rng(0))
    x = sketch.input((1, 6, 6, 4))
    weights, bias = sketch.constant((8, 3, 3, 4)), sketch.constant((8,), ElementType.INT32)
    options = ConvOptions(padding=Padding.SAME)
    x = sketch.append(OperatorKind.CONV_2D, (x, weights, bias), (1, 6, 6, 8), options)
    for kind in (OperatorKind.PAD, OperatorKind.RELU, OperatorKind.SOFTMAX):
        x = ADD[kind](sketch, x)
    return write_flatbuffer(sketch.finish(x), seed=0, name="model").data


def _refusal(model: bytes) -> UnasError:
    with pytest.raises(ModelError) as caught:
        run_on_host(model, bytes(6 * 6 * 4), arena_bytes=1 << 16)
    return caught.value


def _spoilt(spoil: Callable[[Any, Any], None]) -> UnasError:
    """The refusal of the model after a change to its object tree (model, subgraph)."""
    reason = "TFLite's schema as objects comes with the tflite-micro wheel (Linux on x86-64)"
    pytest.importorskip("tflite_micro", reason=reason)
    from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(_model(), 0))
    spoil(tree, tree.subgraphs[0])
    builder = flatbuffers.Builder(1 << 14)
    builder.Finish(tree.Pack(builder), file_identifier=b"TFL3")
    return _refusal(bytes(builder.Output()))


def _tensor(graph: Any, operator: int, slot: int) -> Any:
    """Input of an operator by its slot; slot -1 is the output."""
    op = graph.operators[operator]
    return graph.tensors[op.outputs[0] if slot == -1 else op.inputs[slot]]


def test_the_model_runs_unspoilt() -> None:
    run = run_on_host(_model(), bytes(6 * 6 * 4), arena_bytes=1 << 16)
    assert run.operators == ("CONV_2D", "PAD", "RELU", "SOFTMAX")


@pytest.mark.parametrize("data", [b"", b"\0" * 7, b"TFL3", b"not a model at all", bytes(64)])
def test_what_is_no_flatbuffer(data: bytes) -> None:
    assert "not a TensorFlow Lite flatbuffer" in str(_refusal(data))


def test_a_file_that_is_cut_off() -> None:
    model = _model()
    error = _refusal(model[: len(model) // 2])
    assert type(error) is ModelError
    assert str(error).endswith("export it again")


def test_each_operator_without_kernel_is_named() -> None:
    codes = {v: k for k, v in vars(tflite.BuiltinOperator).items() if isinstance(v, int)}
    without_kernel = {
        c: name for c, name in codes.items() if name not in set(map(str, OperatorKind))
    }
    for code, name in without_kernel.items():

        def spoil(tree: Any, graph: Any, code: int = code) -> None:
            entry = tree.operatorCodes[graph.operators[RELU].opcodeIndex]
            entry.builtinCode, entry.deprecatedBuiltinCode = code, min(code, 127)

        error = _spoilt(spoil)
        assert isinstance(error, UnsupportedOperatorError)
        assert f"operator 2: no kernel for {name};" in str(error)


def test_a_float_model_names_its_first_operator() -> None:
    def spoil(tree: Any, graph: Any) -> None:
        for tensor in graph.tensors:
            tensor.type = tflite.TensorType.FLOAT32

    error = _spoilt(spoil)
    assert isinstance(error, UnsupportedOperatorError)
    assert "operator 0 (CONV_2D): tensor 0 is float32; quantise to int8" in str(error)


def _set(attribute: str, value: Any) -> Callable[[Any], None]:
    return lambda item: setattr(item, attribute, value)


Spoil = Callable[[Any, Any], None]


def _of_options(operator: int, attribute: str, value: Any) -> Spoil:
    return lambda _, graph: setattr(graph.operators[operator].builtinOptions, attribute, value)


def _of_tensor(operator: int, slot: int, attribute: str, value: Any) -> Spoil:
    return lambda _, graph: setattr(_tensor(graph, operator, slot), attribute, value)


def _of_quantization(operator: int, slot: int, attribute: str, value: Any) -> Spoil:
    return lambda _, graph: setattr(
        _tensor(graph, operator, slot).quantization, attribute, np.array(value)
    )


def _of_operator(operator: int, attribute: str, value: Any) -> Spoil:
    return lambda _, graph: setattr(graph.operators[operator], attribute, np.array(value, np.int32))


def _of_graph(attribute: str, value: Any) -> Spoil:
    return lambda _, graph: setattr(graph, attribute, np.array(value, np.int32))


def _cut_weights(tree: Any, graph: Any) -> None:
    buffer = tree.buffers[_tensor(graph, CONV, 1).buffer]
    buffer.data = buffer.data[:-4]


F32, I64, I32 = np.float32, np.int64, np.int32
UNSUPPORTED: dict[str, tuple[Spoil, str]] = {
    "tanh": (_of_options(CONV, "fusedActivationFunction", 4), "operator 0 (CONV_2D): its fused"),
    "groups": (_of_tensor(CONV, 0, "shape", np.array([1, 6, 3, 8], I32)), "grouped convolution"),
    "weights' zero point": (
        _of_quantization(CONV, 1, "zeroPoint", np.full(8, 3, I64)),
        "zero point 0",
    ),
    "softmax scale": (_of_quantization(SOFTMAX, -1, "scale", np.array([0.1], F32)), "not 1/256"),
    "pad scale": (_of_tensor(PAD, 1, "type", 4), "operator 1 (PAD): tensor 4 is int64"),
    "five dimensions": (_of_tensor(PAD, -1, "shape", np.ones(5, I32)), "more than 4 dimensions"),
    "two outputs": (_of_graph("outputs", [3, 5]), "1 inputs and 2 outputs"),
    "two subgraphs": (lambda tree, _: tree.subgraphs.append(tree.subgraphs[0]), "2 subgraphs"),
}
BROKEN: dict[str, tuple[Spoil, str]] = {
    "output shape": (
        _of_tensor(CONV, -1, "shape", np.array([1, 6, 6, 9], I32)),
        "operator 0 (CONV_2D)",
    ),
    "larger output": (
        _of_tensor(CONV, -1, "shape", np.array([1, 9, 9, 8], I32)),
        "operator 0 (CONV_2D)",
    ),
    "too few weights": (_cut_weights, "bytes do not fit its shape"),
    "unknown size": (_of_tensor(CONV, -1, "shape", np.array([1, -1, 6, 8], I32)), "dimension"),
    "gigantic": (_of_tensor(CONV, -1, "shape", np.full(4, 2**20, I32)), "gigantic"),
    "no stride": (_of_options(CONV, "strideH", 0), "does not fit"),
    "bias count": (_of_tensor(CONV, 2, "shape", np.array([7], I32)), "operator 0 (CONV_2D)"),
    "scales": (_of_quantization(CONV, 1, "scale", np.ones(7, F32)), "scales do not match"),
    "a scale of NaN": (_of_quantization(CONV, 1, "scale", np.full(8, np.nan, F32)), "no number"),
    "no scale": (_of_quantization(RELU, -1, "scale", np.zeros(0, F32)), "has no scale"),
    "zero point": (_of_quantization(RELU, -1, "zeroPoint", np.array([300], I64)), "zero points"),
    "no such tensor": (_of_operator(RELU, "inputs", [99]), "operator 2 (RELU): it names a tensor"),
    "reads the future": (_of_operator(PAD, "inputs", [7, 4]), "nothing wrote before"),
    "writes twice": (_of_operator(RELU, "outputs", [3]), "operator 2 (RELU): it writes"),
    "writes the input": (_of_operator(PAD, "outputs", [0]), "operator 1 (PAD): it writes"),
    "no inputs": (_of_operator(RELU, "inputs", []), "an input is missing"),
    "no options": (lambda _, g: setattr(g.operators[CONV], "builtinOptions", None), "options"),
    "no operators": (lambda _, graph: setattr(graph, "operators", []), "no operators"),
    "schema version": (lambda tree, _: setattr(tree, "version", 2), "schema version 3"),
    "unwritten output": (lambda _, graph: graph.operators.pop(), "output: nothing writes it"),
    "no input": (_of_graph("inputs", [99]), "input or output is no tensor"),
}


@pytest.mark.parametrize("case", UNSUPPORTED)
def test_what_has_no_kernel(case: str) -> None:
    spoil, words = UNSUPPORTED[case]
    error = _spoilt(spoil)
    assert isinstance(error, UnsupportedOperatorError)
    assert words in str(error)


@pytest.mark.parametrize("case", BROKEN)
def test_what_breaks_the_formats_rules(case: str) -> None:
    spoil, words = BROKEN[case]
    error = _spoilt(spoil)
    assert type(error) is ModelError, error
    assert words in str(error)


def test_an_input_of_another_size() -> None:
    with pytest.raises(ModelError, match="input has 144 bytes, 3 were given"):
        run_on_host(_model(), b"abc", arena_bytes=1 << 16)
