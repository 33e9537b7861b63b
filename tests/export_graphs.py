# SPDX-License-Identifier: Apache-2.0
"""Graphs that the export tests share."""

from __future__ import annotations

from unas.graph import (
    Activation,
    AddOptions,
    ConcatenationOptions,
    ConvOptions,
    DenseOptions,
    ElementType,
    Graph,
    MeanOptions,
    NoOptions,
    Operator,
    OperatorKind,
    Options,
    Padding,
    PadOptions,
    PoolOptions,
    ReshapeOptions,
    SoftmaxOptions,
    Tensor,
)


class Sketch:
    """A graph in the making; unlike GraphBuilder it knows every operator and no rules."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.tensors = [Tensor("input", shape)]
        self.operators: list[Operator] = []

    def constant(self, *shape: int, element_type: ElementType = ElementType.INT8) -> int:
        name = f"constant{len(self.tensors)}"
        self.tensors.append(Tensor(name, shape, element_type, constant=True))
        return len(self.tensors) - 1

    def words(self, *shape: int) -> int:
        return self.constant(*shape, element_type=ElementType.INT32)

    def operator(
        self, kind: OperatorKind, inputs: tuple[int, ...], shape: tuple[int, ...], options: Options
    ) -> int:
        self.tensors.append(Tensor(f"activation{len(self.tensors)}", shape))
        output = len(self.tensors) - 1
        self.operators.append(Operator(kind, inputs, output, options))
        return output

    def dense(self, x: int, units: int, activation: Activation = Activation.NONE) -> int:
        inputs = (x, self.constant(units, self.tensors[x].elements), self.words(units))
        kind = OperatorKind.FULLY_CONNECTED
        return self.operator(kind, inputs, (1, units), DenseOptions(activation))

    def graph(self, output: int) -> Graph:
        return Graph(tuple(self.tensors), tuple(self.operators), (0,), (output,))


def every_operator() -> Graph:
    """A network with each operator kind, with options that are not the defaults where it can."""
    kind, s = OperatorKind, Sketch((1, 12, 12, 3))
    wide = ConvOptions(Padding.SAME, dilation_h=2, dilation_w=2, activation=Activation.RELU6)
    deep = ConvOptions(stride_h=2, depth_multiplier=2)
    x = s.operator(kind.CONV_2D, (0, s.constant(4, 3, 3, 3), s.words(4)), (1, 12, 12, 4), wide)
    y = s.operator(
        kind.DEPTHWISE_CONV_2D, (x, s.constant(1, 3, 5, 8), s.words(8)), (1, 5, 8, 8), deep
    )
    pointwise = ConvOptions(activation=Activation.RELU, batch_norm=True)
    z = s.operator(kind.CONV_2D, (x, s.constant(8, 1, 1, 4), -1), (1, 12, 12, 8), pointwise)
    z = s.operator(kind.MAX_POOL_2D, (z,), (1, 4, 6, 8), PoolOptions(3, 2, 3, 2))
    paddings = ((0, 0), (1, 0), (0, 2), (0, 0))
    z = s.operator(kind.PAD, (z, s.words(4, 2)), (1, 5, 8, 8), PadOptions(paddings))
    total = s.operator(kind.ADD, (y, z), (1, 5, 8, 8), AddOptions(Activation.RELU))
    left = s.operator(kind.RELU, (y,), (1, 5, 8, 8), NoOptions())
    right = s.operator(kind.RELU6, (total,), (1, 5, 8, 8), NoOptions())
    x = s.operator(kind.CONCATENATION, (left, right, total), (1, 5, 8, 24), ConcatenationOptions(3))
    x = s.operator(kind.QUANTIZE, (x,), (1, 5, 8, 24), NoOptions())
    pool = PoolOptions(2, 2, 2, 2, Padding.SAME)
    x = s.operator(kind.AVERAGE_POOL_2D, (x,), (1, 3, 4, 24), pool)
    mean = s.operator(kind.MEAN, (x, s.words(2)), (1, 24), MeanOptions((1, 2)))
    flat = s.operator(kind.RESHAPE, (x, s.words(2)), (1, 288), ReshapeOptions((1, 288)))
    x = s.operator(kind.ADD, (s.dense(flat, 24, Activation.RELU), mean), (1, 24), AddOptions())
    return s.graph(s.operator(kind.SOFTMAX, (s.dense(x, 10),), (1, 10), SoftmaxOptions()))


def branches() -> Graph:
    """Two branches that widen and narrow: running them one after the other needs less memory."""
    kind, s = OperatorKind, Sketch((1, 8, 8, 4))

    def conv(x: int, filters: int) -> int:
        inputs = (x, s.constant(filters, 1, 1, s.tensors[x].shape[3]), s.words(filters))
        return s.operator(kind.CONV_2D, inputs, (1, 8, 8, filters), ConvOptions())

    wide = [conv(0, 40), conv(0, 40)]
    narrow = [conv(x, 2) for x in wide]
    total = s.operator(kind.ADD, (narrow[0], narrow[1]), (1, 8, 8, 2), AddOptions())
    return s.graph(total)


def beyond_the_space() -> Graph:
    """What MLPerf-like networks have and the search space has not."""
    kind, s = OperatorKind, Sketch((1, 12, 12, 3))
    strided = ConvOptions(Padding.SAME, 2, 2, activation=Activation.RELU6, batch_norm=True)
    dilated = ConvOptions(Padding.SAME, dilation_h=2, dilation_w=2, activation=Activation.RELU)
    doubled = ConvOptions(Padding.SAME, depth_multiplier=2)
    x = s.operator(kind.CONV_2D, (0, s.constant(4, 3, 3, 3), s.words(4)), (1, 6, 6, 4), strided)
    y = s.operator(kind.CONV_2D, (x, s.constant(4, 3, 3, 4), s.words(4)), (1, 6, 6, 4), dilated)
    z = s.operator(
        kind.DEPTHWISE_CONV_2D, (y, s.constant(1, 3, 3, 8), s.words(8)), (1, 6, 6, 8), doubled
    )
    left = s.operator(kind.RELU, (z,), (1, 6, 6, 8), NoOptions())
    pool = PoolOptions(3, 3, 1, 1, Padding.SAME)
    right = s.operator(kind.AVERAGE_POOL_2D, (z,), (1, 6, 6, 8), pool)
    x = s.operator(kind.CONCATENATION, (left, right, y), (1, 6, 6, 20), ConcatenationOptions(3))
    mean = s.operator(kind.MEAN, (x, s.words(2)), (1, 20), MeanOptions((1, 2)))
    return s.graph(s.operator(kind.SOFTMAX, (s.dense(mean, 5),), (1, 5), SoftmaxOptions()))
