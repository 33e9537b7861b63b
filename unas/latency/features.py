# SPDX-License-Identifier: Apache-2.0
"""What a tree may split on: the shape of a kernel, its place, and how the runtime blocks it."""

from __future__ import annotations

import functools
import math

from unas.graph import Activation
from unas.latency.kernel import Call
from unas.latency.terms import clipped_pixels, far_patches, patch_bytes, pixels_at_once
from unas.latency.traits import Traits

FEATURES = (
    "log pixels",
    "log input channels",
    "log output channels",
    "log taps",
    "log inputs",
    "log outputs",
    "log weights",
    "log products",
    "input channels mod 4",
    "output channels mod 4",
    "taps mod 16",
    "filter rows",
    "filter columns",
    "stride",
    "dilation",
    "clipped share",
    "clamped",
    "first",
    "pixels at once",
    "log patch",
    "log far patch",
    "log far window",
    "log far input",
    "log far output",
    "far scratch",
    "log output row",
)
_CHANNELS_AT_ONCE, _TAPS_AT_ONCE = 4, 16


@functools.lru_cache(maxsize=1 << 16)
def features(call: Call, traits: Traits) -> tuple[float, ...]:
    """Values in the order of ``FEATURES``; logarithms are of base 2."""
    kernel, place = call.kernel, call.place
    at_once = pixels_at_once(call, traits)
    patch, far = patch_bytes(kernel) * at_once, far_patches(call, at_once)
    return (
        _log(kernel.pixels),
        _log(kernel.input[2]),
        _log(kernel.output[2]),
        _log(kernel.taps),
        _log(kernel.inputs),
        _log(kernel.outputs),
        _log(kernel.weights),
        _log(kernel.macs),
        kernel.input[2] % _CHANNELS_AT_ONCE,
        kernel.output[2] % _CHANNELS_AT_ONCE,
        kernel.taps % _TAPS_AT_ONCE,
        kernel.filter[0],
        kernel.filter[1],
        kernel.stride[0] * kernel.stride[1],
        kernel.dilation[0] * kernel.dilation[1],
        clipped_pixels(kernel) / kernel.pixels,
        float(kernel.activation is not Activation.NONE),
        float(kernel.first),
        at_once,
        _log(patch),
        _log(patch * far),
        _log(kernel.taps * place.far_input),
        _log(kernel.inputs * place.far_input),
        _log(kernel.outputs * place.far_output),
        far,
        _log(kernel.output[1]),
    )


def _log(value: float) -> float:
    return math.log2(1.0 + value)
