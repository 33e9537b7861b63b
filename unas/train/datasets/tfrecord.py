# SPDX-License-Identifier: Apache-2.0
"""Pictures in TFRecord files of ``tf.train.Example``."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unas.errors import DataError
from unas.train.backend import load_tensorflow
from unas.train.datasets.augmentation import NO_AUGMENTATION, ImageAugmentation
from unas.train.datasets.dataset import UNIT_BYTES, DataProvenance, Dataset, Split
from unas.train.datasets.files import missing, stored_array, tree_digest
from unas.train.datasets.splits import plan_splits

_CHUNK = 256  # pictures decoded at once


@dataclass(frozen=True, slots=True)
class RecordSet:
    """How to read the records of a data set.

    Attributes:
        name: Of the data set.
        root: Folder of the files.
        size: (height, width) that pictures are scaled to.
        channels: 1 grey, 3 colour.
        image_key: Feature with the encoded picture (JPEG, PNG, BMP, GIF).
        label_key: Feature with the class number, from 0.
        crop: Share of each side's length that is kept, about the middle, before scaling.
        class_names: Names of the classes; numbers where None.
        augmentation: For training.
        val_is_test: Files ``val*`` are the test part.
    """

    name: str
    root: Path
    size: tuple[int, int]
    channels: int = 3
    image_key: str = "image/encoded"
    label_key: str = "image/class/label"
    crop: float = 1.0
    class_names: tuple[str, ...] | None = None
    augmentation: ImageAugmentation = NO_AUGMENTATION
    val_is_test: bool = False


def load_tfrecord(
    path: Path | None,
    *,
    size: Sequence[int],
    channels: int = 3,
    image_key: str = "image/encoded",
    label_key: str = "image/class/label",
    class_names: Sequence[str] | None = None,
    split_seed: int = 0,
    test_fraction: float = 0.2,
    validation_fraction: float = 0.1,
) -> Dataset:
    """The user's own records.

    Args:
        path: Folder of files with ``record`` in their names: ``train*``, and perhaps ``val*`` and
            ``test*``; where none begins with ``train``, all are one part.
        size: [height, width] that pictures are scaled to.
        channels: 1 grey, 3 colour.
        image_key: Feature with the encoded picture.
        label_key: Feature with the class number, from 0.
        class_names: Names of the classes.
        split_seed: Of the stratified draws.
        test_fraction: Share of the pictures, where no test part is given.
        validation_fraction: Share of the rest, where no validation part is given.

    Raises:
        DataError: Files are missing or damaged, or a record lacks a feature.
    """
    if path is None or not record_files(path):
        missing("tfrecord", path, "a folder with train*.tfrecord, and perhaps val* and test*")
    names = None if class_names is None else tuple(class_names)
    height, width = size
    records = RecordSet(
        "tfrecord", path, (height, width), channels, image_key, label_key, class_names=names
    )
    return load_records(
        records,
        split_seed=split_seed,
        test_fraction=test_fraction,
        validation_fraction=validation_fraction,
    )


def record_files(folder: Path) -> list[Path]:
    """Files of records in a folder, in the order of their names."""
    return sorted(p for p in folder.glob("*record*") if p.is_file())


def load_records(
    records: RecordSet, *, split_seed: int, test_fraction: float, validation_fraction: float
) -> Dataset:
    """Find, part, decode and scale the pictures of a set.

    Raises:
        DataError: A file or record cannot be read.
    """
    if records.channels not in (1, 3):
        raise DataError(f"{records.name}: channels is {records.channels}; give 1 or 3")
    part_files = _part_files(records)
    labels = {part: _labels(records, files) for part, files in part_files.items()}
    parts = plan_splits(
        records.name,
        labels,
        validation_fraction=validation_fraction,
        test_fraction=test_fraction,
        seed=split_seed,
    )
    tree = tree_digest(records.root, [path for files in part_files.values() for path in files])

    def take(part: str, index: NDArray[np.intp]) -> Split:
        x = _pictures(records, tree[1], part, part_files[part], index, len(labels[part]))
        return Split(x, labels[part][index])

    count = 1 + max(int(y.max(initial=0)) for y in labels.values())
    return Dataset(
        name=records.name,
        input_shape=(*records.size, records.channels),
        class_names=records.class_names or tuple(str(n) for n in range(max(count, 2))),
        normalisation=UNIT_BYTES,
        augmentation=records.augmentation,
        provenance=DataProvenance((tree,), parts.words, split_seed),
        splits=parts.splits(take),
    )


def _part_files(records: RecordSet) -> dict[str, list[Path]]:
    files = record_files(records.root)
    meaning = {"train": "train", "test": "test"}
    meaning["val"] = "test" if records.val_is_test else "validation"
    part_files: dict[str, list[Path]] = {}
    for prefix, part in meaning.items():
        named = [path for path in files if path.name.startswith(prefix)]
        if named:
            part_files.setdefault(part, []).extend(named)
    return part_files if "train" in part_files else {"train": files}


def _labels(records: RecordSet, files: Sequence[Path]) -> NDArray[np.int32]:
    tf = load_tensorflow()

    feature = {records.label_key: tf.io.FixedLenFeature([], tf.int64)}
    read = tf.data.TFRecordDataset([str(path) for path in files]).batch(_CHUNK)
    read = read.map(lambda raw: tf.io.parse_example(raw, feature)[records.label_key])
    batches = [batch.numpy() for batch in _guarded(records, read)]
    if not batches:
        raise DataError(f"{records.root} holds no records; write the files again")
    return np.concatenate(batches).astype(np.int32)


def _pictures(
    records: RecordSet,
    digest: str,
    part: str,
    files: Sequence[Path],
    index: NDArray[np.intp],
    total: int,
) -> NDArray[Any]:
    tf = load_tensorflow()

    wanted = np.zeros(total, bool)
    wanted[index] = True

    def decode(raw: Any) -> Any:
        feature = {records.image_key: tf.io.FixedLenFeature([], tf.string)}
        encoded = tf.io.parse_single_example(raw, feature)[records.image_key]
        image = tf.io.decode_image(encoded, channels=records.channels, expand_animations=False)
        if records.crop < 1:
            image = tf.image.central_crop(image, records.crop)
        image = tf.image.resize(image, records.size, antialias=True)
        return tf.cast(tf.clip_by_value(tf.round(image), 0, 255), tf.uint8)

    def fill(array: NDArray[Any]) -> None:
        read = tf.data.TFRecordDataset([str(path) for path in files]).enumerate()
        keep = tf.constant(wanted)
        read = read.filter(lambda number, _: keep[number]).map(lambda _, raw: raw)
        read = read.map(decode, num_parallel_calls=tf.data.AUTOTUNE).batch(_CHUNK)
        first = 0
        for batch in _guarded(records, read):
            array[first : first + len(batch)] = batch.numpy()
            first += len(batch)

    shape = (len(index), *records.size, records.channels)
    chosen = hashlib.sha256(index.tobytes()).hexdigest()
    key = f"records {digest} {part} {chosen} {records.image_key} {records.crop}"
    return stored_array(key, shape, np.uint8, fill)


def _guarded(records: RecordSet, batches: Any) -> Any:
    tf = load_tensorflow()

    try:
        yield from batches
    except (tf.errors.DataLossError, tf.errors.InvalidArgumentError) as error:
        raise DataError(
            f"{records.root}: a record cannot be read: {str(error).splitlines()[0][:200]}; "
            f"check the files, and that each record has {records.image_key} and "
            f"{records.label_key}"
        ) from error
