# SPDX-License-Identifier: Apache-2.0
"""Writes an int8 .tflite file straight from a graph: no TensorFlow, no training, milliseconds.

Latency and memory do not depend on the weights' values, so drawn ones serve to measure a network.
The file has the structure that TensorFlow's converter gives the same network
(tests/contract/test_export_agreement.py). Its constant tensors hold drawn weights and biases, and
the shapes and axes that operators' options name.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import flatbuffers
import numpy as np
import tflite
from numpy.typing import NDArray

from unas.artifact import Flatbuffer
from unas.errors import ModelError
from unas.graph import (
    ElementType,
    Graph,
    MeanOptions,
    Operator,
    OperatorKind,
    PadOptions,
    ReshapeOptions,
    Tensor,
)
from unas.tflite.activation_stats import BIAS_SHARE
from unas.tflite.quantization import WEIGHTED, Quantization, fan_in, plan_quantization
from unas.tflite.schema import (
    ELEMENT_CODES,
    FILE_IDENTIFIER,
    OPERATOR_CODES,
    OPERATOR_VERSIONS,
    PLACEHOLDER_CODE,
    SCHEMA_VERSION,
    write_options,
)

# TFLM casts buffers to the element type in place and vector kernels load 16 bytes at a time.
_BUFFER_ALIGNMENT = 16
_BYTES_PER_TENSOR = 2048


def write_flatbuffer(graph: Graph, *, seed: int, name: str) -> Flatbuffer:
    """Write a network with drawn weights and quantization parameters.

    Tensors keep their indices and operators their order.

    Args:
        graph: The network; int8 activations.
        seed: Of weights and quantization parameters; the same seed gives the same bytes.
        name: For people; it does not enter the file, whose bytes identify the model.

    Returns:
        The model. Constants lie on addresses divisible by 16 if the file does.

    Raises:
        ModelError: A constant tensor's type or size contradicts the operator that reads it.
    """
    rng = np.random.default_rng(seed)
    plan = plan_quantization(graph, rng)
    constants = draw_constants(graph, plan, rng)
    capacity = sum(t.size_bytes for t in graph.constants()) + _BYTES_PER_TENSOR * len(graph.tensors)
    builder = flatbuffers.Builder(capacity)
    kinds = tuple(dict.fromkeys(op.kind for op in graph.operators))
    # Flatbuffers are written back to front: what is written last stands first in the file.
    buffers = _write_buffers(builder, constants)
    description = builder.CreateString("unas")
    subgraph = _offsets(builder, [_write_subgraph(builder, graph, plan, kinds)])
    codes = _offsets(builder, [_write_code(builder, kind) for kind in kinds])
    tflite.ModelStart(builder)
    tflite.ModelAddVersion(builder, SCHEMA_VERSION)
    tflite.ModelAddOperatorCodes(builder, codes)
    tflite.ModelAddSubgraphs(builder, subgraph)
    tflite.ModelAddDescription(builder, description)
    tflite.ModelAddBuffers(builder, buffers)
    builder.Finish(tflite.ModelEnd(builder), file_identifier=FILE_IDENTIFIER)
    return Flatbuffer(bytes(builder.Output()), name)


def _offsets(builder: Any, offsets: Sequence[int]) -> int:
    """A vector of tables."""
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _indices(builder: Any, values: Sequence[int]) -> int:
    return int(builder.CreateNumpyVector(np.array(values, np.int32)))


def _write_buffers(builder: Any, constants: Sequence[Constant | None]) -> int:
    """The empty buffer 0, which activations refer to, then one per constant in their order."""
    tflite.BufferStart(builder)
    tables = [int(tflite.BufferEnd(builder))]
    for constant in constants:
        if constant is not None:
            data = _write_bytes(builder, constant.tobytes())
            tflite.BufferStart(builder)
            tflite.BufferAddData(builder, data)
            tables.append(int(tflite.BufferEnd(builder)))
    return _offsets(builder, tables)


def _write_bytes(builder: Any, data: bytes) -> int:
    # Builder.CreateByteVector cannot align, and one Prepend per byte takes a microsecond per byte.
    builder.StartVector(1, len(data), _BUFFER_ALIGNMENT)
    builder.head -= len(data)
    builder.Bytes[builder.head : builder.head + len(data)] = data
    return int(builder.EndVector())


def _write_code(builder: Any, kind: OperatorKind) -> int:
    code = OPERATOR_CODES[kind]
    tflite.OperatorCodeStart(builder)
    tflite.OperatorCodeAddDeprecatedBuiltinCode(builder, min(code, PLACEHOLDER_CODE))
    tflite.OperatorCodeAddVersion(builder, OPERATOR_VERSIONS[kind])
    tflite.OperatorCodeAddBuiltinCode(builder, code)
    return int(tflite.OperatorCodeEnd(builder))


def _write_subgraph(
    builder: Any,
    graph: Graph,
    plan: Sequence[Quantization | None],
    kinds: Sequence[OperatorKind],
) -> int:
    buffers = accumulate(int(t.constant) for t in graph.tensors)
    tensors = _offsets(
        builder,
        [
            _write_tensor(builder, tensor, quantization, buffer if tensor.constant else 0)
            for tensor, quantization, buffer in zip(graph.tensors, plan, buffers, strict=True)
        ],
    )
    operators = _offsets(
        builder, [_write_operator(builder, op, kinds.index(op.kind)) for op in graph.operators]
    )
    inputs, outputs = _indices(builder, graph.inputs), _indices(builder, graph.outputs)
    name = builder.CreateString("main")
    tflite.SubGraphStart(builder)
    tflite.SubGraphAddTensors(builder, tensors)
    tflite.SubGraphAddInputs(builder, inputs)
    tflite.SubGraphAddOutputs(builder, outputs)
    tflite.SubGraphAddOperators(builder, operators)
    tflite.SubGraphAddName(builder, name)
    return int(tflite.SubGraphEnd(builder))


def _write_tensor(
    builder: Any, tensor: Tensor, quantization: Quantization | None, buffer: int
) -> int:
    shape = _indices(builder, tensor.shape)
    name = builder.CreateString(tensor.name)
    parameters = None if quantization is None else _write_quantization(builder, quantization)
    tflite.TensorStart(builder)
    tflite.TensorAddShape(builder, shape)
    tflite.TensorAddType(builder, ELEMENT_CODES[tensor.element_type])
    tflite.TensorAddBuffer(builder, buffer)
    tflite.TensorAddName(builder, name)
    if parameters is not None:
        tflite.TensorAddQuantization(builder, parameters)
    tflite.TensorAddHasRank(builder, True)
    return int(tflite.TensorEnd(builder))


def _write_quantization(builder: Any, quantization: Quantization) -> int:
    channels = len(quantization.scale)
    scale = builder.CreateNumpyVector(quantization.scale)
    zero_point = builder.CreateNumpyVector(np.full(channels, quantization.zero_point, np.int64))
    tflite.QuantizationParametersStart(builder)
    tflite.QuantizationParametersAddScale(builder, scale)
    tflite.QuantizationParametersAddZeroPoint(builder, zero_point)
    tflite.QuantizationParametersAddQuantizedDimension(builder, quantization.dimension)
    return int(tflite.QuantizationParametersEnd(builder))


def _write_operator(builder: Any, op: Operator, code: int) -> int:
    options_type, options = write_options(builder, op)
    inputs, outputs = _indices(builder, op.inputs), _indices(builder, [op.output])
    tflite.OperatorStart(builder)
    tflite.OperatorAddOpcodeIndex(builder, code)
    tflite.OperatorAddInputs(builder, inputs)
    tflite.OperatorAddOutputs(builder, outputs)
    if options_type:
        tflite.OperatorAddBuiltinOptionsType(builder, options_type)
        tflite.OperatorAddBuiltinOptions(builder, options)
    return int(tflite.OperatorEnd(builder))


Constant = NDArray[np.int8] | NDArray[np.int32]
_WEIGHT_STD = 127.0 / np.sqrt(3.0)


def draw_constants(
    graph: Graph, plan: Sequence[Quantization | None], rng: np.random.Generator
) -> tuple[Constant | None, ...]:
    """Content of every constant tensor.

    Kernels are uniform over -127..127 (TFLite's symmetric range), biases about half a standard
    deviation of the sums they join.

    Returns:
        One entry per tensor; None for activations.

    Raises:
        ModelError: A constant has no known role, or another size than its role needs.
    """
    users = {i: op for op in reversed(graph.operators) for i in op.inputs if i != -1}
    constants: list[Constant | None] = [None] * len(graph.tensors)
    for index, tensor in enumerate(graph.tensors):
        if not tensor.constant:
            continue
        if index not in users:
            raise ModelError(f"no operator reads the constant tensor {tensor.name!r}; remove it")
        if tensor.element_type is ElementType.INT8:
            # Ten times faster than rng.integers; that -127 is drawn twice as often does not matter.
            drawn = np.frombuffer(rng.bytes(tensor.elements), np.int8)
            constants[index] = np.maximum(drawn, np.int8(-127))
        else:
            constants[index] = _int32(graph, users[index], index, plan, rng)
    return tuple(constants)


def _int32(
    graph: Graph,
    op: Operator,
    index: int,
    plan: Sequence[Quantization | None],
    rng: np.random.Generator,
) -> Constant:
    tensor = graph.tensors[index]
    match op.options:
        case PadOptions(paddings=value) | MeanOptions(axes=value) | ReshapeOptions(new_shape=value):
            return _shaped(tensor, np.array(value, np.int32))
        case _ if op.kind in WEIGHTED and tensor.element_type is ElementType.INT32:
            return _bias(graph, op, plan, rng)
        case _:
            raise ModelError(
                f"constant tensor {tensor.name!r} ({tensor.element_type}) at {op.kind} has no "
                "known role; give it the type and place that TFLite demands"
            )


def _shaped(tensor: Tensor, value: NDArray[Any]) -> Constant:
    if value.size != tensor.elements:
        raise ModelError(
            f"constant tensor {tensor.name!r} holds {tensor.elements} numbers, its "
            f"operator's options give {value.size}; make them agree"
        )
    return value


def _bias(
    graph: Graph, op: Operator, plan: Sequence[Quantization | None], rng: np.random.Generator
) -> Constant:
    """In steps of ``input scale x kernel scale``, as sums of products are."""
    tensor, data = graph.tensors[op.inputs[2]], graph.tensors[op.inputs[0]]
    quantization = plan[op.inputs[0]]
    if quantization is None:
        raise ModelError(f"the input {data.name!r} of {op.kind} is not int8; quantize it first")
    # Zero is inside every activation's range: half of the 256 steps is a fair standard deviation.
    reach = BIAS_SHARE * 64.0 * _WEIGHT_STD * np.sqrt(fan_in(graph, op))
    limit = int(min(reach, 2**30))
    return rng.integers(-limit, limit + 1, tensor.shape, np.int32)
