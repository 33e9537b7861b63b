# SPDX-License-Identifier: Apache-2.0
"""Folders of pictures, one folder a class."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unas.errors import DataError
from unas.train.datasets.augmentation import NO_AUGMENTATION, ImageAugmentation
from unas.train.datasets.dataset import UNIT_BYTES, DataProvenance, Dataset, Split
from unas.train.datasets.files import missing, parse, stored_array, tree_digest
from unas.train.datasets.splits import plan_splits

_ENDINGS = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm", ".tif", ".tiff"))
_PART_FOLDERS = {"train": ("train",), "validation": ("validation", "valid"), "test": ("test",)}
_MODES = {1: "L", 3: "RGB"}


@dataclass(frozen=True, slots=True)
class PictureSet:
    """What ``load_pictures`` needs to know of a data set.

    Attributes:
        name: Of the data set.
        root: Folder of the classes, or of ``train``, ``test`` (and ``validation``) with classes.
        size: (height, width) that pictures are scaled to.
        channels: 1 grey, 3 colour.
        class_folders: Which folders are classes, in the order of the labels; None for all.
        class_names: Their names; None for the folders' names.
        augmentation: For training.
        val_is_test: A folder ``val`` beside ``train`` is the test part.
        crop: Share of each side's length that is kept, about the middle, before scaling.
    """

    name: str
    root: Path
    size: tuple[int, int]
    channels: int
    class_folders: tuple[str, ...] | None = None
    class_names: tuple[str, ...] | None = None
    augmentation: ImageAugmentation = NO_AUGMENTATION
    val_is_test: bool = False
    crop: float = 1.0


def load_image_folder(
    path: Path | None,
    *,
    size: Sequence[int],
    channels: int = 3,
    split_seed: int = 0,
    test_fraction: float = 0.2,
    validation_fraction: float = 0.1,
) -> Dataset:
    """The user's own pictures.

    Args:
        path: Folder with a folder a class; or with ``train``, and perhaps ``val`` and ``test``,
            that hold these.
        size: [height, width] that pictures are scaled to.
        channels: 1 grey, 3 colour.
        split_seed: Of the stratified draws.
        test_fraction: Share of the pictures, where no test part is given.
        validation_fraction: Share of the rest, where no validation part is given.

    Raises:
        DataError: The folder is missing, or a picture cannot be read.
    """
    if path is None or not path.is_dir():
        missing("image_folder", path, "a folder that holds a folder a class, such as cat and dog")
    height, width = size
    pictures = PictureSet("image_folder", path, (height, width), channels)
    return load_pictures(
        pictures,
        split_seed=split_seed,
        test_fraction=test_fraction,
        validation_fraction=validation_fraction,
    )


def load_pictures(
    pictures: PictureSet, *, split_seed: int, test_fraction: float, validation_fraction: float
) -> Dataset:
    """Find, part, read and scale the pictures of a set.

    Raises:
        DataError: No pictures, an unknown number of channels, or a picture that cannot be read.
    """
    if pictures.channels not in _MODES:
        raise DataError(f"{pictures.name}: channels is {pictures.channels}; give 1 or 3")
    folders = _part_folders(pictures)
    classes = pictures.class_folders or _class_folders(folders["train"])
    part_files = {part: _find(folder, classes) for part, folder in folders.items()}
    if not part_files["train"] or len(classes) < 2:
        missing(
            pictures.name, pictures.root, "a folder that holds two folders or more, one a class"
        )
    labels = {part: np.array([y for _, y in files], np.int32) for part, files in part_files.items()}
    parts = plan_splits(
        pictures.name,
        labels,
        validation_fraction=validation_fraction,
        test_fraction=test_fraction,
        seed=split_seed,
    )
    files = [path for listed in part_files.values() for path, _ in listed]
    tree = tree_digest(pictures.root, files)

    def take(part: str, index: NDArray[np.intp]) -> Split:
        paths = [part_files[part][i][0] for i in index]
        return Split(_read_all(pictures, tree[1], paths), labels[part][index])

    return Dataset(
        name=pictures.name,
        input_shape=(*pictures.size, pictures.channels),
        class_names=pictures.class_names or tuple(classes),
        normalisation=UNIT_BYTES,
        augmentation=pictures.augmentation,
        provenance=DataProvenance((tree,), parts.words, split_seed),
        splits=parts.splits(take),
    )


def _part_folders(pictures: PictureSet) -> dict[str, Path]:
    """Folders of the given parts; a set without parts is all ``train``."""
    root = pictures.root
    if not (root / "train").is_dir():
        return {"train": root}
    meaning = "test" if pictures.val_is_test and not (root / "test").is_dir() else "validation"
    folders = {
        part: root / name
        for part, names in _PART_FOLDERS.items()
        for name in names
        if (root / name).is_dir()
    }
    if (root / "val").is_dir():
        folders[meaning] = root / "val"
    return folders


def _class_folders(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(child.name for child in folder.iterdir() if _is_class(child)))


def _is_class(folder: Path) -> bool:
    return folder.is_dir() and not folder.name.startswith((".", "_"))


def _find(folder: Path, classes: Iterable[str]) -> list[tuple[Path, int]]:
    """Pictures with their labels, class by class, in the order of their names."""
    return [
        (path, label)
        for label, name in enumerate(classes)
        for path in sorted((folder / name).rglob("*"))
        if path.suffix.lower() in _ENDINGS and not path.name.startswith(".")
    ]


def _read_all(pictures: PictureSet, digest: str, paths: Sequence[Path]) -> NDArray[Any]:
    names = " ".join(path.relative_to(pictures.root).as_posix() for path in paths)

    def fill(array: NDArray[Any]) -> None:
        for i, path in enumerate(paths):
            array[i] = read_picture(path, pictures.size, pictures.channels, pictures.crop)

    shape = (len(paths), *pictures.size, pictures.channels)
    return stored_array(f"pictures {digest} {pictures.crop} {names}", shape, np.uint8, fill)


def read_picture(
    path: Path, size: tuple[int, int], channels: int, crop: float = 1.0
) -> NDArray[np.uint8]:
    """Read, crop and scale (area-weighted, bilinear) a picture: (height, width, channels) bytes.

    Args:
        path: The file.
        size: (height, width) that it is scaled to.
        channels: 1 grey, 3 colour.
        crop: Share of each side's length that is kept, about the middle.

    Raises:
        DataError: It cannot be read.
    """
    from PIL import Image

    def read(file: Path) -> NDArray[np.uint8]:
        try:
            with Image.open(file) as image:
                plain = _of_bytes(image).convert(_MODES[channels])
                # Not resize's own box, at whose edge the pixels outside are blended in.
                middle = plain.crop(_middle(plain.width, plain.height, crop))
                scaled = middle.resize(size[::-1], Image.Resampling.BILINEAR)
                return np.asarray(scaled, np.uint8).reshape(*size, channels)
        except (SyntaxError, struct.error, Image.DecompressionBombError) as error:
            raise ValueError(str(error)) from error  # Pillow's, for broken chunks and huge pictures

    return parse(path, read, "remove it, fetch it again, or save it as a smaller PNG of 8 bits")


def _middle(width: int, height: int, crop: float) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what is kept: whole pixels, as TensorFlow crops the records."""
    left, top = int((width - width * crop) / 2), int((height - height * crop) / 2)
    return left, top, width - left, height - top


def _of_bytes(image: Any) -> Any:
    """A picture whose values are bytes: Pillow's own conversion clips wider grey at 255."""
    from PIL import Image

    # PGM files of 16 bits, and PNG files in older Pillow, come in a wider mode but on this scale.
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        return Image.fromarray(np.round(np.asarray(image) / 257).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError("32-bit grey values, for which nothing says what is white")
    return image
