# SPDX-License-Identifier: Apache-2.0
"""Draws small networks over everything that the built-in runtime has kernels for."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

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
from unas.graph.window import conv_window, pool_window

_ACTIVATIONS = tuple(Activation)
MAX_CLASSES = 511  # where the exponentials add up to 512, TFLM aborts the process


class Sketch:
    """A graph in the making; methods append one drawn operator and give its output's index."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self._tensors: list[Tensor] = []
        self._operators: list[Operator] = []
        self._inputs: list[int] = []

    def shape(self, tensor: int) -> tuple[int, ...]:
        return self._tensors[tensor].shape

    def input(self, shape: tuple[int, ...]) -> int:
        self._inputs.append(self._tensor(shape))
        return self._inputs[-1]

    def constant(self, shape: tuple[int, ...], element_type: ElementType = ElementType.INT8) -> int:
        return self._tensor(shape, element_type, constant=True)

    def append(
        self, kind: OperatorKind, inputs: tuple[int, ...], shape: tuple[int, ...], options: Options
    ) -> int:
        output = self._tensor(shape)
        self._operators.append(Operator(kind, inputs, output, options))
        return output

    def finish(self, output: int) -> Graph:
        return Graph(tuple(self._tensors), tuple(self._operators), tuple(self._inputs), (output,))

    def below(self, stop: int, start: int = 1) -> int:
        """A whole number, start <= n < stop."""
        return int(self.rng.integers(start, stop))

    def coin(self) -> bool:
        return bool(self.rng.integers(2))

    def activation(self) -> Activation:
        return _ACTIVATIONS[self.below(len(_ACTIVATIONS), 0)]

    def _tensor(
        self,
        shape: tuple[int, ...],
        element_type: ElementType = ElementType.INT8,
        *,
        constant: bool = False,
    ) -> int:
        self._tensors.append(Tensor(f"t{len(self._tensors)}", shape, element_type, constant))
        return len(self._tensors) - 1


