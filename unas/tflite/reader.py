# SPDX-License-Identifier: Apache-2.0
"""Reads a .tflite file that may come from anywhere into a graph.

Nothing in the file is believed: every offset is checked (tables.py), sizes are bounded, and each
operator's output shape is computed again from its inputs, so that whoever works on the graph
afterwards meets no surprises.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

import tflite

from unas.errors import ArchitectureError, ModelError, UnsupportedOperatorError
from unas.graph import DenseOptions, ElementType, Graph, Operator, OperatorKind, Options, Tensor
from unas.tflite.flatbuffer_table import FlatbufferTable
from unas.tflite.options_reader import read_options
from unas.tflite.quantization import WEIGHTED
from unas.tflite.schema import (
    ELEMENT_CODES,
    FILE_IDENTIFIER,
    OPERATOR_CODES,
    SCHEMA_VERSION,
    BufferField,
    ModelField,
    OperatorCodeField,
    OperatorField,
    QuantizationField,
    SubGraphField,
    TensorField,
)
from unas.tflite.shapes import output_shape

_MAX_TENSORS = 4096
_MAX_INPUTS = 256
_MAX_DIMENSIONS = 6
_MAX_TENSOR_BYTES = 2**31 - 1
_MAX_NAME_BYTES = 256

_ELEMENTS = {code: element for element, code in ELEMENT_CODES.items()}
_KINDS = {code: kind for kind, code in OPERATOR_CODES.items()}
_SHAPED = (OperatorKind.PAD, OperatorKind.MEAN, OperatorKind.RESHAPE)
# Fewest and most inputs; a bias may be missing, and RESHAPE may name its shape in its options.
_INPUTS = dict.fromkeys(OperatorKind, (1, 1)) | {
    OperatorKind.CONV_2D: (2, 3),
    OperatorKind.DEPTHWISE_CONV_2D: (2, 3),
    OperatorKind.FULLY_CONNECTED: (2, 3),
    OperatorKind.ADD: (2, 2),
    OperatorKind.PAD: (2, 2),
    OperatorKind.MEAN: (2, 2),
    OperatorKind.RESHAPE: (1, 2),
    OperatorKind.CONCATENATION: (1, _MAX_INPUTS),
}


def read_flatbuffer(data: bytes, where: str) -> Graph:
    """The network in a .tflite file.

    Args:
        data: The file's content.
        where: Names it in messages: usually its path.

    Returns:
        The graph; tensors keep their indices, operators their order.

    Raises:
        ModelError: It is no .tflite file, is damaged, is not int8 throughout, or has several
            subgraphs, inputs or outputs.
        UnsupportedOperatorError: It contains an operator, or a variant of one, without kernel.
    """
    if data[4:8] != FILE_IDENTIFIER:
        raise ModelError(
            f"{where} is no TFLite file: its bytes 4 to 7 are {data[4:8]!r} instead of "
            f"{FILE_IDENTIFIER!r}; give a .tflite file"
        )
    model = FlatbufferTable.root(data, where)
    if model.uint32(ModelField.VERSION) != SCHEMA_VERSION:
        raise model.broken(f"its schema version is not {SCHEMA_VERSION}")
    subgraphs = model.tables(ModelField.SUBGRAPHS, _MAX_TENSORS)
    if len(subgraphs) != 1:
        raise ModelError(f"{where} has {len(subgraphs)} subgraphs; give a model with one")
    return _Reader(model, subgraphs[0], where).graph()


@dataclass(frozen=True, slots=True)
class _Content:
    """One tensor of the file with the bytes it refers to; none for activations."""

    tensor: Tensor
    data: memoryview
    quantized: bool


class _Reader:
    def __init__(self, model: FlatbufferTable, subgraph: FlatbufferTable, where: str) -> None:
        self._model, self._subgraph, self._where = model, subgraph, where
        buffers = model.tables(ModelField.BUFFERS, _MAX_TENSORS)
        tensors = subgraph.tables(SubGraphField.TENSORS, _MAX_TENSORS)
        self._contents = [self._content(i, t, buffers) for i, t in enumerate(tensors)]

    def graph(self) -> Graph:
        inputs, outputs = (
            self._subgraph.int32s(field, _MAX_TENSORS)
            for field in (SubGraphField.INPUTS, SubGraphField.OUTPUTS)
        )
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelError(
                f"{self._where} has {len(inputs)} inputs and {len(outputs)} outputs; "
                "give a model with one of each"
            )
        for index in inputs + outputs:
            self._check_int8(index)
        codes = self._model.tables(ModelField.OPERATOR_CODES, _MAX_TENSORS)
        tables = self._subgraph.tables(SubGraphField.OPERATORS, _MAX_TENSORS)
        operators = tuple(self._operator(i, table, codes) for i, table in enumerate(tables))
        try:
            graph = Graph(tuple(c.tensor for c in self._contents), operators, inputs, outputs)
        except ArchitectureError as error:
            raise self._model.broken(str(error)) from error
        if not operators:
            raise ModelError(
                f"{self._where} has no operators; give a model that computes something"
            )
        return graph

    def _content(
        self, index: int, table: FlatbufferTable, buffers: list[FlatbufferTable]
    ) -> _Content:
        number = table.uint32(TensorField.BUFFER)
        if number >= len(buffers):
            raise table.broken(f"tensor {index} lies in buffer {number} of {len(buffers)}")
        data = buffers[number].bytes(BufferField.DATA)
        code = table.int8(TensorField.TYPE)
        if code not in _ELEMENTS:
            raise ModelError(
                f"{self._where}: tensor {index} is of type {_type_name(code)}, not int8; "
                "convert the model with full int8 quantization"
            )
        elsewhere = buffers[number].uint64(BufferField.OFFSET) > 1
        sparse = table.table(TensorField.SPARSITY) is not None
        if table.uint8(TensorField.IS_VARIABLE) or sparse or elsewhere:
            raise ModelError(
                f"{self._where}: tensor {index} is variable, sparse or outside the file's tables; "
                "convert the model without state, sparsity and external buffers"
            )
        shape = table.int32s(TensorField.SHAPE, _MAX_DIMENSIONS)
        # Names need not be unique in a file, ours are.
        name = f"{index}:{table.string(TensorField.NAME, _MAX_NAME_BYTES)}"
        tensor = Tensor(name, shape, _ELEMENTS[code], constant=len(data) > 0)
        if min(shape, default=1) < 1 or tensor.size_bytes > _MAX_TENSOR_BYTES:
            raise table.broken(f"tensor {index} has the shape {shape}")
        if tensor.constant and tensor.size_bytes != len(data):
            raise table.broken(
                f"tensor {index} needs {tensor.size_bytes} bytes and has {len(data)}"
            )
        return _Content(tensor, data, _is_quantized(table))

    def _check_int8(self, index: int) -> None:
        """Refuse activations of another type."""
        content = self._at(index)
        element = content.tensor.element_type
        if element is not ElementType.INT8:
            raise ModelError(
                f"{self._where} is no int8 model: tensor {index} is {element}; convert it with "
                "full int8 quantization, input and output included"
            )
        if not content.quantized:
            raise self._model.broken(f"tensor {index} has no scale and zero point")

    def _at(self, index: int) -> _Content:
        if not 0 <= index < len(self._contents):
            raise self._model.broken(f"there is no tensor {index}")
        return self._contents[index]

    def _operator(
        self, position: int, table: FlatbufferTable, codes: list[FlatbufferTable]
    ) -> Operator:
        kind = self._kind(position, table, codes)
        label = f"operator {position} ({kind})"
        inputs = table.int32s(OperatorField.INPUTS, _MAX_INPUTS)
        outputs = table.int32s(OperatorField.OUTPUTS, _MAX_INPUTS)
        min_inputs, max_inputs = _INPUTS[kind]
        if not min_inputs <= len(inputs) <= max_inputs or len(outputs) != 1:
            raise table.broken(f"{label} has {len(inputs)} inputs and {len(outputs)} outputs")
        for place, index in enumerate(inputs):
            self._check_role(kind, label, place, index)
        self._check_int8(outputs[0])
        output = self._at(outputs[0]).tensor.shape
        options = read_options(
            table,
            kind,
            label,
            rank=len(self._at(inputs[0]).tensor.shape),
            values=self._words(inputs[1]) if kind in _SHAPED and len(inputs) > 1 else (),
            output=output,
        )
        self._check_shape(kind, label, options, inputs, output)
        return Operator(kind, inputs, outputs[0], options)

    def _kind(
        self, position: int, table: FlatbufferTable, codes: list[FlatbufferTable]
    ) -> OperatorKind:
        number = table.uint32(OperatorField.OPCODE_INDEX)
        if number >= len(codes):
            raise table.broken(f"operator {position} has the kind {number} of {len(codes)}")
        # Old files have only the one-byte field, new ones fill both: the larger is right.
        old = codes[number].int8(OperatorCodeField.DEPRECATED_BUILTIN_CODE)
        new = codes[number].int32(OperatorCodeField.BUILTIN_CODE)
        code = max(old, new)
        if code not in _KINDS:
            custom = codes[number].string(OperatorCodeField.CUSTOM_CODE, _MAX_NAME_BYTES)
            name = custom or _operator_name(code)
            raise UnsupportedOperatorError(
                f"{self._where}: operator {position} is {name}, for which there is no kernel; "
                f"build the network from {', '.join(OperatorKind)}"
            )
        return _KINDS[code]

    def _check_role(self, kind: OperatorKind, label: str, place: int, index: int) -> None:
        if place == 2 and index == -1 and kind in WEIGHTED:
            return
        tensor = self._at(index).tensor
        weight, bias = kind in WEIGHTED and place == 1, kind in WEIGHTED and place == 2
        wanted = ElementType.INT32 if bias or (kind in _SHAPED and place == 1) else ElementType.INT8
        if (weight or wanted is ElementType.INT32) and not (
            tensor.constant and tensor.element_type is wanted
        ):
            actual = f"{'constant' if tensor.constant else 'computed'} {tensor.element_type}"
            raise ModelError(
                f"{self._where}: input {place} of {label} is a {actual} tensor where a constant "
                f"{wanted} one belongs; convert the model with full int8 quantization"
            )
        if wanted is ElementType.INT8:
            self._check_int8(index)

    def _words(self, index: int) -> tuple[int, ...]:
        data = self._at(index).data
        return struct.unpack(f"<{len(data) // 4}i", data)

    def _check_shape(
        self,
        kind: OperatorKind,
        label: str,
        options: Options,
        inputs: tuple[int, ...],
        output: tuple[int, ...],
    ) -> None:
        shapes = [self._at(i).tensor.shape for i in inputs if i != -1]
        if kind is OperatorKind.RESHAPE:
            shapes = shapes[:1]
        try:
            expected = output_shape(kind, options, shapes)
        except ArchitectureError as error:
            raise self._model.broken(f"{label}: {error}") from error
        if (
            isinstance(options, DenseOptions)
            and expected is not None
            and output[-1:] == expected[-1:]
        ):
            # keep_num_dims leaves the leading dimensions apart; the elements are the same.
            output = (math.prod(output[:-1]), output[-1])
        if expected != output:
            raise self._model.broken(f"{label} turns {shapes} into {output}")


def _is_quantized(table: FlatbufferTable) -> bool:
    parameters = table.table(TensorField.QUANTIZATION)
    if parameters is None:
        return False
    _, scales = parameters.vector(QuantizationField.SCALE, 4)
    _, zero_points = parameters.vector(QuantizationField.ZERO_POINT, 8)
    return scales > 0 and zero_points in (1, scales)


def _operator_name(code: int) -> str:
    names = {v: k for k, v in vars(tflite.BuiltinOperator).items() if isinstance(v, int)}
    return str(names.get(code, f"number {code}"))


def _type_name(code: int) -> str:
    """TFLite's name of an element type."""
    names = {value: name for name, value in vars(tflite.TensorType).items() if name.isupper()}
    return str(names.get(code, f"number {code}"))
