# SPDX-License-Identifier: Apache-2.0
"""Cost terms: how often a kernel does each thing that takes time.

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
def cost_terms(call: Call, profile: KernelProfile) -> tuple[float, ...]:
    """The terms of a call, in the order of ``term_names``."""
    return tuple(_term_counts(family(call), call, profile).values())


@functools.cache
def term_names(name: str, profile: KernelProfile) -> tuple[str, ...]:
    """Names of a family's terms."""
    return tuple(_term_counts(name, _EXAMPLE, profile))


def _term_counts(name: str, call: Call, profile: KernelProfile) -> Terms:
    if profile.kernels not in _BUILT_IN:
        kind = name.split()[0]  # variants of the built-in inner loops say nothing of other runtimes
        if kind in _GENERIC:
            return _GENERIC[kind](call)
    return _TERMS.get(name, _moved)(call, profile)


def family(call: Call) -> str:
    """What is fitted together: an operator kind, with variants of different inner loops apart."""
    kernel = call.kernel
    kind = kernel.kind
    if kind is OperatorKind.CONV_2D:
        # Where the kernel found that gathering does not pay, it has no working memory.
        return _PLAIN_CONV if call.placement.scratch_bytes == 0 else kind.value
    if kind is OperatorKind.DEPTHWISE_CONV_2D:
        return _DEPTHWISE_PIXEL if kernel.pixels == 1 else kind.value
    if kernel.output[2] < _WORD and kind in _FEW:
        return _FEW[kind]
    return kind.value


