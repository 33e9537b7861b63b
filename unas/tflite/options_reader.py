# SPDX-License-Identifier: Apache-2.0
"""Options of an operator in a .tflite file, strictly: unknown ones are an error."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NoReturn, TypeVar

import tflite

from unas.errors import UnsupportedOperatorError
from unas.graph import (
    Activation,
    AddOptions,
    ConcatenationOptions,
    ConvOptions,
    DenseOptions,
    MeanOptions,
    NoOptions,
    OperatorKind,
    Options,
    Padding,
    PadOptions,
    PoolOptions,
    ReshapeOptions,
    SoftmaxOptions,
)
from unas.tflite.flatbuffer_table import FlatbufferTable
from unas.tflite.schema import ACTIVATION_CODES, PADDING_CODES, OperatorField

_Value = TypeVar("_Value", Activation, Padding)
_ACTIVATIONS = {code: activation for activation, code in ACTIVATION_CODES.items()}
_PADDINGS = {code: padding for padding, code in PADDING_CODES.items()}
_MAX_COUNT = 2**15


class OptionsReader:
    """The options table of one operator; fields are numbered in the order of the schema.

    Args:
        operator: The operator's table.
        union: Number that the options' type must have in the schema's union.
        label: Names the operator in messages: "operator 3 (CONV_2D)".

    Raises:
        ModelError: The table is absent, of another type, or holds an impossible value.
        UnsupportedOperatorError: It asks for a variant without kernel.
    """

    def __init__(self, operator: FlatbufferTable, union: int, label: str) -> None:
        table = operator.table(OperatorField.OPTIONS)
        if operator.uint8(OperatorField.OPTIONS_TYPE) != union or table is None:
            raise operator.broken(f"{label} lacks its options")
        self._table, self._label = table, label

    def count(self, field: int, default: int = 0) -> int:
        """A stride, dilation, multiplier or window size."""
        value = self._table.int32(field, default)
        if not 1 <= value <= _MAX_COUNT:
            raise self._table.broken(f"{self._label} has {value} for a stride, window or factor")
        return value

    def activation(self, field: int) -> Activation:
        """The fused activation function."""
        return self._known(_ACTIVATIONS, field, "fused activation function")

    def padding(self, field: int) -> Padding:
        """The padding scheme."""
        return self._known(_PADDINGS, field, "padding scheme")

    def flag(self, field: int) -> bool:
        """A boolean."""
        return self._table.uint8(field) != 0

    def axis(self, field: int, rank: int) -> int:
        """An axis, counted from the front."""
        axis = self._table.int32(field)
        if not -rank <= axis < rank:
            raise self._table.broken(f"{self._label} works on axis {axis} of {rank}")
        return axis % rank

    def factor(self, field: int) -> float:
        """A positive real number."""
        value = self._table.float32(field)
        if not 0.0 < value < math.inf:
            raise self._table.broken(f"{self._label} has the factor {value}")
        return value

    def row_major_weights(self, field: int) -> None:
        """Refuse weights that were shuffled for another machine."""
        if self._table.int8(field) != tflite.FullyConnectedOptionsWeightsFormat.DEFAULT:
            self._refuse("shuffled weights")

    def _known(self, names: dict[int, _Value], field: int, what: str) -> _Value:
        code = self._table.int8(field)
        if code not in names:
            self._refuse(f"{what} number {code}")
        return names[code]

    def _refuse(self, what: str) -> NoReturn:
        raise UnsupportedOperatorError(
            f"{self._table.where}: {self._label} has {what}, for which there is no kernel; "
            "leave it out of the network"
        )


def _conv(read: OptionsReader) -> Options:
    return ConvOptions(
        padding=read.padding(0),
        stride_w=read.count(1),
        stride_h=read.count(2),
        activation=read.activation(3),
        dilation_w=read.count(4, 1),
        dilation_h=read.count(5, 1),
    )


def _depthwise(read: OptionsReader) -> Options:
    return ConvOptions(
        padding=read.padding(0),
        stride_w=read.count(1),
        stride_h=read.count(2),
        depth_multiplier=read.count(3),
        activation=read.activation(4),
        dilation_w=read.count(5, 1),
        dilation_h=read.count(6, 1),
    )


def _dense(read: OptionsReader) -> Options:
    read.row_major_weights(1)
    return DenseOptions(read.activation(0))


def _pool(read: OptionsReader) -> Options:
    return PoolOptions(
        padding=read.padding(0),
        stride_w=read.count(1),
        stride_h=read.count(2),
        filter_w=read.count(3),
        filter_h=read.count(4),
        activation=read.activation(5),
    )


# The types of the options tables, and who reads those that stand on their own.
_SIMPLE: dict[OperatorKind, tuple[int, Callable[[OptionsReader], Options]]] = {
    OperatorKind.CONV_2D: (tflite.BuiltinOptions.Conv2DOptions, _conv),
    OperatorKind.DEPTHWISE_CONV_2D: (tflite.BuiltinOptions.DepthwiseConv2DOptions, _depthwise),
    OperatorKind.FULLY_CONNECTED: (tflite.BuiltinOptions.FullyConnectedOptions, _dense),
    OperatorKind.AVERAGE_POOL_2D: (tflite.BuiltinOptions.Pool2DOptions, _pool),
    OperatorKind.MAX_POOL_2D: (tflite.BuiltinOptions.Pool2DOptions, _pool),
    OperatorKind.ADD: (
        tflite.BuiltinOptions.AddOptions,
        lambda read: AddOptions(read.activation(0)),
    ),
    OperatorKind.SOFTMAX: (
        tflite.BuiltinOptions.SoftmaxOptions,
        lambda read: SoftmaxOptions(read.factor(0)),
    ),
}


def read_options(
    operator: FlatbufferTable,
    kind: OperatorKind,
    label: str,
    *,
    rank: int,
    values: tuple[int, ...],
    output: tuple[int, ...],
) -> Options:
    """Options of one operator.

    Args:
        operator: The operator's table.
        kind: What it is.
        label: Names it in messages.
        rank: Number of dimensions of its first input.
        values: Content of its second input where that is a constant of PAD or MEAN, else empty.
        output: Shape of its output.

    Raises:
        ModelError: The options are absent or impossible.
        UnsupportedOperatorError: They ask for a variant without kernel.
    """
    union = tflite.BuiltinOptions
    if kind in _SIMPLE:
        number, read = _SIMPLE[kind]
        return read(OptionsReader(operator, number, label))
    match kind:
        case OperatorKind.PAD:
            if min(values, default=0) < 0 or len(values) % 2:
                raise operator.broken(f"{label} pads by {values}")
            return PadOptions(tuple(zip(values[::2], values[1::2], strict=True)))
        case OperatorKind.MEAN:
            if any(not -rank <= axis < rank for axis in values):
                raise operator.broken(f"{label} takes the mean over the axes {values} of {rank}")
            axes = tuple(sorted({axis % rank for axis in values}))
            return MeanOptions(axes, OptionsReader(operator, union.ReducerOptions, label).flag(0))
        case OperatorKind.CONCATENATION:
            joined = OptionsReader(operator, union.ConcatenationOptions, label)
            return ConcatenationOptions(joined.axis(0, rank), joined.activation(1))
        case OperatorKind.RESHAPE:
            return ReshapeOptions(output)
        case _:
            return NoOptions()
