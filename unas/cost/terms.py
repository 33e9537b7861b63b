# SPDX-License-Identifier: Apache-2.0
"""Cost terms: how often a kernel does each thing that costs time, whatever one of them costs.

Latency is their weighted sum; the weights (cycles per pixel, per product, per missed cache line)
are fitted. Terms follow from how kernels block their loops: counts are rounded up to whole blocks,
so that remainders of channels and pixels show.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from unas.cost.generic_terms import conv_terms, dense_terms, depthwise_terms, pool_terms
from unas.cost.operators import Call, Kernel
from unas.cost.types import KernelProfile
from unas.graph import Activation, OperatorKind

Terms = dict[str, float]
_WORD = 4
_PLAIN_CONV = "CONV_2D plain"
_DEPTHWISE_PIXEL = "DEPTHWISE_CONV_2D one pixel"
_FEW = {
    OperatorKind.MAX_POOL_2D: "MAX_POOL_2D few channels",
    OperatorKind.AVERAGE_POOL_2D: "AVERAGE_POOL_2D few channels",
}


@functools.lru_cache(maxsize=1 << 16)
def cost_terms(call: Call, traits: KernelProfile) -> tuple[float, ...]:
    """The terms of a call, in the order of ``term_names``."""
    return tuple(_counted(family(call), call, traits).values())


@functools.cache
def term_names(name: str, traits: KernelProfile) -> tuple[str, ...]:
    """Names of a family's terms."""
    return tuple(_counted(name, _EXAMPLE, traits))


def _counted(name: str, call: Call, traits: KernelProfile) -> Terms:
    if traits.kernels not in _OURS:
        kind = name.split()[0]  # our variants of inner loops say nothing about theirs
        if kind in _FOREIGN:
            return _FOREIGN[kind](call)
    return _TERMS.get(name, _moved)(call, traits)


def family(call: Call) -> str:
    """What is fitted together: an operator kind, with variants of different inner loops apart."""
    kernel = call.kernel
    kind = kernel.kind
    if kind is OperatorKind.CONV_2D:
        # Where the kernel found that gathering does not pay, it has no working memory.
        return _PLAIN_CONV if call.place.scratch_bytes == 0 else kind.value
    if kind is OperatorKind.DEPTHWISE_CONV_2D:
        return _DEPTHWISE_PIXEL if kernel.pixels == 1 else kind.value
    if kernel.output[2] < _WORD and kind in _FEW:
        return _FEW[kind]
    return kind.value


