# SPDX-License-Identifier: Apache-2.0
"""Geometry of sliding windows: convolutions and pools, axis by axis, as TFLite computes it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from unas.errors import ArchitectureError
from unas.graph.operators import ConvOptions, Padding, PoolOptions

Pair = tuple[int, int]
"""(height, width), or a value down and one across."""


def window_extent(taps: int, dilation: int) -> int:
    """Positions from the first tap to the last, both included."""
    return (taps - 1) * dilation + 1


def same_output(size: int, stride: int) -> int:
    """Output positions with SAME padding: one for each stride that begins in the input."""
    return -(-size // stride)


@dataclass(frozen=True, slots=True)
class WindowAxis:
    """A window that slides along one axis; all values are counts of positions.

    Attributes:
        size: Of the input.
        output: Of the output.
        taps: Input positions that the window reads, on padding or not.
        stride: Between neighbouring windows.
        dilation: Between neighbouring taps.
        pad_before: Of padding before the input.
    """

    size: int
    output: int
    taps: int
    stride: int = 1
    dilation: int = 1
    pad_before: int = 0

    @classmethod
    def of(cls, size: int, taps: int, stride: int, dilation: int, padding: Padding) -> WindowAxis:
        """The axis of an operator; VALID rounds the output down, SAME puts the odd pad behind.

        Source: ``ComputeOutSize`` and ``ComputePaddingWithOffset`` in TensorFlow Lite's
        ``kernels/padding.h``.

        Raises:
            ArchitectureError: Without padding the window does not fit even once.
        """
        extent = window_extent(taps, dilation)
        if padding is Padding.SAME:
            output = same_output(size, stride)
            missing = max((output - 1) * stride + extent - size, 0)
            return cls(size, output, taps, stride, dilation, missing // 2)
        if extent > size:
            raise ArchitectureError(
                f"a window of {extent} does not fit an axis of {size} without padding; "
                "clip it first"
            )
        return cls(size, (size - extent) // stride + 1, taps, stride, dilation)

    @property
    def extent(self) -> int:
        """Positions from the first tap to the last, both included."""
        return window_extent(self.taps, self.dilation)

    @property
    def pad_after(self) -> int:
        """Positions of padding behind the input that the last window reaches."""
        reached = (self.output - 1) * self.stride + self.extent
        return max(reached - self.pad_before - self.size, 0)

    def visible_at(self, position: int) -> range:
        """The taps that lie on the input at one output position."""
        origin = position * self.stride - self.pad_before
        first = -(origin // self.dilation) if origin < 0 else 0
        return range(first, min(self.taps, -(-(self.size - origin) // self.dilation)))

    @property
    def visible_taps(self) -> int:
        """Taps that lie on the input, summed over all output positions."""
        visible = 0
        for tap in range(self.taps):
            offset = tap * self.dilation - self.pad_before
            first = max(-(offset // self.stride), 0)
            last = min((self.size - 1 - offset) // self.stride, self.output - 1)
            visible += max(last - first + 1, 0)
        return visible

    @property
    def whole_positions(self) -> int:
        """Output positions whose window lies within the input."""
        first = -(-self.pad_before // self.stride)
        last = (self.size - self.extent + self.pad_before) // self.stride
        return max(min(last + 1, self.output) - first, 0)

    def trimmed(self) -> WindowAxis:
        """Without the taps at both ends that lie on padding at every output position.

        Where no tap ever lies on the input, ``taps`` is below one.
        """
        first, end = self.visible_at(self.output - 1).start, self.visible_at(0).stop
        pad = self.pad_before - first * self.dilation
        return replace(self, taps=end - first, pad_before=pad)


@dataclass(frozen=True, slots=True)
class Window:
    """A window that slides over height and width.

    Attributes:
        rows: Down.
        columns: Across.
    """

    rows: WindowAxis
    columns: WindowAxis

    @property
    def output(self) -> Pair:
        """Height and width of the output."""
        return self.rows.output, self.columns.output

    @property
    def pad_before(self) -> Pair:
        """Rows of padding above the input, and columns left of it."""
        return self.rows.pad_before, self.columns.pad_before

    @property
    def visible_taps(self) -> int:
        """Taps that lie on the input, summed over all output pixels."""
        return self.rows.visible_taps * self.columns.visible_taps

    @property
    def clipped_pixels(self) -> int:
        """Output pixels whose window lies partly or wholly outside of the input."""
        whole = self.rows.whole_positions * self.columns.whole_positions
        return self.rows.output * self.columns.output - whole


def conv_window(size: Pair, kernel: Pair, options: ConvOptions) -> Window:
    """The window of a convolution, depthwise or not.

    Args:
        size: Height and width of the input.
        kernel: Rows and columns of taps.
        options: Strides, dilations and padding.

    Raises:
        ArchitectureError: The kernel is larger than its input.
    """
    padding = options.padding
    return Window(
        WindowAxis.of(size[0], kernel[0], options.stride_h, options.dilation_h, padding),
        WindowAxis.of(size[1], kernel[1], options.stride_w, options.dilation_w, padding),
    )


def pool_window(size: Pair, options: PoolOptions) -> Window:
    """The window of a pool.

    Args:
        size: Height and width of the input.
        options: Window, strides and padding.

    Raises:
        ArchitectureError: The window is larger than its input.
    """
    return Window(
        WindowAxis.of(size[0], options.filter_h, options.stride_h, 1, options.padding),
        WindowAxis.of(size[1], options.filter_w, options.stride_w, 1, options.padding),
    )
