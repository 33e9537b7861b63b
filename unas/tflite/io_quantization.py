# SPDX-License-Identifier: Apache-2.0
"""Quantisation of a .tflite file's input and output, and of samples for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import tflite
from numpy.typing import NDArray

from unas.errors import DataError, ModelError


@dataclass(frozen=True, slots=True)
class IoQuantization:
    """Real value = scale * (int8 value - zero point), for the input and output of a network.

    Attributes:
        input_scale: Real size of one step of the input.
        input_zero: The input's int8 value for 0.
        output_scale: Real size of one step of the output.
        output_zero: The output's int8 value for 0: with one logit, class 1 lies above.
        input_shape: Of one sample: the input tensor's without the batch.
    """

    input_scale: float
    input_zero: int
    output_scale: float
    output_zero: int
    input_shape: tuple[int, ...]

    def real(self, outputs: NDArray[np.int8]) -> NDArray[np.float32]:
        """The float output for int8 outputs of any shape."""
        steps = outputs.astype(np.float32) - self.output_zero
        return steps * np.float32(self.output_scale)


def quantize_input(samples: NDArray[np.floating[Any]], io: IoQuantization) -> NDArray[np.int8]:
    """The int8 input for real samples: to the nearest step, halves to even, saturated.

    Args:
        samples: What the network was trained on: one sample, or (n, ...) of them.
        io: Of the network.

    Returns:
        int8 of the samples' shape.

    Raises:
        DataError: The samples have another shape than the input, or a value is not finite.
    """
    shape, rank = io.input_shape, len(io.input_shape)
    if samples.shape[-rank:] != shape or samples.ndim - rank not in (0, 1):
        raise DataError(
            f"samples of shape {_by(samples.shape)} for a network whose input is {_by(shape)}; "
            "give the data set that it was trained on"
        )
    wrong = samples.size - int(np.isfinite(samples).sum())
    if wrong:
        raise DataError(
            f"{wrong} of {samples.size} values of the samples are not finite; look at the data "
            "set and its normalisation"
        )
    with np.errstate(over="ignore"):  # what overflows here saturates below
        steps = np.round(samples / np.float32(io.input_scale)) + io.input_zero
    result: NDArray[np.int8] = np.clip(steps, -128, 127).astype(np.int8)
    return result


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "a single number"


def read_io_quantization(data: bytes) -> IoQuantization:
    """Scales and zero points of a model that ``read_flatbuffer`` or a runtime accepts.

    Args:
        data: The file's content.

    Raises:
        ModelError: Input or output is not quantised.
    """
    model = tflite.Model.GetRootAs(data)
    subgraph = model.Subgraphs(0)
    scales: list[float] = []
    zeros: list[int] = []
    for tensor in (subgraph.Inputs(0), subgraph.Outputs(0)):
        quantization = subgraph.Tensors(tensor).Quantization()
        if quantization is None or not quantization.ScaleLength():
            raise ModelError(
                f"tensor {tensor} of the model has no scale; convert it with int8 input and output"
            )
        scales.append(float(quantization.Scale(0)))
        zeros.append(int(quantization.ZeroPoint(0)))
    shape = subgraph.Tensors(subgraph.Inputs(0)).ShapeAsNumpy()
    return IoQuantization(
        scales[0], zeros[0], scales[1], zeros[1], tuple(int(size) for size in shape[1:])
    )
