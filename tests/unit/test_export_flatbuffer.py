# SPDX-License-Identifier: Apache-2.0
"""The direct writer, judged by the generated schema accessors and by TensorFlow Lite Micro."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tflite
from numpy.typing import NDArray

from tests.export_graphs import Sketch, every_operator
from unas._process import run
from unas.errors import ModelError
from unas.graph import (
    ConvOptions,
    ElementType,
    Graph,
    NoOptions,
    Operator,
    OperatorKind,
    ReshapeOptions,
)
from unas.space.build import build_graph
from unas.space.cnn import random_architecture
from unas.tflite.writer import write_flatbuffer

SAME_SCALE = (
    tflite.BuiltinOperator.AVERAGE_POOL_2D,
    tflite.BuiltinOperator.MAX_POOL_2D,
    tflite.BuiltinOperator.PAD,
    tflite.BuiltinOperator.RESHAPE,
    tflite.BuiltinOperator.CONCATENATION,
)
# Which inputs of these kinds carry activations; all of them for other kinds.
ACTIVATIONS = {
    tflite.BuiltinOperator.PAD: slice(1),
    tflite.BuiltinOperator.RESHAPE: slice(1),
}
KERNEL_AXIS = {
    tflite.BuiltinOperator.CONV_2D: 0,
    tflite.BuiltinOperator.DEPTHWISE_CONV_2D: 3,
    tflite.BuiltinOperator.FULLY_CONNECTED: 0,
}


def random_graph(seed: int) -> Graph:
    return build_graph(random_architecture(np.random.default_rng(seed)), (32, 32, 3), 10)


def operators(model: Any) -> list[tuple[int, list[int], int]]:
    """(kind, inputs, output) of each operator in a file."""
    subgraph = model.Subgraphs(0)
    listed = []
    for i in range(subgraph.OperatorsLength()):
        op = subgraph.Operators(i)
        code = model.OperatorCodes(op.OpcodeIndex()).BuiltinCode()
        listed.append((code, op.InputsAsNumpy().tolist(), op.Outputs(0)))
    return listed


def parameters(model: Any, tensor: int) -> tuple[NDArray[np.float32], list[int], int]:
    """(scales, zero points, quantized dimension) of a tensor in a file."""
    found = model.Subgraphs(0).Tensors(tensor).Quantization()
    return found.ScaleAsNumpy(), found.ZeroPointAsNumpy().tolist(), found.QuantizedDimension()


@pytest.mark.parametrize("seed", range(6))
def test_tflm_runs_every_activation_alive(seed: int) -> None:
    """Neither saturated nor blind to the input: a dead network would hide wrong kernels."""
    runtime = pytest.importorskip("tflite_micro.python.tflite_micro.runtime")
    graph = every_operator() if seed == 0 else random_graph(seed)
    model = write_flatbuffer(graph, seed=seed, name="alive")
    interpreter = runtime.Interpreter.from_bytes(
        model.data,
        arena_size=2**22,
        intrepreter_config=runtime.InterpreterConfig.kPreserveAllTensors,
    )

    def activations(seed: int) -> list[NDArray[np.int8]]:
        rng = np.random.default_rng(seed)
        interpreter.set_input(rng.integers(-128, 128, graph.tensors[0].shape, np.int8), 0)
        interpreter.invoke()
        return [interpreter.GetTensor(op.output, 0)["tensor_data"].copy() for op in graph.operators]

    for op, one, other in zip(graph.operators, activations(1), activations(2), strict=True):
        assert one.shape == graph.tensors[op.output].shape
        if op.kind is not OperatorKind.SOFTMAX:
            assert np.mean(one == 127) < 0.3, op
        assert np.any(one != other), op


def test_seed_decides_every_byte() -> None:
    graph = every_operator()
    first, again, other = (write_flatbuffer(graph, seed=s, name="x") for s in (3, 3, 4))
    assert first.data == again.data
    assert first.sha256 == again.sha256
    assert first.data != other.data
    assert len(first.data) == len(other.data)
    assert write_flatbuffer(graph, seed=3, name="another name").data == first.data


def test_structure_follows_the_graph() -> None:
    graph = every_operator()
    model = tflite.Model.GetRootAs(write_flatbuffer(graph, seed=0, name="x").data)
    listed = operators(model)
    assert [(list(op.inputs), op.output) for op in graph.operators] == [op[1:] for op in listed]
    names = {v: k for k, v in vars(tflite.BuiltinOperator).items() if isinstance(v, int)}
    assert [names[code] for code, _, _ in listed] == [op.kind for op in graph.operators]
    assert {op.kind for op in graph.operators} == set(OperatorKind)
    subgraph = model.Subgraphs(0)
    for index, tensor in enumerate(graph.tensors):
        written = subgraph.Tensors(index)
        assert written.ShapeAsNumpy().tolist() == list(tensor.shape)
        assert written.Name().decode() == tensor.name
        data = model.Buffers(written.Buffer()).DataLength()
        assert data == (tensor.size_bytes if tensor.constant else 0)


@pytest.mark.parametrize("seed", range(8))
def test_quantization_follows_the_specification(seed: int) -> None:
    graph = random_graph(seed) if seed else every_operator()
    model = tflite.Model.GetRootAs(write_flatbuffer(graph, seed=seed, name="x").data)
    for code, inputs, output in operators(model):
        scale, zero_point, _ = parameters(model, output)
        assert len(scale) == 1
        assert -128 <= zero_point[0] <= 127
        if code in SAME_SCALE:
            for index in inputs[ACTIVATIONS.get(code, slice(None))]:
                assert parameters(model, index) == parameters(model, output)
        if code == tflite.BuiltinOperator.SOFTMAX:
            assert (scale[0], zero_point) == (1 / 256, [-128])
        if code in KERNEL_AXIS:
            data, kernel = parameters(model, inputs[0]), parameters(model, inputs[1])
            shape = model.Subgraphs(0).Tensors(inputs[1]).ShapeAsNumpy()
            assert kernel[2] == KERNEL_AXIS[code]
            assert kernel[1] == [0] * shape[kernel[2]]
            if inputs[2] != -1:
                bias = parameters(model, inputs[2])
                np.testing.assert_allclose(bias[0], data[0] * kernel[0], rtol=1e-6)
                assert bias[1:] == (kernel[1], 0)


def test_kernels_leave_out_the_value_without_negative() -> None:
    """TFLite's symmetric kernels range over -127..127."""
    graph = every_operator()
    model = tflite.Model.GetRootAs(write_flatbuffer(graph, seed=0, name="x").data)
    for code, inputs, _ in operators(model):
        if code in KERNEL_AXIS:
            buffer = model.Subgraphs(0).Tensors(inputs[1]).Buffer()
            assert model.Buffers(buffer).DataAsNumpy().view(np.int8).min() >= -127


