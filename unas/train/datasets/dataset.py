# SPDX-License-Identifier: Apache-2.0
"""A data set in three parts that never mix, and where it comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unas.errors import DataError
from unas.train.datasets.augmentation import NO_AUGMENTATION, Augmentation
from unas.train.datasets.mfcc import Mfcc

_CHUNK = 1024  # samples that are converted at once: bounds the memory of the intermediate arrays


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Samples with their labels.

    Attributes:
        x: As stored, (n, height, width, channels) uint8 or float32; sounds are (n, samples) int16.
            May be mapped from a file.
        y: int32 (n,), class numbers.
    """

    x: NDArray[Any]
    y: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.y)


class Splits(NamedTuple):
    """The three parts of a data set."""

    train: Split
    validation: Split
    test: Split


@dataclass(frozen=True, slots=True, eq=False)
class Normalisation:
    """What the network sees: ``(x - offset) * scale``.

    Attributes:
        offset: float32, broadcast against (height, width, channels).
        scale: float32, likewise.
    """

    offset: NDArray[np.float32]
    scale: NDArray[np.float32]

    @classmethod
    def of(cls, offset: Any, scale: Any) -> Normalisation:
        """From numbers or sequences, one a channel."""
        return cls(np.asarray(offset, np.float32), np.asarray(scale, np.float32))

    @classmethod
    def standard(cls, x: NDArray[Any], axes: tuple[int, ...]) -> Normalisation:
        """Mean 0 and deviation 1 of x (n, h, w, c), both taken over these axes."""
        mean = x.mean(axis=axes, keepdims=True, dtype=np.float64)[0]
        deviation = x.std(axis=axes, keepdims=True, dtype=np.float64)[0]
        return cls.of(mean, 1.0 / np.maximum(deviation, 1e-6))

    def to_json(self) -> dict[str, Any]:
        """Plain values for a record."""
        return {"offset": self.offset.tolist(), "scale": self.scale.tolist()}

    def __call__(self, x: NDArray[Any]) -> NDArray[np.float32]:
        """Normalised float32 of the same shape."""
        normalised: NDArray[np.float32] = (x.astype(np.float32) - self.offset) * self.scale
        return normalised


UNIT_BYTES = Normalisation.of(0, 1 / 255)


@dataclass(frozen=True, slots=True)
class DataProvenance:
    """Where the samples come from and how they were parted.

    Attributes:
        files: (name, sha256) of each file, or of a whole folder where there are many.
        split: How the three parts were made, in words.
        seed: Of what was drawn by chance; it has no effect where the parts are given.
    """

    files: tuple[tuple[str, str], ...]
    split: str
    seed: int

    def to_json(self) -> dict[str, Any]:
        """Plain values for a record."""
        files = [{"name": name, "sha256": digest} for name, digest in self.files]
        return {"files": files, "split": self.split, "seed": self.seed}


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Samples to train on, to choose by, and to report.

    Attributes:
        name: As in ``load_dataset``.
        input_shape: (height, width, channels) of what the network sees.
        class_names: One a class, in the order of the labels.
        splits: The samples: to train on, to choose by, to report.
        normalisation: From stored values to what the network sees.
        augmentation: For training samples only.
        provenance: Files and split.
        features: Turns stored sounds into pictures before the normalisation; None for pictures.
    """

    name: str
    input_shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    splits: Splits
    normalisation: Normalisation
    provenance: DataProvenance
    augmentation: Augmentation = NO_AUGMENTATION
    features: Mfcc | None = None

    def __post_init__(self) -> None:
        for part, split in self.splits._asdict().items():
            self._check(part, split)

    def _check(self, part: str, split: Split) -> None:
        if not len(split):
            raise DataError(f"{self.name}: no samples to {part}; give it more, or another share")
        if len(split.x) != len(split.y):
            raise DataError(
                f"{self.name}: {len(split.x)} samples but {len(split.y)} labels in {part}; "
                "the files do not belong together"
            )
        if self.features is None and split.x.shape[1:] != self.input_shape:
            raise DataError(
                f"{self.name}: samples of shape {split.x.shape[1:]} in {part}, "
                f"expected {self.input_shape}; give all parts one shape"
            )
        low, high = int(split.y.min()), int(split.y.max())
        if low < 0 or high >= self.num_classes:
            raise DataError(
                f"{self.name}: labels {low} … {high} in {part}, but there are {self.num_classes} "
                "classes; number the classes from 0"
            )

    @property
    def train(self) -> Split:
        """Samples whose labels the weights see."""
        return self.splits.train

    @property
    def validation(self) -> Split:
        """Samples by which epochs and networks are chosen."""
        return self.splits.validation

    @property
    def test(self) -> Split:
        """Samples that decide nothing; the error that is reported."""
        return self.splits.test

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    def inputs(self, split: Split, start: int = 0, stop: int | None = None) -> NDArray[np.float32]:
        """What the network sees of samples start … stop, not augmented.

        Sounds take about a millisecond each: compute them once and keep them.

        Returns:
            float32 (n, height, width, channels).
        """
        x = split.x[start:stop]
        result = np.empty((len(x), *self.input_shape), np.float32)
        for first in range(0, len(x), _CHUNK):
            stored = x[first : first + _CHUNK]
            pictures = stored if self.features is None else self.features.compute(stored)
            result[first : first + _CHUNK] = self.normalisation(pictures)
        return result

    def input_to_json(self) -> dict[str, Any]:
        """What ``inputs`` does, as plain values for a record: who runs a network must do it too."""
        first = self.train.x[:_CHUNK]  # all of a large set would take minutes
        return {
            "stored": {"type": str(first.dtype), "range": [float(first.min()), float(first.max())]},
            "features": self.features and self.features.to_json(),
            "normalisation": self.normalisation.to_json(),
        }

    def with_augmentation(self, augmentation: Augmentation) -> Dataset:
        """The same samples, augmented otherwise."""
        return replace(self, augmentation=augmentation)

    def relabelled(
        self,
        name: str,
        class_names: tuple[str, ...],
        label: Callable[[NDArray[np.int32]], NDArray[Any]],
    ) -> Dataset:
        """The same samples and parts, with classes put together.

        Args:
            name: Of the new data set.
            class_names: Of the new classes.
            label: Old class numbers to new ones.
        """
        splits = Splits(*(Split(s.x, label(s.y).astype(np.int32)) for s in self.splits))
        return replace(self, name=name, class_names=class_names, splits=splits)


def halves(dataset: Dataset) -> Dataset:
    """The version with two classes that SpArSe and μNAS use: 1 for the first half of the classes.

    Samples and parts stay the same; each original class keeps its share in each part.
    """
    half = dataset.num_classes // 2
    names = dataset.class_names
    return dataset.relabelled(
        f"{dataset.name}_binary",
        ("/".join(names[half:]), "/".join(names[:half])),
        lambda y: y < half,
    )
