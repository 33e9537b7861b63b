# SPDX-License-Identifier: Apache-2.0
"""A teacher: a larger trained network whose outputs candidates also learn from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unas.errors import ModelError
from unas.train.keras_model import load_model


@dataclass(frozen=True, slots=True, eq=False)
class Teacher:
    """A teacher.

    Attributes:
        name: For people.
        logits: From the network inputs of a batch to logits; called while the training step is
            compiled.
    """

    name: str
    logits: Callable[[Any], Any]


def load_teacher(path: Path, input_shape: tuple[int, int, int], num_classes: int) -> Teacher:
    """A teacher from a file of Keras; it sees each batch as the student does, augmented.

    Args:
        path: A ``.keras`` file, a model from the student's input to logits.
        input_shape: (height, width, channels) of the student's input.
        num_classes: Classes; of two, one logit.

    Raises:
        ModelError: The file cannot be read, or holds a model of other shapes, or one that gives
            probabilities.
    """
    model = load_model(path)
    shapes = model.input_shape[1:], model.output_shape[1:]
    wanted = tuple(input_shape), (1 if num_classes == 2 else num_classes,)
    if shapes != wanted:
        raise ModelError(
            f"the teacher in {path} goes from {shapes[0]} to {shapes[1]}, its students from "
            f"{wanted[0]} to {wanted[1]}; train one on the same data set"
        )
    last = model.layers[-1]
    activation = getattr(getattr(last, "activation", None), "__name__", type(last).__name__)
    if activation.lower() in ("softmax", "sigmoid"):
        raise ModelError(
            f"the teacher in {path} ends with a {activation.lower()}; save it without, so that it "
            "gives logits"
        )
    model.trainable = False
    return Teacher(path.name, lambda inputs: model(inputs, training=False))