@pytest.mark.parametrize("seed", range(4))
def test_constants_are_aligned_for_vector_loads(seed: int) -> None:
    data = write_flatbuffer(random_graph(seed), seed=seed, name="x").data
    file = np.frombuffer(data, np.uint8)
    model = tflite.Model.GetRootAs(data)
    assert tflite.Model.ModelBufferHasIdentifier(data, 0)
    for i in range(model.BuffersLength()):
        if model.Buffers(i).DataLength():
            offset = model.Buffers(i).DataAsNumpy().ctypes.data - file.ctypes.data
            assert offset % 16 == 0


def test_writing_and_reading_need_no_tensorflow() -> None:
    modules = "writer", "reader", "order", "lowering"
    program = f"import sys, {', '.join('unas.tflite.' + m for m in modules)};"
    program += "print('tensorflow' in sys.modules, 'keras' in sys.modules)"
    assert run([sys.executable, "-c", program], timeout_s=60).stdout.split() == ["False", "False"]


def test_a_constant_without_role_is_refused() -> None:
    sketch = Sketch((1, 4))
    output = sketch.operator(OperatorKind.RELU, (0,), (1, 4), NoOptions())
    sketch.constant(7)
    with pytest.raises(ModelError, match=r"constant2.*remove it"):
        write_flatbuffer(sketch.graph(output), seed=0, name="x")


def test_an_int32_constant_in_place_of_an_activation_is_refused() -> None:
    sketch = Sketch((1, 4))
    inputs = (0, sketch.words(1, 4))
    output = sketch.operator(OperatorKind.CONCATENATION, inputs, (1, 8), NoOptions())
    with pytest.raises(ModelError, match=r"constant1.*int32.*CONCATENATION"):
        write_flatbuffer(sketch.graph(output), seed=0, name="x")


def test_a_shape_of_another_size_than_its_tensor_is_refused() -> None:
    sketch = Sketch((1, 4))
    options = ReshapeOptions((1, 2, 2))
    output = sketch.operator(OperatorKind.RESHAPE, (0, sketch.words(2)), (1, 2, 2), options)
    with pytest.raises(ModelError, match=r"holds 2 numbers.*give 3"):
        write_flatbuffer(sketch.graph(output), seed=0, name="x")


def test_a_bias_on_float_data_is_refused() -> None:
    sketch = Sketch((1, 4, 4, 1))
    sketch.tensors[0] = replace(sketch.tensors[0], element_type=ElementType.FLOAT32)
    kernel, bias = sketch.constant(2, 1, 1, 1), sketch.words(2)
    sketch.operators.append(
        Operator(OperatorKind.CONV_2D, (0, kernel, bias), len(sketch.tensors), ConvOptions())
    )
    sketch.tensors.append(replace(sketch.tensors[0], name="output", shape=(1, 4, 4, 2)))
    with pytest.raises(ModelError, match="not int8"):
        write_flatbuffer(sketch.graph(len(sketch.tensors) - 1), seed=0, name="x")
