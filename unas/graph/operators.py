# SPDX-License-Identifier: Apache-2.0
"""Operator kinds and their options, named as in the TFLite schema."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class OperatorKind(StrEnum):
    """The operators that have a kernel; values are TFLite's BuiltinOperator names."""

    CONV_2D = "CONV_2D"
    DEPTHWISE_CONV_2D = "DEPTHWISE_CONV_2D"
    FULLY_CONNECTED = "FULLY_CONNECTED"
    AVERAGE_POOL_2D = "AVERAGE_POOL_2D"
    MAX_POOL_2D = "MAX_POOL_2D"
    ADD = "ADD"
    PAD = "PAD"
    MEAN = "MEAN"
    RESHAPE = "RESHAPE"
    CONCATENATION = "CONCATENATION"
    SOFTMAX = "SOFTMAX"
    RELU = "RELU"
    RELU6 = "RELU6"
    QUANTIZE = "QUANTIZE"


class Activation(StrEnum):
    """Fused activation function."""

    NONE = "NONE"
    RELU = "RELU"
    RELU6 = "RELU6"


class Padding(StrEnum):
    """Padding scheme of convolutions and pools."""

    SAME = "SAME"
    VALID = "VALID"


class ElementType(StrEnum):
    """Element type of a tensor."""

    INT8 = "int8"
    INT32 = "int32"
    FLOAT32 = "float32"

    @property
    def size_bytes(self) -> int:
        """Bytes of one element."""
        return 1 if self is ElementType.INT8 else 4


@dataclass(frozen=True, slots=True)
class ConvOptions:
    """CONV_2D and DEPTHWISE_CONV_2D.

    ``batch_norm`` says that the float network has a batch normalisation between convolution and
    activation; it is folded into the kernel before anything reaches a device, at no cost there.
    ``depth_multiplier`` is 1 for CONV_2D.
    """

    padding: Padding = Padding.VALID
    stride_h: int = 1
    stride_w: int = 1
    dilation_h: int = 1
    dilation_w: int = 1
    depth_multiplier: int = 1
    activation: Activation = Activation.NONE
    batch_norm: bool = False


@dataclass(frozen=True, slots=True)
class DenseOptions:
    """FULLY_CONNECTED."""

    activation: Activation = Activation.NONE


@dataclass(frozen=True, slots=True)
class PoolOptions:
    """AVERAGE_POOL_2D and MAX_POOL_2D."""

    filter_h: int
    filter_w: int
    stride_h: int
    stride_w: int
    padding: Padding = Padding.VALID
    activation: Activation = Activation.NONE


@dataclass(frozen=True, slots=True)
class AddOptions:
    """ADD of two tensors."""

    activation: Activation = Activation.NONE


@dataclass(frozen=True, slots=True)
class PadOptions:
    """PAD: (before, after) per dimension, batch included; also stored as an int32 constant."""

    paddings: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class MeanOptions:
    """MEAN over ``axes`` (batch is axis 0)."""

    axes: tuple[int, ...]
    keep_dims: bool = False


@dataclass(frozen=True, slots=True)
class ReshapeOptions:
    """RESHAPE to ``new_shape``, batch included."""

    new_shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ConcatenationOptions:
    """CONCATENATION along ``axis`` (batch is axis 0)."""

    axis: int
    activation: Activation = Activation.NONE


@dataclass(frozen=True, slots=True)
class SoftmaxOptions:
    """SOFTMAX over the last axis."""

    beta: float = 1.0


@dataclass(frozen=True, slots=True)
class NoOptions:
    """RELU, RELU6 and QUANTIZE have none."""


Options = (
    ConvOptions
    | DenseOptions
    | PoolOptions
    | AddOptions
    | PadOptions
    | MeanOptions
    | ReshapeOptions
    | ConcatenationOptions
    | SoftmaxOptions
    | NoOptions
)
