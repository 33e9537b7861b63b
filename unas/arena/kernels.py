# SPDX-License-Identifier: Apache-2.0
"""What one operator needs in the tensor arena, beside its tensors, by the kernels that compute it.

``dsp`` and ``plain`` are the built-in runtime's kernels; the figures follow from what their
prepare functions request (firmware_templates/runtime/kernels). ``cmsis-nn`` are TensorFlow Lite
Micro's with CMSIS-NN on cores with the DSP extension, ``reference`` its portable ones: nothing
works in place. Their working memory is that of CMSIS-NN's ``arm_*_get_buffer_size`` functions; what
is kept for an operator is not known to the byte there and is left to the fit.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

from unas.graph import ConvOptions, MeanOptions, OperatorKind, Options
from unas.graph.window import Window, WindowAxis, conv_window
from unas.names import KernelSet

Shape = tuple[int, ...]

_PIXELS_AT_ONCE = 6
_FACTOR_BYTES = 8  # a channel's multiplier and shift
# Of the state that a kernel keeps, without what it keeps by channel or by input.
_STATE_BYTES = {
    OperatorKind.CONV_2D: 100,
    OperatorKind.DEPTHWISE_CONV_2D: 104,
    OperatorKind.FULLY_CONNECTED: 52,
    OperatorKind.AVERAGE_POOL_2D: 72,
    OperatorKind.MAX_POOL_2D: 72,
    OperatorKind.ADD: 108,
    OperatorKind.PAD: 60,
    OperatorKind.MEAN: 64,
    OperatorKind.RESHAPE: 0,
    OperatorKind.CONCATENATION: 12,
    OperatorKind.SOFTMAX: 28,
    OperatorKind.RELU: 36,
    OperatorKind.RELU6: 20,
    OperatorKind.QUANTIZE: 36,
}
_ELEMENTWISE = frozenset(
    {OperatorKind.SOFTMAX, OperatorKind.RELU, OperatorKind.RELU6, OperatorKind.QUANTIZE}
)


@dataclass(frozen=True, slots=True)
class Needs:
    """What an operator needs in the arena, beside its tensors.

    Attributes:
        state_bytes: Kept from preparation on.
        scratch_bytes: Working memory while it runs.
        slots: Inputs that its output may overwrite, in the order in which they are offered.
        extra_bytes: More working memory, if it does.
    """

    state_bytes: int = 0
    scratch_bytes: int = 0
    slots: tuple[int, ...] = ()
    extra_bytes: int = 0


@functools.lru_cache(maxsize=1 << 16)
def operator_needs(
    kind: OperatorKind,
    options: Options,
    inputs: tuple[Shape, ...],
    output: Shape,
    kernels: KernelSet,
) -> Needs:
    """What an operator needs in the arena, beside its tensors.

    Quantization is not known here: kernels are taken to have a scale by output channel and factors
    below one half, as converted networks do.

    Args:
        kind: The operator.
        options: Its options.
        inputs: Shapes of its inputs in TFLite's order, without absent ones.
        output: Shape of its output.
        kernels: Which kernels compute it.
    """
    if kernels in (KernelSet.CMSIS_NN, KernelSet.REFERENCE):
        scratch = _cmsis_scratch(kind, options, inputs, output)
        return Needs(scratch_bytes=scratch if kernels is KernelSet.CMSIS_NN else 0)
    state = _STATE_BYTES[kind]
    match kind:
        case OperatorKind.CONV_2D if isinstance(options, ConvOptions):
            return _conv(state, options, inputs, output, kernels)
        case OperatorKind.DEPTHWISE_CONV_2D if isinstance(options, ConvOptions):
            return _depthwise(state, options, inputs, output, kernels)
        case OperatorKind.FULLY_CONNECTED:
            return _dense(state, inputs, kernels)
        case OperatorKind.ADD:
            elements = math.prod(output)
            slots = tuple(i for i, shape in enumerate(inputs) if math.prod(shape) == elements)
            return Needs(state, slots=slots)
        case OperatorKind.CONCATENATION:
            return Needs(state + _FACTOR_BYTES * len(inputs))
        case OperatorKind.MEAN:
            return Needs(state, scratch_bytes=4 * math.prod(output))
        case _:
            return Needs(state, slots=(0,) if kind in _ELEMENTWISE else ())


def _words_bytes(taps: int) -> int:
    """Bytes of a patch of int8 taps, widened to 16 bits in groups of four."""
    return -(-taps // 4) * 8


def _conv(
    state: int, options: ConvOptions, inputs: tuple[Shape, ...], output: Shape, kernels: KernelSet
) -> Needs:
    data, kernel = inputs[0], inputs[1]
    window = conv_window((data[1], data[2]), (kernel[1], kernel[2]), options)
    rows, columns = window.rows, window.columns
    channels, filters = data[3], kernel[0]
    state += _FACTOR_BYTES * filters
    taps = kernel[1] * kernel[2] * channels
    pointwise = kernel[1] == kernel[2] == 1
    plain = kernels is KernelSet.PLAIN or _is_plain_faster(window, channels, filters)
    scratch = 0
    if not plain:
        gather = 0 if pointwise or channels % 4 == 0 else -(-taps // 4) * 4
        scratch = gather + _words_bytes(taps) * _min_pixels_at_once(window, channels, filters)
    row_bytes = columns.size * channels
    if pointwise:
        offered, extra = filters <= channels, channels if plain else 0
    else:
        offered = columns.output * filters <= row_bytes and rows.output <= rows.size
        extra = -(-min(rows.pad_before + 1, rows.size) * row_bytes // 4) * 4
    return Needs(state, scratch, (0,), extra) if offered else Needs(state, scratch)


def _min_pixels_at_once(window: Window, channels: int, filters: int) -> int:
    rows, columns = window.rows, window.columns
    out = rows.output * columns.output
    tensors = out * filters + rows.size * columns.size * channels
    affordable = tensors // 8 // _words_bytes(rows.taps * columns.taps * channels)
    return min(max(min(affordable, _PIXELS_AT_ONCE), 2), out)


def _is_plain_faster(window: Window, channels: int, filters: int) -> bool:
    """The choice of conv_dsp.c, by its estimate of executed instructions."""
    rows, columns = window.rows, window.columns
    if max(window.output) > 64:
        return False
    pixels = rows.output * columns.output
    blocks = -(-pixels // _PIXELS_AT_ONCE)
    down = rows.visible_taps
    seen = window.visible_taps * channels
    gathered = pixels * rows.taps * columns.taps * channels
    fours, ones = divmod(filters, 4)
    plain = 180 + 139 * pixels + down * columns.output * (52 * fours + 57 * ones)
    plain += seen * (12 * fours + 6 * ones) + 34 * pixels * filters
    dsp = 516 + pixels * (41 + 92 * rows.taps) + gathered
    dsp += filters * (39 * blocks + 10 * pixels + gathered + gathered // 6)
    return plain <= dsp + dsp // 6


def _depthwise(
    state: int, options: ConvOptions, inputs: tuple[Shape, ...], output: Shape, kernels: KernelSet
) -> Needs:
    data, kernel = inputs[0], inputs[1]
    window = conv_window((data[1], data[2]), (kernel[1], kernel[2]), options)
    rows, columns = window.rows, window.columns
    state += _FACTOR_BYTES * kernel[3]
    alone = kernel[3] == data[3]  # every output channel has an input channel of its own
    scratch = 0 if kernels is KernelSet.PLAIN else _ring_bytes(rows, columns, alone)
    extra = 0 if scratch else min(rows.extent, rows.size) * columns.size * data[3]
    return Needs(state, scratch, (0,), extra) if alone else Needs(state, scratch)


def _ring_bytes(rows: WindowAxis, columns: WindowAxis, alone: bool) -> int:
    """Working memory of depthwise_conv_dsp.c; 0 where only the plain kernel can do it."""
    block = 16
    one_output = rows.output == columns.output == 1
    rows, columns = rows.trimmed(), columns.trimmed()
    if min(rows.taps, columns.taps) < 1 or min(rows.pad_before, columns.pad_before) < 0:
        return 0
    if alone and one_output:
        return block
    paired = -(-columns.taps // 2) if columns.dilation == 1 else columns.taps
    weights = rows.taps * (columns.taps if alone else 2 * paired) * 8
    width = columns.pad_before + columns.size + columns.pad_after
    held = min(max(rows.extent, rows.pad_before + 1), rows.size)
    return held * width * 8 + 8 + block + weights


def _dense(state: int, inputs: tuple[Shape, ...], kernels: KernelSet) -> Needs:
    units, depth = inputs[1]
    batches = math.prod(inputs[0]) // depth
    state += _FACTOR_BYTES * units
    short = batches < 4 and (depth < 8 or units * depth < 192)
    if kernels is KernelSet.PLAIN or short:
        return Needs(state)
    return Needs(state, _words_bytes(depth) * min(batches, _PIXELS_AT_ONCE))


def _cmsis_scratch(
    kind: OperatorKind, options: Options, inputs: tuple[Shape, ...], output: Shape
) -> int:
    """CMSIS-NN's buffers with the DSP extension: patches of two pixels, widened to 16 bits."""
    match kind:
        case OperatorKind.CONV_2D if inputs[1][1:3] != (1, 1):
            return 4 * (-(-math.prod(inputs[1][1:]) // 4) * 4)
        case OperatorKind.DEPTHWISE_CONV_2D if inputs[1][3] == inputs[0][3]:
            return 2 * math.prod(inputs[1])
        case OperatorKind.AVERAGE_POOL_2D:
            return 4 * output[3]
        case OperatorKind.MEAN if isinstance(options, MeanOptions):
            return 4 * math.prod(output)
        case _:
            return 0
