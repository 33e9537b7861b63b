# SPDX-License-Identifier: Apache-2.0
"""The sliding window of a convolution along one axis, as far as memory depends on it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from unas.graph import ConvOptions, Padding


@dataclass(frozen=True, slots=True)
class Window:
    """One axis of a convolution.

    Attributes:
        input: Positions of the input.
        output: Positions of the output.
        filter: Taps.
        stride: Between outputs.
        dilation: Between taps.
        pad: Positions of padding before the first.
    """

    input: int
    output: int
    filter: int
    stride: int
    dilation: int
    pad: int

    @property
    def covered(self) -> int:
        """Positions from the first tap to the last."""
        return (self.filter - 1) * self.dilation + 1

    def visible_taps(self) -> int:
        """Taps that lie in the input, over all outputs."""
        taps = 0
        for position in range(self.output):
            origin = position * self.stride - self.pad
            first = -(origin // self.dilation) if origin < 0 else 0
            end = min(self.filter, -(-(self.input - origin) // self.dilation))
            taps += end - first
        return taps

    def trimmed(self) -> Window:
        """Without the taps before and behind that never meet the input."""
        last = (self.output - 1) * self.stride - self.pad
        first = -(last // self.dilation) if last < 0 else 0
        end = min((self.input - 1 + self.pad) // self.dilation + 1, self.filter)
        return replace(self, filter=end - first, pad=self.pad - first * self.dilation)


def windows(
    options: ConvOptions, data: tuple[int, ...], kernel_h: int, kernel_w: int
) -> tuple[Window, Window]:
    """Down and along an NHWC tensor; padding as TFLite computes it.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2.
    """
    down = (data[1], kernel_h, options.stride_h, options.dilation_h)
    along = (data[2], kernel_w, options.stride_w, options.dilation_w)
    return _window(*down, options.padding), _window(*along, options.padding)


def _window(size: int, taps: int, stride: int, dilation: int, padding: Padding) -> Window:
    covered = (taps - 1) * dilation + 1
    if padding is Padding.VALID:
        return Window(size, (size - covered) // stride + 1, taps, stride, dilation, 0)
    output = (size - 1) // stride + 1
    missing = (output - 1) * stride + covered - size
    return Window(size, output, taps, stride, dilation, max(missing, 0) // 2)
