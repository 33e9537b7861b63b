# SPDX-License-Identifier: Apache-2.0
"""A log of single int8 convolutions, as people publish them: cycles follow from the kernels' loops.

The loops are those of TensorFlow Lite Micro with CMSIS-NN on a Cortex-M4: patches are gathered
position by position, two pixels and two channels share a pass over the weights, and 1x1 windows
take another way. What a pass costs is made up; that it comes in such blocks is not.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

import numpy as np

CLOCK_HZ = 180_000_000
COLUMNS = (
    "operator,input_h,input_w,input_c,output_c,kernel_h,kernel_w,stride_h,stride_w,padding,"
    "activation,first,kernels,clock_hz,latency_us"
)
_CHANNELS = (2, 3, 4, 6, 8, 10, 12, 16, 18, 24, 30, 32, 40, 48, 64)


@dataclass(frozen=True, slots=True)
class Conv:
    """One convolution; windows are (rows, columns)."""

    height: int
    width: int
    channels: int
    filters: int
    window: tuple[int, int]
    stride: int
    same: bool

    @property
    def output(self) -> tuple[int, int]:
        if self.same:
            return -(-self.height // self.stride), -(-self.width // self.stride)
        rows, columns = self.window
        return (self.height - rows) // self.stride + 1, (self.width - columns) // self.stride + 1

    @property
    def macs(self) -> int:
        rows, columns = self.output
        return rows * columns * self.filters * self.window[0] * self.window[1] * self.channels


def draw_conv(rng: np.random.Generator) -> Conv:
    """Mostly windows of one column, as for time series; one in twelve reads a single channel."""
    while True:
        in_time = rng.random() < 0.8
        height = int(rng.integers(16, 257) if in_time else rng.integers(6, 49))
        width = int(rng.choice([1, 3, 6, 9, 13])) if in_time else height
        channels = 1 if rng.random() < 1 / 12 else int(rng.choice(_CHANNELS))
        size = int(rng.choice([1, 3, 5, 7, 9, 11]))
        window = (size, 1) if in_time else (min(size, 5), min(size, 5))
        filters, stride = int(rng.choice((1, 5, 20, *_CHANNELS))), int(rng.choice([1, 1, 1, 2]))
        conv = Conv(height, width, channels, filters, window, stride, bool(rng.random() < 0.6))
        fits = window[0] <= height and window[1] <= width
        if fits and max(height * width * channels, int(np.prod(conv.output)) * filters) <= 60_000:
            return conv


def cycles_of(conv: Conv) -> float:
    """What the loops cost."""
    pixels, taps = int(np.prod(conv.output)), conv.window[0] * conv.window[1] * conv.channels
    # Weights that the flash's cache does not hold are waited for in every pass.
    call = 5200.0 + 140.0 * conv.filters
    call += max(0, taps * conv.filters - 1024) / 16 * pixels / 2 * 6.0
    if conv.window == (1, 1) and conv.stride == 1:
        return call + _blocks(pixels, conv.filters, taps, step=7.0, product=5.2, start=44.0)
    positions = pixels * conv.window[0] * conv.window[1]
    fours, rest = divmod(conv.channels, 4)
    gathered = positions * (17.0 + 11.0 * fours + 9.0 * rest) + pixels * (
        40.0 + 12.0 * conv.window[0]
    )
    return call + gathered + _blocks(pixels, conv.filters, taps, 9.0, 4.4, 60.0)


def _blocks(
    pixels: int, filters: int, taps: int, step: float, product: float, start: float
) -> float:
    """Two pixels by two channels, and what is left of both."""
    total = 0.0
    for wide, columns in ((2, pixels // 2), (1, pixels % 2)):
        for deep, rows in ((2, filters // 2), (1, filters % 2)):
            each = wide * deep
            fours = (taps // 4) * (step + product * each)
            rest = (taps % 4) * (4.0 + 5.0 * each)
            total += columns * rows * (start + 24.0 * each + fours + rest)
    return total


def kernel_log(count: int, seed: int, noise: float = 0.01) -> str:
    """A CSV of different convolutions, each timed once with relative noise."""
    rng, text = np.random.default_rng(seed), io.StringIO()
    writer = csv.writer(text)
    text.write(COLUMNS + "\n")
    seen: set[Conv] = set()
    while len(seen) < count:
        conv = draw_conv(rng)
        if conv in seen:
            continue
        seen.add(conv)
        cycles = cycles_of(conv) * np.exp(noise * rng.standard_normal())
        shape = (conv.height, conv.width, conv.channels, conv.filters, *conv.window)
        how = (conv.stride, conv.stride, "SAME" if conv.same else "VALID", "RELU")
        first = int(conv.channels == 1)
        latency_us = f"{cycles * 1e6 / CLOCK_HZ:.2f}"
        writer.writerow(["CONV_2D", *shape, *how, first, "cmsis-nn", CLOCK_HZ, latency_us])
    return text.getvalue()
