# SPDX-License-Identifier: Apache-2.0
"""Visual Wake Words: is there a person in the picture? (A. Chowdhery et al., arXiv 1906.05721)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from unas.train.datasets.augmentation import ImageAugmentation
from unas.train.datasets.dataset import Dataset
from unas.train.datasets.files import missing
from unas.train.datasets.images import PictureSet, load_pictures
from unas.train.datasets.tfrecord import RecordSet, load_records, record_files

_CLASSES = ("non_person", "person")
_CROP = 0.875
_SHIFT = 0.1  # of the size
_VALIDATION_FRACTION = 10_000 / 82_783
_TEST_FRACTION = 0.1
_SOURCE = (
    "COCO 2014 (cocodataset.org), make records of it with the script "
    "research/slim/datasets/build_visualwakewords_data.py of github.com/tensorflow/models"
)


def load_visual_wake_words(
    path: Path | None,
    *,
    size: Sequence[int] = (192, 220),
    split_seed: int = 0,
    test_fraction: float = _TEST_FRACTION,
    validation_fraction: float = _VALIDATION_FRACTION,
) -> Dataset:
    """Pictures of COCO 2014 with the label *person* or *non-person*.

    Args:
        path: Folder of TFRecord files ``train*record*`` and ``val*record*`` as the authors' script
            writes them, or of the folders ``person`` and ``non_person`` (also within ``train`` and
            ``val``). The part ``val`` of COCO is the test part.
        size: [height, width] that pictures are scaled to.
        split_seed: Of the stratified draws.
        test_fraction: Share of the pictures, where there is no ``val``.
        validation_fraction: Share of the rest.

    Raises:
        DataError: Files are missing or damaged.
    """
    height, width = size
    augmentation = ImageAugmentation((round(_SHIFT * height), round(_SHIFT * width)), flip=True)
    fractions = {"test_fraction": test_fraction, "validation_fraction": validation_fraction}
    name = "visual_wake_words"
    if path is not None and any((path / p / _CLASSES[1]).is_dir() for p in ("", "train")):
        pictures = PictureSet(
            name, path, (height, width), 3, _CLASSES, _CLASSES, augmentation,
            val_is_test=True, crop=_CROP,
        )  # fmt: skip
        return load_pictures(pictures, split_seed=split_seed, **fractions)
    if path is None or not record_files(path):
        wanted = "a folder with train*.record-* and val*.record-*, or with person and non_person"
        missing(name, path, wanted, _SOURCE)
    records = RecordSet(
        name, path, (height, width), crop=_CROP, class_names=_CLASSES,
        augmentation=augmentation, val_is_test=True,
    )  # fmt: skip
    return load_records(records, split_seed=split_seed, **fractions)
