# SPDX-License-Identifier: Apache-2.0
"""Numbers of the TFLite schema: of operators, options and element types, and of table fields.

Fields are numbered from 0 in the schema's order; only those that are read are here. The fields of
operators' options are in ``options_reader``, where each is read in one place.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import tflite

from unas.graph import (
    Activation,
    AddOptions,
    ConcatenationOptions,
    ConvOptions,
    DenseOptions,
    ElementType,
    MeanOptions,
    Operator,
    OperatorKind,
    Padding,
    PadOptions,
    PoolOptions,
    SoftmaxOptions,
)

FILE_IDENTIFIER = b"TFL3"
SCHEMA_VERSION = 3
# Codes from this one on do not fit the old one-byte field, which then holds this number.
PLACEHOLDER_CODE: int = tflite.BuiltinOperator.PLACEHOLDER_FOR_GREATER_OP_CODES

OPERATOR_CODES: dict[OperatorKind, int] = {
    kind: getattr(tflite.BuiltinOperator, kind.value) for kind in OperatorKind
}
# The versions that TensorFlow 2.21's converter writes for these operators on int8 tensors.
OPERATOR_VERSIONS: dict[OperatorKind, int] = {
    OperatorKind.CONV_2D: 3,
    OperatorKind.DEPTHWISE_CONV_2D: 3,
    OperatorKind.FULLY_CONNECTED: 4,
    OperatorKind.AVERAGE_POOL_2D: 2,
    OperatorKind.MAX_POOL_2D: 2,
    OperatorKind.ADD: 2,
    OperatorKind.PAD: 2,
    OperatorKind.MEAN: 2,
    OperatorKind.RESHAPE: 1,
    OperatorKind.CONCATENATION: 2,
    OperatorKind.SOFTMAX: 2,
    OperatorKind.RELU: 2,
    OperatorKind.RELU6: 2,
    OperatorKind.QUANTIZE: 1,
}
ELEMENT_CODES: dict[ElementType, int] = {
    ElementType.INT8: tflite.TensorType.INT8,
    ElementType.INT32: tflite.TensorType.INT32,
    ElementType.FLOAT32: tflite.TensorType.FLOAT32,
}
ACTIVATION_CODES: dict[Activation, int] = {
    Activation.NONE: tflite.ActivationFunctionType.NONE,
    Activation.RELU: tflite.ActivationFunctionType.RELU,
    Activation.RELU6: tflite.ActivationFunctionType.RELU6,
}
PADDING_CODES: dict[Padding, int] = {
    Padding.SAME: tflite.Padding.SAME,
    Padding.VALID: tflite.Padding.VALID,
}


def write_options(builder: Any, op: Operator) -> tuple[int, int]:
    """Write an operator's options table.

    RESHAPE gets none, as from the converter: its shape is a constant tensor.

    Returns:
        Number of the table in the schema's union and its offset; (0, 0) without options.
    """
    union, options = tflite.BuiltinOptions, op.options
    match options:
        case ConvOptions() if op.kind is OperatorKind.DEPTHWISE_CONV_2D:
            return union.DepthwiseConv2DOptions, _depthwise(builder, options)
        case ConvOptions():
            return union.Conv2DOptions, _conv(builder, options)
        case DenseOptions():
            tflite.FullyConnectedOptionsStart(builder)
            tflite.FullyConnectedOptionsAddFusedActivationFunction(
                builder, ACTIVATION_CODES[options.activation]
            )
            return union.FullyConnectedOptions, tflite.FullyConnectedOptionsEnd(builder)
        case PoolOptions():
            return union.Pool2DOptions, _pool(builder, options)
        case AddOptions():
            tflite.AddOptionsStart(builder)
            tflite.AddOptionsAddFusedActivationFunction(
                builder, ACTIVATION_CODES[options.activation]
            )
            return union.AddOptions, tflite.AddOptionsEnd(builder)
        case PadOptions():
            tflite.PadOptionsStart(builder)
            return union.PadOptions, tflite.PadOptionsEnd(builder)
        case MeanOptions():
            tflite.ReducerOptionsStart(builder)
            tflite.ReducerOptionsAddKeepDims(builder, options.keep_dims)
            return union.ReducerOptions, tflite.ReducerOptionsEnd(builder)
        case ConcatenationOptions():
            tflite.ConcatenationOptionsStart(builder)
            tflite.ConcatenationOptionsAddAxis(builder, options.axis)
            tflite.ConcatenationOptionsAddFusedActivationFunction(
                builder, ACTIVATION_CODES[options.activation]
            )
            return union.ConcatenationOptions, tflite.ConcatenationOptionsEnd(builder)
        case SoftmaxOptions():
            tflite.SoftmaxOptionsStart(builder)
            tflite.SoftmaxOptionsAddBeta(builder, options.beta)
            return union.SoftmaxOptions, tflite.SoftmaxOptionsEnd(builder)
        case _:
            return union.NONE, 0


def _conv(builder: Any, options: ConvOptions) -> int:
    tflite.Conv2DOptionsStart(builder)
    tflite.Conv2DOptionsAddPadding(builder, PADDING_CODES[options.padding])
    tflite.Conv2DOptionsAddStrideW(builder, options.stride_w)
    tflite.Conv2DOptionsAddStrideH(builder, options.stride_h)
    tflite.Conv2DOptionsAddFusedActivationFunction(builder, ACTIVATION_CODES[options.activation])
    tflite.Conv2DOptionsAddDilationWFactor(builder, options.dilation_w)
    tflite.Conv2DOptionsAddDilationHFactor(builder, options.dilation_h)
    return int(tflite.Conv2DOptionsEnd(builder))


def _depthwise(builder: Any, options: ConvOptions) -> int:
    activation = ACTIVATION_CODES[options.activation]
    tflite.DepthwiseConv2DOptionsStart(builder)
    tflite.DepthwiseConv2DOptionsAddPadding(builder, PADDING_CODES[options.padding])
    tflite.DepthwiseConv2DOptionsAddStrideW(builder, options.stride_w)
    tflite.DepthwiseConv2DOptionsAddStrideH(builder, options.stride_h)
    tflite.DepthwiseConv2DOptionsAddDepthMultiplier(builder, options.depth_multiplier)
    tflite.DepthwiseConv2DOptionsAddFusedActivationFunction(builder, activation)
    tflite.DepthwiseConv2DOptionsAddDilationWFactor(builder, options.dilation_w)
    tflite.DepthwiseConv2DOptionsAddDilationHFactor(builder, options.dilation_h)
    return int(tflite.DepthwiseConv2DOptionsEnd(builder))


def _pool(builder: Any, options: PoolOptions) -> int:
    tflite.Pool2DOptionsStart(builder)
    tflite.Pool2DOptionsAddPadding(builder, PADDING_CODES[options.padding])
    tflite.Pool2DOptionsAddStrideW(builder, options.stride_w)
    tflite.Pool2DOptionsAddStrideH(builder, options.stride_h)
    tflite.Pool2DOptionsAddFilterWidth(builder, options.filter_w)
    tflite.Pool2DOptionsAddFilterHeight(builder, options.filter_h)
    tflite.Pool2DOptionsAddFusedActivationFunction(builder, ACTIVATION_CODES[options.activation])
    return int(tflite.Pool2DOptionsEnd(builder))


class ModelField(IntEnum):
    """Fields of the file's root table."""

    VERSION = 0
    OPERATOR_CODES = 1
    SUBGRAPHS = 2
    BUFFERS = 4


class OperatorCodeField(IntEnum):
    """Fields of an operator code."""

    DEPRECATED_BUILTIN_CODE = 0
    CUSTOM_CODE = 1
    BUILTIN_CODE = 3


class SubGraphField(IntEnum):
    """Fields of a subgraph."""

    TENSORS = 0
    INPUTS = 1
    OUTPUTS = 2
    OPERATORS = 3


class TensorField(IntEnum):
    """Fields of a tensor."""

    SHAPE = 0
    TYPE = 1
    BUFFER = 2
    NAME = 3
    QUANTIZATION = 4
    IS_VARIABLE = 5
    SPARSITY = 6


class QuantizationField(IntEnum):
    """Fields of a tensor's quantization parameters."""

    SCALE = 2
    ZERO_POINT = 3


class BufferField(IntEnum):
    """Fields of a buffer; OFFSET is above 1 where the data lie behind the tables."""

    DATA = 0
    OFFSET = 1


class OperatorField(IntEnum):
    """Fields of an operator."""

    OPCODE_INDEX = 0
    INPUTS = 1
    OUTPUTS = 2
    OPTIONS_TYPE = 3
    OPTIONS = 4
