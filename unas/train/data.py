# SPDX-License-Identifier: Apache-2.0
"""A data set in the memory of the device that trains: made once, used for every candidate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from unas.train.backend import load_tensorflow

if TYPE_CHECKING:
    from unas.train.datasets import Dataset


@dataclass(frozen=True, slots=True, eq=False)
class TensorSplit:
    """One split as tensors.

    Attributes:
        x: (n, ...) as the data set stores it.
        y: (n,) class numbers, int32.
    """

    x: Any
    y: Any

    @property
    def count(self) -> int:
        """Number of samples."""
        return int(self.y.shape[0])


@dataclass(frozen=True, slots=True, eq=False)
class TrainingData:
    """Splits and what turns their stored samples into a network's input.

    Attributes:
        train: To learn from.
        validation: To choose by.
        test: To report.
        input_shape: (height, width, channels) of what the network sees.
        num_classes: Classes; two of them share one logit.
        prepare: Stored batch and int32 seed (2,) to float32 inputs, augmented; stateless.
        plain: Stored batch to float32 inputs.
    """

    train: TensorSplit
    validation: TensorSplit
    test: TensorSplit
    input_shape: tuple[int, int, int]
    num_classes: int
    prepare: Callable[[Any, Any], Any]
    plain: Callable[[Any], Any]

    def class_weights(self) -> list[float]:
        """Samples / (classes * samples of the class), from the training split."""
        counts = np.bincount(self.train.y.numpy(), minlength=self.num_classes)
        weights = self.train.count / (self.num_classes * np.maximum(counts, 1))
        return [float(weight) for weight in weights]


def training_data(dataset: Dataset, *, augmentation: bool = True) -> TrainingData:
    """The data set, in memory.

    Args:
        dataset: Splits that do not overlap.
        augmentation: Whether training samples are changed at random.
    """
    from unas.train.datasets.augment import plain_batch, training_batch

    tf = load_tensorflow()
    plain = plain_batch(dataset)
    prepare = training_batch(dataset) if augmentation else lambda x, seed: plain(x)
    splits = (
        TensorSplit(tf.constant(split.x), tf.constant(split.y, tf.int32))
        for split in (dataset.train, dataset.validation, dataset.test)
    )
    train, validation, test = splits
    return TrainingData(
        train=train,
        validation=validation,
        test=test,
        input_shape=dataset.input_shape,
        num_classes=dataset.num_classes,
        prepare=prepare,
        plain=plain,
    )
