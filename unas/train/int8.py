# SPDX-License-Identifier: Apache-2.0
"""The int8 model of a trained network: converted, and evaluated on the splits of its data set."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from unas.artifact import Flatbuffer
from unas.train.datasets import Dataset
from unas.train.result import classification_error

if TYPE_CHECKING:
    import keras

# Enough for the scales of activations; more only takes time.
_REPRESENTATIVE = 200


@dataclass(frozen=True, slots=True)
class Int8Network:
    """An int8 model and its errors.

    Attributes:
        model: The bytes that go to the board.
        val_error: Error of exactly these bytes on the validation split, 0..1.
        test_error: Likewise on the test split.
        sample: The first input of the test split as the model gets it, with its label; JSON.
    """

    model: Flatbuffer
    val_error: float
    test_error: float
    sample: str


class Int8Converter:
    """Converts networks of one data set, whose inputs are computed once."""

    def __init__(self, dataset: Dataset) -> None:
        self._labels = dataset.validation.y, dataset.test.y
        self._inputs = dataset.inputs(dataset.validation), dataset.inputs(dataset.test)
        count = len(dataset.train)
        picked = np.random.default_rng(0).permutation(count)[:_REPRESENTATIVE]
        self._samples = [dataset.inputs(dataset.train, i, i + 1) for i in sorted(picked.tolist())]

    def convert(self, model: keras.Model, name: str) -> Int8Network:
        """Convert a network and evaluate the result.

        Args:
            model: The float network.
            name: Of the int8 model.

        Raises:
            ModelError: The converter refuses it, or its result cannot be run.
        """
        from unas.host.runtime import int8_outputs
        from unas.tflite.converter import convert_keras
        from unas.tflite.io_quantization import quantize_input, read_io_quantization
        from unas.tflite.order import reorder_flatbuffer

        converted = reorder_flatbuffer(convert_keras(model, self._representative(), name))
        quantization = read_io_quantization(converted.data)
        val_error, test_error = (
            classification_error(
                int8_outputs(converted.data, quantize_input(inputs, quantization)),
                labels,
                boundary=quantization.output_zero,
            )
            for inputs, labels in zip(self._inputs, self._labels, strict=True)
        )
        first = quantize_input(self._inputs[1][0], quantization)
        values = {"shape": list(first.shape), "input": first.ravel().tolist()}
        sample = json.dumps(values | {"label": int(self._labels[1][0])})
        return Int8Network(converted, val_error, test_error, sample)

    def _representative(self) -> Iterator[NDArray[np.float32]]:
        """The representative dataset: inputs of shape (1, height, width, channels)."""
        return iter(self._samples)