def pixels_at_once(call: Call, traits: KernelProfile) -> float:
    """Mean number of output positions that a convolution computes in one pass over its weights."""
    kernel, most = call.kernel, traits.pixels_at_once
    if call.place.scratch_bytes is not None:
        room = call.place.scratch_bytes - _staging_bytes(kernel)
        most = min(most, max(room // patch_bytes(kernel), 1))
    return kernel.pixels / -(-kernel.pixels // min(most, kernel.pixels))


def patch_bytes(kernel: Kernel) -> int:
    """The taps of one position, widened to 16 bits in groups of four."""
    return -(-kernel.taps // _WORD) * 2 * _WORD


def far_patches(call: Call, at_once: float) -> float:
    """Share of the widened patches beyond the fastest memory."""
    kernel = call.kernel
    return call.place.far_scratch(_staging_bytes(kernel) + patch_bytes(kernel) * at_once)


def _is_aligned(kernel: Kernel) -> bool:
    return kernel.filter == (1, 1) or kernel.input[2] % _WORD == 0


def _staging_bytes(kernel: Kernel) -> int:
    """Where rows that are no whole words are put together first."""
    return 0 if _is_aligned(kernel) else -(-kernel.taps // _WORD) * _WORD


def _conv(call: Call, traits: KernelProfile) -> Terms:
    kernel = call.kernel
    pixels, channels, taps = kernel.pixels, kernel.output[2], kernel.taps
    at_once = pixels_at_once(call, traits)
    blocks = pixels / at_once
    groups = -(-taps // _WORD)
    alone = at_once < 2  # another inner loop: four channels share the inputs of one pixel
    passes = blocks * channels
    point, staged = kernel.filter == (1, 1), not _is_aligned(kernel)
    moved = staged and call.place.in_place  # such rows are put together the long way
    row_words = -(-kernel.filter[1] * kernel.input[2] // _WORD)
    terms: Terms = {
        "call": 1,
        "output row": kernel.output[0],
        "pixel": 0 if point else pixels,
        "pixel of 1x1": point * pixels,
        "clipped pixel": kernel.window.clipped_pixels,
        "row of a patch": 0 if point or staged else pixels * kernel.filter[0],
        "staged row": staged * pixels * kernel.filter[0],
        "moved row": moved * pixels * kernel.filter[0],
        "4 taps gathered": pixels * groups,
        "4 taps staged": staged * pixels * kernel.filter[0] * row_words,
        "taps left in a patch": pixels * (taps % _WORD > 0),
        "block": blocks,
        "pass": 0 if alone else passes,
        "4 taps of a pass": 0 if alone else passes * groups,
        "4 taps of a pass of many": passes * groups * (at_once > 3.5),
        "4 taps of an output": 0 if alone else pixels * channels * groups,
        "output": pixels * channels,
        "clamped output": _clamped(kernel),
        "unaligned 4 taps of a pass": passes * groups * (taps % _WORD > 0),
        "taps left in a pass": passes * (taps % _WORD > 0),
        "taps left in an output": pixels * channels * (taps % _WORD > 0),
        "4 channels alone": alone * pixels * (channels // _WORD),
        "16 products alone": alone * pixels * (channels // _WORD) * groups,
        "channel alone": alone * pixels * (channels % _WORD),
        "4 taps of a channel alone": alone * pixels * (channels % _WORD) * groups,
    }
    return terms | _conv_misses(call, traits, at_once, passes)


def _conv_misses(call: Call, traits: KernelProfile, at_once: float, passes: float) -> Terms:
    """Lines of caches that are read or written again."""
    kernel, place, line = call.kernel, call.place, traits.line_bytes
    pixels, channels, taps = kernel.pixels, kernel.output[2], kernel.taps
    groups = -(-taps // _WORD)
    far = far_patches(call, at_once)
    patches = patch_bytes(kernel) * at_once * far
    staging = _staging_bytes(kernel) * far
    window = taps * place.far_input
    # A pixel's words lie 8 bytes times the number of pixels apart.
    spread = min(groups * line, patch_bytes(kernel) * at_once) * far
    rebuilt = pixels * groups * far * traits.lost(spread + staging + window)
    row_lines = kernel.filter[1] * kernel.input[2] / line
    rows = pixels * kernel.filter[0] * place.far_input
    window_lost = traits.lost(window + patches + staging)
    return {
        "weights' line": passes * taps / line * traits.lost(kernel.weights + patches),
        "patch's line, lost": passes * patches / line * traits.lost(patches + taps),
        "patch's line": pixels / at_once * patches / line,
        "patch's line, rebuilt": rebuilt * min(2 * _WORD * at_once / line, 1),
        "window's line": rows * row_lines * window_lost,
        "new line of a window": rows
        * (1 - window_lost)
        * row_lines
        * min(kernel.stride[1] / kernel.filter[1], 1),
        "staged line": pixels * staging / line * traits.lost(patches + staging),
        "output's line, lost": pixels * channels * place.far_output * traits.lost(patches + taps),
    }


def _plain_conv(call: Call, traits: KernelProfile) -> Terms:
    kernel = call.kernel
    pixels, channels, taps = kernel.pixels, kernel.output[2], kernel.taps
    rows = pixels * kernel.filter[0]
    return {
        "call": 1,
        "pixel": pixels,
        "output": pixels * channels,
        "row of 4 channels": rows * (channels // _WORD),
        "row of a channel": rows * (channels % _WORD),
        "product of 4 channels": pixels * taps * (channels // _WORD),
        "product of a channel": pixels * taps * (channels % _WORD),
        "weights' line": pixels * kernel.weights / traits.line_bytes * traits.lost(kernel.weights),
    }


def _depthwise(call: Call, traits: KernelProfile) -> Terms:
    kernel, place = call.kernel, call.place
    fours, ones = kernel.output[2] // _WORD, int(kernel.output[2] % _WORD > 0)
    blocks, pixels = fours + ones, kernel.pixels
    seen = kernel.input[0] * kernel.input[1]
    line, step = traits.line_bytes, kernel.input[2]
    lost = traits.lost(seen * min(step, line))  # one block's way through the input
    unrolled = kernel.filter[1] in (3, 5, 7)
    far = place.far_scratch(
        kernel.filter[0] * kernel.input[1] * 8
    )  # rows of four channels, widened
    return {
        "call": 1,
        "block": blocks,
        "row of a block": blocks * kernel.output[0],
        "row of taps": fours * pixels * kernel.filter[0],
        "row of taps, remainder": ones * pixels * kernel.filter[0],
        "input of a block": fours * seen,
        "input of the remainder": ones * seen,
        "pixel of a block": blocks * pixels,
        "tap of a block": fours * pixels * kernel.taps,
        "tap of the remainder": ones * pixels * kernel.taps,
        "tap in a loop": 0 if unrolled else blocks * pixels * kernel.taps,
        "output": kernel.outputs,
        "clamped output": _clamped(kernel),
        "input's line": blocks * seen * min(step / line, 1) * place.far_input * lost,
        "output's line": blocks * pixels * min(step / line, 1) * place.far_output * lost,
        "ring's line": blocks * seen * 8 / line * far,
        "taps' line": blocks * pixels * kernel.filter[0] * far,
    }


def _depthwise_pixel(call: Call, traits: KernelProfile) -> Terms:
    kernel = call.kernel
    fours, ones = kernel.output[2] // _WORD, int(kernel.output[2] % _WORD > 0)
    return {
        "call": 1,
        "block": fours,
        "remainder": ones,
        "row of taps": (fours + ones) * kernel.filter[0],
        "tap of a block": fours * kernel.taps,
        "tap of the remainder": ones * kernel.taps,
        "line": (kernel.weights + kernel.inputs * call.place.far_input) / traits.line_bytes,
    }


def _dense(call: Call, traits: KernelProfile) -> Terms:
    kernel, units = call.kernel, call.kernel.output[2]
    rows, groups = kernel.output[0] * kernel.output[1], -(-kernel.taps // _WORD)
    patch = patch_bytes(kernel) * call.place.far_scratch(patch_bytes(kernel))
    return {
        "call": 1,
        "4 features": rows * groups,
        "4 units": rows * (units // _WORD),
        "unit": rows * (units % _WORD),
        "16 products": rows * (units // _WORD) * groups,
        "4 products": rows * (units % _WORD) * groups,
        "features left": rows * units * (kernel.taps % _WORD > 0),
        "clamped output": _clamped(kernel),
        "weights' line": kernel.weights / traits.line_bytes,
        "patch's line": units / _WORD * patch / traits.line_bytes * traits.lost(patch),
    }


def _pool(call: Call, traits: KernelProfile) -> Terms:
    kernel, place = call.kernel, call.place
    blocks, pixels = -(-kernel.output[2] // _WORD), kernel.pixels
    line = traits.line_bytes
    window = kernel.taps * kernel.input[2] * place.far_input
    read = pixels * kernel.taps * max(kernel.output[2] / line, 1) * place.far_input
    return {
        "call": 1,
        "output row": kernel.output[0],
        "pixel": pixels,
        "block": pixels * blocks,
        "row of a block": pixels * blocks * kernel.filter[0],
        "tap of a block": pixels * blocks * kernel.taps,
        "clamped output": _clamped(kernel),
        "input's line": read,
        "input's line, lost": read * blocks * traits.lost(window),
        "output's line": kernel.outputs / line * place.far_output,
    }


def _pool_of_few(call: Call, traits: KernelProfile) -> Terms:
    kernel = call.kernel
    return {
        "call": 1,
        "pixel": kernel.pixels,
        "output": kernel.outputs,
        "row of taps": kernel.outputs * kernel.filter[0],
        "tap": kernel.outputs * kernel.taps,
        "input's line": kernel.inputs / traits.line_bytes * call.place.far_input,
    }


def _add(call: Call, traits: KernelProfile) -> Terms:
    kernel, place = call.kernel, call.place
    return {
        "call": 1,
        "output": kernel.outputs,
        "clamped output": _clamped(kernel),
        "input's line": kernel.outputs / traits.line_bytes * place.far_input,
        "output's line": kernel.outputs / traits.line_bytes * place.far_output,
    }


def _moved(call: Call, traits: KernelProfile) -> Terms:
    """What moves or maps elements, and whatever is not known better."""
    kernel, place = call.kernel, call.place
    return {
        "call": 1,
        "output row": kernel.output[0],
        "pixel": kernel.pixels,
        "channel": kernel.output[2],
        "input": kernel.inputs,
        "output": kernel.outputs,
        "line": (kernel.inputs * place.far_input + kernel.outputs * place.far_output)
        / traits.line_bytes,
    }


def _clamped(kernel: Kernel) -> int:
    return 0 if kernel.activation is Activation.NONE else kernel.outputs


# Kernels of the built-in runtime, whose loops we know.
_OURS = ("dsp", "plain")
_FOREIGN: dict[str, Callable[[Call], Terms]] = {
    "CONV_2D": conv_terms,
    "DEPTHWISE_CONV_2D": depthwise_terms,
    "FULLY_CONNECTED": dense_terms,
    "MAX_POOL_2D": pool_terms,
    "AVERAGE_POOL_2D": pool_terms,
}
_EXAMPLE = Call(Kernel(OperatorKind.CONV_2D, (4, 4, 4), (4, 4, 4)))
_TERMS: dict[str, Callable[[Call, KernelProfile], Terms]] = {
    "CONV_2D": _conv,
    _PLAIN_CONV: _plain_conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    _DEPTHWISE_PIXEL: _depthwise_pixel,
    "FULLY_CONNECTED": _dense,
    "MAX_POOL_2D": _pool,
    "AVERAGE_POOL_2D": _pool,
    **dict.fromkeys(_FEW.values(), _pool_of_few),
    "ADD": _add,
}