def _conv_options(
    sketch: Sketch, x: int, window: tuple[int, int], multiplier: int = 1
) -> ConvOptions:
    """Keras refuses strides together with dilations; TFLite does not."""
    padding = Padding.SAME if sketch.coin() else Padding.VALID
    dilations = (1, 1)
    if sketch.rng.random() < 0.3:
        dilations = (sketch.below(4), sketch.below(4))
    if padding is Padding.VALID:  # no larger than the input
        axes = zip(dilations, sketch.shape(x)[1:3], window, strict=True)
        height, width = (min(d, (size - 1) // max(reach - 1, 1)) for d, size, reach in axes)
        dilations = (max(height, 1), max(width, 1))
    return ConvOptions(
        padding=padding,
        stride_h=sketch.below(4),
        stride_w=sketch.below(4),
        dilation_h=dilations[0],
        dilation_w=dilations[1],
        depth_multiplier=multiplier,
        activation=sketch.activation(),
    )


def _window(sketch: Sketch, x: int) -> tuple[int, int]:
    _, height, width, _ = sketch.shape(x)
    return sketch.below(min(height, 5) + 1), sketch.below(min(width, 5) + 1)


def add_conv(sketch: Sketch, x: int) -> int:
    window, filters = _window(sketch, x), sketch.below(11)
    options = _conv_options(sketch, x, window)
    batch, height, width, channels = sketch.shape(x)
    inputs = (x, sketch.constant((filters, *window, channels)), _bias(sketch, filters))
    out = conv_window((height, width), window, options).output
    return sketch.append(OperatorKind.CONV_2D, inputs, (batch, *out, filters), options)


def add_depthwise(sketch: Sketch, x: int) -> int:
    window, multiplier = _window(sketch, x), sketch.below(4) if sketch.coin() else 1
    options = _conv_options(sketch, x, window, multiplier)
    batch, height, width, channels = sketch.shape(x)
    filters = channels * multiplier
    # Without a bias TFLM wants two inputs here; on -1, which it takes elsewhere, it crashes.
    bias = tuple(b for b in (_bias(sketch, filters),) if b != -1)
    inputs = (x, sketch.constant((1, *window, filters)), *bias)
    out = conv_window((height, width), window, options).output
    return sketch.append(OperatorKind.DEPTHWISE_CONV_2D, inputs, (batch, *out, filters), options)


def _bias(sketch: Sketch, channels: int) -> int:
    return sketch.constant((channels,), ElementType.INT32) if sketch.rng.random() < 0.8 else -1


def add_dense(sketch: Sketch, x: int) -> int:
    units, features = sketch.below(14), sketch.shape(x)[-1]
    inputs = (x, sketch.constant((units, features)), _bias(sketch, units))
    shape = (math.prod(sketch.shape(x)) // features, units)
    options = DenseOptions(sketch.activation())
    return sketch.append(OperatorKind.FULLY_CONNECTED, inputs, shape, options)


def _add_pool(sketch: Sketch, x: int, kind: OperatorKind) -> int:
    batch, height, width, channels = sketch.shape(x)
    window = (height, width) if sketch.rng.random() < 0.2 else _window(sketch, x)
    options = PoolOptions(
        filter_h=window[0],
        filter_w=window[1],
        stride_h=sketch.below(4),
        stride_w=sketch.below(4),
        padding=Padding.SAME if sketch.coin() else Padding.VALID,
        activation=sketch.activation(),
    )
    out = pool_window((height, width), options).output
    return sketch.append(kind, (x,), (batch, *out, channels), options)


def add_average_pool(sketch: Sketch, x: int) -> int:
    return _add_pool(sketch, x, OperatorKind.AVERAGE_POOL_2D)


def add_max_pool(sketch: Sketch, x: int) -> int:
    return _add_pool(sketch, x, OperatorKind.MAX_POOL_2D)


def add_add(sketch: Sketch, x: int) -> int:
    shape = sketch.shape(x)
    kind = sketch.below(4, 0)
    if kind == 0:
        other = add_quantize(sketch, x)  # the same shape, another scale
    elif kind == 1:
        other = sketch.constant(shape)
    else:  # broadcast along some axes, or with fewer of them
        partial = tuple(size if sketch.coin() else 1 for size in shape)
        other = sketch.constant(partial[sketch.below(len(shape), 0) :])
    inputs = (x, other) if sketch.coin() else (other, x)
    return sketch.append(OperatorKind.ADD, inputs, shape, AddOptions(sketch.activation()))


def add_pad(sketch: Sketch, x: int) -> int:
    shape = sketch.shape(x)
    paddings = tuple((sketch.below(3, 0), sketch.below(3, 0)) for _ in shape)
    padded = tuple(size + sum(pair) for size, pair in zip(shape, paddings, strict=True))
    constant = sketch.constant((len(shape), 2), ElementType.INT32)
    return sketch.append(OperatorKind.PAD, (x, constant), padded, PadOptions(paddings))


def add_mean(sketch: Sketch, x: int) -> int:
    shape = sketch.shape(x)
    count = sketch.below(len(shape) + 1)
    axes = tuple(int(a) for a in sketch.rng.permutation(len(shape))[:count])
    kept = tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    keep_dims = sketch.coin() or count == len(shape)
    reduced = kept if keep_dims else tuple(s for a, s in enumerate(shape) if a not in axes)
    written = tuple(axis - len(shape) if sketch.coin() else axis for axis in axes)
    constant = sketch.constant((count,), ElementType.INT32)
    options = MeanOptions(written, keep_dims)
    return sketch.append(OperatorKind.MEAN, (x, constant), reduced, options)


def add_reshape(sketch: Sketch, x: int) -> int:
    elements = math.prod(sketch.shape(x))
    divisors = [n for n in range(1, elements + 1) if elements % n == 0]
    last = divisors[sketch.below(len(divisors), 0)]
    shape = (elements // last, last) if sketch.coin() else (1, elements // last, 1, last)
    constant = sketch.constant((len(shape),), ElementType.INT32)
    return sketch.append(OperatorKind.RESHAPE, (x, constant), shape, ReshapeOptions(shape))


def add_concatenation(sketch: Sketch, x: int) -> int:
    shape = sketch.shape(x)
    axis = sketch.below(len(shape), 0)
    sizes = [sketch.below(4) for _ in range(sketch.below(4, 0))]
    others = [sketch.constant((*shape[:axis], size, *shape[axis + 1 :])) for size in sizes]
    joined = (*shape[:axis], shape[axis] + sum(sizes), *shape[axis + 1 :])
    options = ConcatenationOptions(axis - len(shape) if sketch.coin() else axis)
    return sketch.append(OperatorKind.CONCATENATION, (x, *others), joined, options)


def add_softmax(sketch: Sketch, x: int) -> int:
    options = SoftmaxOptions(float(np.exp2(sketch.rng.uniform(-2.0, 2.0))))
    return sketch.append(OperatorKind.SOFTMAX, (x,), sketch.shape(x), options)


def add_relu(sketch: Sketch, x: int) -> int:
    return sketch.append(OperatorKind.RELU, (x,), sketch.shape(x), NoOptions())


def add_relu6(sketch: Sketch, x: int) -> int:
    return sketch.append(OperatorKind.RELU6, (x,), sketch.shape(x), NoOptions())


def add_quantize(sketch: Sketch, x: int) -> int:
    return sketch.append(OperatorKind.QUANTIZE, (x,), sketch.shape(x), NoOptions())


ADD: dict[OperatorKind, Callable[[Sketch, int], int]] = {
    OperatorKind.CONV_2D: add_conv,
    OperatorKind.DEPTHWISE_CONV_2D: add_depthwise,
    OperatorKind.FULLY_CONNECTED: add_dense,
    OperatorKind.AVERAGE_POOL_2D: add_average_pool,
    OperatorKind.MAX_POOL_2D: add_max_pool,
    OperatorKind.ADD: add_add,
    OperatorKind.PAD: add_pad,
    OperatorKind.MEAN: add_mean,
    OperatorKind.RESHAPE: add_reshape,
    OperatorKind.CONCATENATION: add_concatenation,
    OperatorKind.SOFTMAX: add_softmax,
    OperatorKind.RELU: add_relu,
    OperatorKind.RELU6: add_relu6,
    OperatorKind.QUANTIZE: add_quantize,
}
_NEEDS_FOUR_AXES = frozenset(
    {
        OperatorKind.CONV_2D,
        OperatorKind.DEPTHWISE_CONV_2D,
        OperatorKind.AVERAGE_POOL_2D,
        OperatorKind.MAX_POOL_2D,
    }
)


def draw_operator(kind: OperatorKind, rng: np.random.Generator) -> Graph:
    """A graph of one operator of a kind (ADD may bring a QUANTIZE for its other input)."""
    sketch = Sketch(rng)
    rank = 4 if kind in _NEEDS_FOUR_AXES else sketch.below(5)
    shape = tuple(sketch.below(9) for _ in range(rank))
    if rank == 4:
        shape = (1 if rng.random() < 0.8 else 2, *shape[1:])
    return sketch.finish(ADD[kind](sketch, sketch.input(shape)))


def draw_network(rng: np.random.Generator, operators: int) -> Graph:
    """A network with branches: each operator reads one of the last few outputs."""
    sketch = Sketch(rng)
    outputs = [sketch.input((1, sketch.below(11, 4), sketch.below(11, 4), sketch.below(6)))]
    while len(outputs) <= operators:
        x = outputs[max(len(outputs) - sketch.below(4), 0)]
        kinds = [k for k in ADD if k not in _NEEDS_FOUR_AXES or len(sketch.shape(x)) == 4]
        if sketch.shape(x)[-1] > MAX_CLASSES:
            kinds.remove(OperatorKind.SOFTMAX)
        kind = kinds[sketch.below(len(kinds), 0)]
        if math.prod(sketch.shape(x)) < 4096:
            outputs.append(ADD[kind](sketch, x))
        else:
            outputs.append(add_mean(sketch, x))
    return sketch.finish(outputs[-1 if sketch.coin() else -min(2, operators)])
