# SPDX-License-Identifier: Apache-2.0
"""Cost terms for runtimes that are not ours: CMSIS-NN, reference kernels, whatever was imported.

Their sources are not at hand when a table of measurements is read, so the terms cover what kernels
for microcontrollers have in common: patches gathered position by position, products in blocks of
two pixels and two channels with four taps a step (CMSIS-NN's ``arm_nn_mat_mult_kernel_s8_s16`` and
``arm_nn_mat_mult_nt_t_s8``), or plain loops over them (TensorFlow Lite Micro's reference kernels).
The fit finds out which of them a runtime pays for.
"""

from __future__ import annotations

from unas.cost.operators import Call, Kernel
from unas.graph import Activation

Terms = dict[str, float]
_WORD = 4
_UNROLLED = 16


def conv_terms(call: Call) -> Terms:
    """CONV_2D; 1x1 kernels without stride need no patches and take a loop of their own."""
    kernel = call.kernel
    pointwise = kernel.filter == (1, 1) and kernel.stride == (1, 1)
    pixels, channels, depth = kernel.pixels, kernel.output[2], kernel.input[2]
    inside = kernel.window.visible_taps
    outside = pixels * kernel.filter[0] * kernel.filter[1] - inside
    terms: Terms = {
        "call": 1,
        "channel": channels,
        "output row": kernel.output[0],
        "pixel": pixels,
        "row of a patch": pixels * kernel.filter[0],
        "position": inside,
        "4 inputs": inside * (depth // _WORD),
        "input left": inside * (depth % _WORD),
        "position outside": outside,
        "input outside": outside * depth,
        "output": pixels * channels,
        "clamped output": clamped(kernel),
        "position of an output": inside * channels,
        "product": inside * channels * depth,
    }
    return _apart(terms | _blocks(pixels, channels, kernel.taps), "1x1", "patches", pointwise)


def depthwise_terms(call: Call) -> Terms:
    """DEPTHWISE_CONV_2D; 3x3 has a kernel of its own in CMSIS-NN."""
    kernel = call.kernel
    inside, channels = kernel.window.visible_taps, kernel.output[2]
    terms: Terms = {
        "call": 1,
        "channel": channels,
        "output row": kernel.output[0],
        "pixel": kernel.pixels,
        "output": kernel.outputs,
        "clamped output": clamped(kernel),
        "position": inside,
        "position outside": kernel.pixels * kernel.taps - inside,
        "4 products": inside * (channels // _WORD),
        "product left": inside * (channels % _WORD),
        "4 outputs": kernel.pixels * (channels // _WORD),
        "output left": kernel.pixels * (channels % _WORD),
    }
    return _apart(terms, "3x3", "others", kernel.filter == (3, 3))


def dense_terms(call: Call) -> Terms:
    """FULLY_CONNECTED."""
    kernel = call.kernel
    rows = kernel.pixels
    terms: Terms = {"call": 1, "clamped output": clamped(kernel), "feature": rows * kernel.taps}
    blocks = _blocks(rows, kernel.output[2], kernel.taps)
    return terms | blocks | {"product": kernel.macs}


def pool_terms(call: Call) -> Terms:
    """MAX_POOL_2D and AVERAGE_POOL_2D."""
    kernel = call.kernel
    inside, channels = kernel.window.visible_taps, kernel.output[2]
    return {
        "call": 1,
        "output row": kernel.output[0],
        "pixel": kernel.pixels,
        "output": kernel.outputs,
        "clamped output": clamped(kernel),
        "position": inside,
        "4 inputs": inside * (channels // _WORD),
        "input": inside * (channels % _WORD),
    }


def clamped(kernel: Kernel) -> int:
    """Outputs that an activation bounds."""
    return 0 if kernel.activation is Activation.NONE else kernel.outputs


def _apart(terms: Terms, special: str, usual: str, is_special: bool) -> Terms:
    """The terms twice, one set for each of two inner loops; those of the other are zero."""
    return {
        f"{loop}: {name}": count if runs else 0
        for loop, runs in ((special, is_special), (usual, not is_special))
        for name, count in terms.items()
    }


def _blocks(pixels: int, channels: int, taps: int) -> Terms:
    """Loops over two pixels and two channels at once, with the odd ones apart."""
    pairs, pixel = divmod(pixels, 2)
    both, channel = divmod(channels, 2)
    shapes = {
        "2x2": pairs * both,
        "2 pixels": pairs * channel,
        "2 channels": pixel * both,
        "1x1": pixel * channel,
    }
    terms: Terms = {}
    for name, count in shapes.items():
        terms |= {
            name: count,
            f"{name}, 4 taps": count * (taps // _WORD),
            f"{name}, tap left": count * (taps % _WORD),
        }
    return terms | {"2x2, 16 taps": pairs * both * (taps // _UNROLLED)}
