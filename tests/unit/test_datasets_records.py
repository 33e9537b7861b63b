# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.unit.dataset_files import write_picture
from unas.errors import DataError
from unas.train.datasets import load_dataset

Sample = tuple[tuple[int, int, int], int]


def example(colour: tuple[int, int, int], label: int, key: str = "image/encoded") -> bytes:
    """A picture 16x16 with a black border of one pixel, losslessly packed."""
    picture = np.zeros((16, 16, 3), np.uint8)
    picture[1:-1, 1:-1] = colour
    content = BytesIO()
    Image.fromarray(picture).save(content, "PNG")
    return encoded(content.getvalue(), label, key)


def encoded(picture: bytes, label: int, key: str = "image/encoded") -> bytes:
    feature = {
        key: tf.train.Feature(bytes_list=tf.train.BytesList(value=[picture])),
        "image/class/label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
    }
    made = tf.train.Example(features=tf.train.Features(feature=feature))
    return bytes(made.SerializeToString())


def write_records(path: Path, examples: Sequence[bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for content in examples:
            writer.write(content)


def coloured(first: int, count: int, key: str = "image/encoded") -> list[bytes]:
    return [example((n, n % 2, 7), n % 2, key) for n in range(first, first + count)]


def test_records_in_one_part_are_parted_in_three(tmp_path: Path) -> None:
    write_records(tmp_path / "some.tfrecord-00000-of-00002", coloured(0, 30))
    write_records(tmp_path / "some.tfrecord-00001-of-00002", coloured(30, 30))
    dataset = load_dataset("tfrecord", tmp_path, size=[16, 16])
    assert [len(split) for split in dataset.splits] == [43, 5, 12]
    middles = [split.x[:, 8, 8] for split in dataset.splits]
    assert sorted(np.concatenate(middles)[:, 0]) == list(range(60))
    for split, middle in zip(dataset.splits, middles, strict=True):
        assert list(split.y) == list(middle[:, 1])
        assert set(middle[:, 2]) == {7}
    grey = load_dataset("tfrecord", tmp_path, size=[4, 4], channels=1, class_names=["a", "b"])
    assert grey.input_shape == (4, 4, 1)
    assert grey.class_names == ("a", "b")


def test_wrong_records_are_told(tmp_path: Path) -> None:
    path = tmp_path / "train.tfrecord"
    write_records(path, coloured(0, 30, key="picture"))
    with pytest.raises(DataError, match="each record has image/encoded"):
        load_dataset("tfrecord", tmp_path, size=[16, 16])
    assert load_dataset("tfrecord", tmp_path, size=[16, 16], image_key="picture").num_classes == 2
    content = path.read_bytes()
    path.write_bytes(content[:-5])
    with pytest.raises(DataError, match="a record cannot be read"):
        load_dataset("tfrecord", tmp_path, size=[16, 16], image_key="picture")
    path.write_bytes(b"")
    with pytest.raises(DataError, match="holds no records"):
        load_dataset("tfrecord", tmp_path, size=[16, 16])
    with pytest.raises(DataError, match="channels is 4"):
        load_dataset("tfrecord", tmp_path, size=[16, 16], channels=4)


def test_visual_wake_words_from_records(tmp_path: Path) -> None:
    write_records(tmp_path / "train.record-00000-of-00001", coloured(0, 60))
    write_records(tmp_path / "val.record-00000-of-00001", coloured(100, 10))
    dataset = load_dataset("visual_wake_words", tmp_path, size=[14, 14])
    assert dataset.class_names == ("non_person", "person")
    assert [len(split) for split in dataset.splits] == [53, 7, 10]
    assert min(dataset.test.x[:, 3, 4, 0]) == 100
    # The middle 7/8 of 16x16 pixels is 14x14: exactly what the black border surrounds.
    assert all(len(set(picture[:, :, 0].ravel())) == 1 for picture in dataset.train.x)
    assert load_dataset("visual_wake_words", tmp_path).input_shape == (192, 220, 3)


def test_visual_wake_words_from_folders(tmp_path: Path) -> None:
    for part, count in (("train", 20), ("val", 5)):
        for label, name in enumerate(("non_person", "person")):
            for i in range(count):
                write_picture(tmp_path / part / name / f"{i}.jpg", (250 * label, 0, 0), (9, 9))
    given = load_dataset("visual_wake_words", tmp_path, size=[4, 4])
    assert [len(split) for split in given.splits] == [35, 5, 10]
    assert list(given.test.y) == [int(red > 125) for red in given.test.x[:, 0, 0, 0]]
    flat = load_dataset("visual_wake_words", tmp_path / "train", size=[4, 4])
    assert [len(split) for split in flat.splits] == [32, 4, 4]


def test_pictures_are_cropped_alike_from_folders_and_from_records(tmp_path: Path) -> None:
    """Sides of 16 … 45 pixels; a pixel more or less of the noise would change the result."""
    rng = np.random.default_rng(0)
    examples = []
    for i in range(30):
        noise = rng.integers(0, 256, (16 + i, 45 - i, 3), np.uint8)
        path = tmp_path / "folders" / ("non_person", "person")[i % 2] / f"{i:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise).save(path)
        examples.append(encoded(path.read_bytes(), i % 2))
    order = [*range(0, 30, 2), *range(1, 30, 2)]  # folders are read class by class
    write_records(tmp_path / "records" / "train.record", [examples[i] for i in order])
    folders = load_dataset("visual_wake_words", tmp_path / "folders", size=[8, 8])
    records = load_dataset("visual_wake_words", tmp_path / "records", size=[8, 8])
    for ours, theirs in zip(folders.splits, records.splits, strict=True):
        assert np.array_equal(ours.y, theirs.y)
        assert np.abs(ours.x.astype(int) - theirs.x).max() <= 1
