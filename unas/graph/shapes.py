# SPDX-License-Identifier: Apache-2.0
"""Output sizes of windowed operators, as TFLite computes them."""

from __future__ import annotations

from unas.errors import ArchitectureError
from unas.graph.operators import ConvOptions, Padding, PoolOptions


def window_output(size: int, window: int, stride: int, dilation: int, padding: Padding) -> int:
    """Positions of a sliding window along one axis; VALID rounds down.

    Source: ``ComputeOutSize`` in TensorFlow Lite's ``kernels/padding.h``.

    Raises:
        ArchitectureError: The window does not fit even once.
    """
    if padding is Padding.SAME:
        return -(-size // stride)
    reach = (window - 1) * dilation + 1
    if reach > size:
        raise ArchitectureError(
            f"a window of {reach} does not fit an axis of {size} without padding; clip it first"
        )
    return (size - reach) // stride + 1


def conv_output(
    height: int, width: int, kernel_h: int, kernel_w: int, options: ConvOptions
) -> tuple[int, int]:
    """Height and width after a convolution.

    Raises:
        ArchitectureError: The kernel is larger than its input.
    """
    pad = options.padding
    return (
        window_output(height, kernel_h, options.stride_h, options.dilation_h, pad),
        window_output(width, kernel_w, options.stride_w, options.dilation_w, pad),
    )


def pool_output(height: int, width: int, options: PoolOptions) -> tuple[int, int]:
    """Height and width after pooling.

    Raises:
        ArchitectureError: The window is larger than its input.
    """
    return (
        window_output(height, options.filter_h, options.stride_h, 1, options.padding),
        window_output(width, options.filter_w, options.stride_w, 1, options.padding),
    )
