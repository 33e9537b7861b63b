# SPDX-License-Identifier: Apache-2.0
"""Chars74K: characters in natural images (T. de Campos, B. Babu, M. Varma, VISAPP 2009)."""

from __future__ import annotations

import string
from collections.abc import Sequence
from pathlib import Path

from unas.train.datasets.augmentation import ImageAugmentation
from unas.train.datasets.dataset import Dataset, halves
from unas.train.datasets.files import missing
from unas.train.datasets.images import PictureSet, load_pictures

_CLASSES = tuple(string.digits + string.ascii_uppercase + string.ascii_lowercase)
_FOLDERS = tuple(f"Sample{number:03d}" for number in range(1, len(_CLASSES) + 1))
_PLACES = ("", "Bmp", "GoodImg/Bmp", "Img/GoodImg/Bmp", "English/Img/GoodImg/Bmp")
# 7,705 pictures: 5,000 to train, 705 to validate, 2,000 to test.
_SOURCE = "EnglishImg.tgz from www.ee.surrey.ac.uk/CVSSP/demos/chars74k, unpack it"
_TEST_FRACTION = 2000 / 7705
_VALIDATION_FRACTION = 705 / 5705
_SHIFT = 1 / 12  # of the size: 4 pixels of 48


def load_chars74k(
    path: Path | None,
    *,
    size: Sequence[int] | None = None,
    binary: bool = False,
    split_seed: int = 0,
    test_fraction: float = _TEST_FRACTION,
    validation_fraction: float = _VALIDATION_FRACTION,
) -> Dataset:
    """The 62 classes of the English pictures that are easy to read (``GoodImg``).

    Args:
        path: The unpacked ``EnglishImg.tgz``, or a folder inside it down to the one with Sample001
            … Sample062.
        size: [height, width] that pictures are scaled to: 48x48, binary 32x32.
        binary: Two classes: 1 for the first 31, 0 for the others.
        split_seed: Of the stratified draws.
        test_fraction: Share of all pictures.
        validation_fraction: Share of the rest.

    Raises:
        DataError: The folder is missing, or a picture cannot be read.
    """
    roots = [] if path is None else [path / place for place in _PLACES]
    root = next((r for r in roots if (r / _FOLDERS[0]).is_dir()), None)
    if root is None:
        missing(
            "chars74k",
            path,
            "the folder above English/Img/GoodImg/Bmp/Sample001 … Sample062",
            _SOURCE,
        )
    height, width = size or ((32, 32) if binary else (48, 48))
    pictures = PictureSet(
        "chars74k",
        root,
        (height, width),
        channels=3,
        class_folders=_FOLDERS,
        class_names=_CLASSES,
        augmentation=ImageAugmentation((round(height * _SHIFT), round(width * _SHIFT))),
    )
    dataset = load_pictures(
        pictures,
        split_seed=split_seed,
        test_fraction=test_fraction,
        validation_fraction=validation_fraction,
    )
    return halves(dataset) if binary else dataset