def pixels_at_once(call: Call, profile: KernelProfile) -> float:
    """Mean number of output positions that a convolution computes in one pass over its weights."""
    kernel, pixels = call.kernel, profile.pixels_at_once
    if call.placement.scratch_bytes is not None:
        patches_bytes = call.placement.scratch_bytes - _staging_bytes(kernel)
        pixels = min(pixels, max(patches_bytes // patch_bytes(kernel), 1))
    return kernel.pixels / -(-kernel.pixels // min(pixels, kernel.pixels))


def patch_bytes(kernel: Kernel) -> int:
    """The taps of one position, widened to 16 bits in groups of four."""
    return -(-kernel.taps // _WORD) * 2 * _WORD


def slow_patches(call: Call, at_once: float) -> float:
    """Share of the widened patches in slow memory, 0 to 1."""
    kernel = call.kernel
    return call.placement.slow_scratch(_staging_bytes(kernel) + patch_bytes(kernel) * at_once)


def _is_aligned(kernel: Kernel) -> bool:
    return kernel.filter == (1, 1) or kernel.input[2] % _WORD == 0


def _staging_bytes(kernel: Kernel) -> int:
    """Bytes in which rows that are no whole words are put together first; 0 if none are."""
    return 0 if _is_aligned(kernel) else -(-kernel.taps // _WORD) * _WORD


def _conv(call: Call, profile: KernelProfile) -> Terms:
    kernel = call.kernel
    pixels, channels, taps = kernel.pixels, kernel.output[2], kernel.taps
    at_once = pixels_at_once(call, profile)
    blocks = pixels / at_once
    groups = -(-taps // _WORD)
    alone = at_once < 2  # another inner loop: four channels share the inputs of one pixel
    passes = blocks * channels
    point, staged = kernel.filter == (1, 1), not _is_aligned(kernel)
    moved = staged and call.placement.in_place  # such rows are put together the long way
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
    return terms | _conv_misses(call, profile, at_once, passes)


def _conv_misses(call: Call, profile: KernelProfile, at_once: float, passes: float) -> Terms:
    """Cache lines that are read or written more than once."""
    kernel, placement, line = call.kernel, call.placement, profile.line_bytes
    pixels, channels, taps = kernel.pixels, kernel.output[2], kernel.taps
    groups = -(-taps // _WORD)
    slow = slow_patches(call, at_once)
    patches = patch_bytes(kernel) * at_once * slow
    staging = _staging_bytes(kernel) * slow
    window = taps * placement.slow_input
    # A pixel's words lie 8 bytes times the number of pixels apart.
    spread = min(groups * line, patch_bytes(kernel) * at_once) * slow
    rebuilt = pixels * groups * slow * profile.miss_share(spread + staging + window)
    row_lines = kernel.filter[1] * kernel.input[2] / line
    rows = pixels * kernel.filter[0] * placement.slow_input
    window_lost = profile.miss_share(window + patches + staging)
    return {
        "weights' line": passes * taps / line * profile.miss_share(kernel.weights + patches),
        "patch's line, lost": passes * patches / line * profile.miss_share(patches + taps),
        "patch's line": pixels / at_once * patches / line,
        "patch's line, rebuilt": rebuilt * min(2 * _WORD * at_once / line, 1),
        "window's line": rows * row_lines * window_lost,
        "new line of a window": rows
        * (1 - window_lost)
        * row_lines
        * min(kernel.stride[1] / kernel.filter[1], 1),
        "staged line": pixels * staging / line * profile.miss_share(patches + staging),
        "output's line, lost": pixels
        * channels
        * placement.slow_output
        * profile.miss_share(patches + taps),
    }


def _plain_conv(call: Call, profile: KernelProfile) -> Terms:
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
        "weights' line": pixels
        * kernel.weights
        / profile.line_bytes
        * profile.miss_share(kernel.weights),
    }


def _depthwise(call: Call, profile: KernelProfile) -> Terms:
    kernel, placement = call.kernel, call.placement
    fours, ones = kernel.output[2] // _WORD, int(kernel.output[2] % _WORD > 0)
    blocks, pixels = fours + ones, kernel.pixels
    seen = kernel.input[0] * kernel.input[1]
    line, step = profile.line_bytes, kernel.input[2]
    missed = profile.miss_share(seen * min(step, line))  # one block's way through the input
    unrolled = kernel.filter[1] in (3, 5, 7)
    slow = placement.slow_scratch(
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
        "input's line": blocks * seen * min(step / line, 1) * placement.slow_input * missed,
        "output's line": blocks * pixels * min(step / line, 1) * placement.slow_output * missed,
        "ring's line": blocks * seen * 8 / line * slow,
        "taps' line": blocks * pixels * kernel.filter[0] * slow,
    }


def _depthwise_pixel(call: Call, profile: KernelProfile) -> Terms:
    kernel = call.kernel
    fours, ones = kernel.output[2] // _WORD, int(kernel.output[2] % _WORD > 0)
    return {
        "call": 1,
        "block": fours,
        "remainder": ones,
        "row of taps": (fours + ones) * kernel.filter[0],
        "tap of a block": fours * kernel.taps,
        "tap of the remainder": ones * kernel.taps,
        "line": (kernel.weights + kernel.inputs * call.placement.slow_input) / profile.line_bytes,
    }


def _dense(call: Call, profile: KernelProfile) -> Terms:
    kernel, units = call.kernel, call.kernel.output[2]
    rows, groups = kernel.output[0] * kernel.output[1], -(-kernel.taps // _WORD)
    patch = patch_bytes(kernel) * call.placement.slow_scratch(patch_bytes(kernel))
    return {
        "call": 1,
        "4 features": rows * groups,
        "4 units": rows * (units // _WORD),
        "unit": rows * (units % _WORD),
        "16 products": rows * (units // _WORD) * groups,
        "4 products": rows * (units % _WORD) * groups,
        "features left": rows * units * (kernel.taps % _WORD > 0),
        "clamped output": _clamped(kernel),
        "weights' line": kernel.weights / profile.line_bytes,
        "patch's line": units / _WORD * patch / profile.line_bytes * profile.miss_share(patch),
    }


def _pool(call: Call, profile: KernelProfile) -> Terms:
    kernel, placement = call.kernel, call.placement
    blocks, pixels = -(-kernel.output[2] // _WORD), kernel.pixels
    line = profile.line_bytes
    window = kernel.taps * kernel.input[2] * placement.slow_input
    read = pixels * kernel.taps * max(kernel.output[2] / line, 1) * placement.slow_input
    return {
        "call": 1,
        "output row": kernel.output[0],
        "pixel": pixels,
        "block": pixels * blocks,
        "row of a block": pixels * blocks * kernel.filter[0],
        "tap of a block": pixels * blocks * kernel.taps,
        "clamped output": _clamped(kernel),
        "input's line": read,
        "input's line, lost": read * blocks * profile.miss_share(window),
        "output's line": kernel.outputs / line * placement.slow_output,
    }


def _pool_of_few(call: Call, profile: KernelProfile) -> Terms:
    kernel = call.kernel
    return {
        "call": 1,
        "pixel": kernel.pixels,
        "output": kernel.outputs,
        "row of taps": kernel.outputs * kernel.filter[0],
        "tap": kernel.outputs * kernel.taps,
        "input's line": kernel.inputs / profile.line_bytes * call.placement.slow_input,
    }


def _add(call: Call, profile: KernelProfile) -> Terms:
    kernel, placement = call.kernel, call.placement
    return {
        "call": 1,
        "output": kernel.outputs,
        "clamped output": _clamped(kernel),
        "input's line": kernel.outputs / profile.line_bytes * placement.slow_input,
        "output's line": kernel.outputs / profile.line_bytes * placement.slow_output,
    }


def _moved(call: Call, profile: KernelProfile) -> Terms:
    """Operators that move or map elements, and all that have no terms of their own."""
    kernel, placement = call.kernel, call.placement
    return {
        "call": 1,
        "output row": kernel.output[0],
        "pixel": kernel.pixels,
        "channel": kernel.output[2],
        "input": kernel.inputs,
        "output": kernel.outputs,
        "line": (kernel.inputs * placement.slow_input + kernel.outputs * placement.slow_output)
        / profile.line_bytes,
    }


def _clamped(kernel: Kernel) -> int:
    return 0 if kernel.activation is Activation.NONE else kernel.outputs


# Kernels of the built-in runtime, whose loops we know.
_BUILT_IN = ("dsp", "plain")
_GENERIC: dict[str, Callable[[Call], Terms]] = {
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
