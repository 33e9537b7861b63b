# SPDX-License-Identifier: Apache-2.0
"""Data sets: read from the user's files, parted once, never mixed.

TensorFlow is imported only where batches are augmented (``augment``), where TFRecord files are read
and where something is downloaded.
"""

from __future__ import annotations

from unas.train.datasets.augmentation import (
    NO_AUGMENTATION,
    Augmentation,
    ImageAugmentation,
    SoundAugmentation,
)
from unas.train.datasets.dataset import DataProvenance, Dataset, Normalisation, Split
from unas.train.datasets.registry import check_options, dataset_names, load_dataset

__all__ = [
    "NO_AUGMENTATION",
    "Augmentation",
    "DataProvenance",
    "Dataset",
    "ImageAugmentation",
    "Normalisation",
    "SoundAugmentation",
    "Split",
    "check_options",
    "dataset_names",
    "load_dataset",
]
