# SPDX-License-Identifier: Apache-2.0
"""How a .tflite file's input and output stand for real numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import tflite
from numpy.typing import NDArray

from unas.errors import ModelError


@dataclass(frozen=True, slots=True)
class IoQuantization:
    """Real value = scale * (int8 value - zero point), at both ends of a network.

    Attributes:
        input_scale: Real size of one step of the input.
        input_zero: The input's int8 value for 0.
        output_scale: Real size of one step of the output.
        output_zero: The output's int8 value for 0: with one logit, class 1 lies above.
    """

    input_scale: float
    input_zero: int
    output_scale: float
    output_zero: int

    def quantised(self, inputs: NDArray[np.floating[Any]]) -> NDArray[np.int8]:
        """The int8 input for float inputs of any shape: to the nearest step, halves to even."""
        steps = np.round(inputs / np.float32(self.input_scale)) + self.input_zero
        result: NDArray[np.int8] = np.clip(steps, -128, 127).astype(np.int8)
        return result

    def real(self, outputs: NDArray[np.int8]) -> NDArray[np.float32]:
        """The float output for int8 outputs of any shape."""
        steps = outputs.astype(np.float32) - self.output_zero
        return steps * np.float32(self.output_scale)


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
        quantisation = subgraph.Tensors(tensor).Quantization()
        if quantisation is None or not quantisation.ScaleLength():
            raise ModelError(
                f"tensor {tensor} of the model has no scale; convert it with int8 input and output"
            )
        scales.append(float(quantisation.Scale(0)))
        zeros.append(int(quantisation.ZeroPoint(0)))
    return IoQuantization(scales[0], zeros[0], scales[1], zeros[1])
