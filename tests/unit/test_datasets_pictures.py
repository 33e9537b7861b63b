# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.unit.dataset_files import (
    assert_parted,
    cifar_batch,
    keys,
    labels,
    pictures,
    write_idx,
    write_mnist,
    write_picture,
    write_tar,
)
from unas.errors import DataError
from unas.train.datasets import Dataset, files, load_dataset
from unas.train.datasets.images import read_picture

MNIST_T10K = Path(__file__).resolve().parents[3] / "shared" / "data" / "mnist-t10k"


def mnist_folder(folder: Path, end: str = ".gz") -> Path:
    write_mnist(folder, "train", pictures(100, (28, 28)), labels(100, 10), end)
    write_mnist(folder, "t10k", pictures(20, (28, 28), 1), labels(20, 10), end)
    return folder


@pytest.mark.parametrize(("name", "end"), [("mnist", ".gz"), ("fashion_mnist", "")])
def test_idx_files(name: str, end: str, tmp_path: Path) -> None:
    dataset = load_dataset(name, mnist_folder(tmp_path, end))
    assert dataset.input_shape == (28, 28, 1)
    assert [len(split) for split in dataset.splits] == [90, 10, 20]
    assert sorted(dataset.validation.y) == list(range(10))
    assert keys(dataset.test.x) == keys(pictures(20, (28, 28), 1))
    assert sorted(keys(np.concatenate([s.x for s in dataset.splits[:2]]))) == sorted(
        keys(pictures(100, (28, 28)))
    )
    assert dataset.inputs(dataset.test).max() == 1
    assert len(dataset.provenance.files) == 4


@pytest.mark.parametrize(
    ("name", "described"),
    [
        ("mnist", "rotate ±0.2 rad (p 0.3), shift ±2 px"),
        ("fashion_mnist", "rotate ±0.2 rad (p 0.3), flip left-right, shift ±2 px"),
    ],
)
def test_idx_sets_are_augmented_as_in_the_paper(name: str, described: str, tmp_path: Path) -> None:
    dataset = load_dataset(name, mnist_folder(tmp_path))
    assert dataset.augmentation.describe() == described


def test_mnist_as_keras_has_it(tmp_path: Path) -> None:
    arrays = {
        "x_train": pictures(100, (28, 28)),
        "y_train": labels(100, 10),
        "x_test": pictures(20, (28, 28), 1),
        "y_test": labels(20, 10),
    }
    np.savez(tmp_path / "mnist.npz", allow_pickle=True, **arrays)
    of_folder = load_dataset("mnist", tmp_path)
    of_file = load_dataset("mnist", str(tmp_path / "mnist.npz"))
    of_idx = load_dataset("mnist", mnist_folder(tmp_path), source="auto")
    assert keys(of_folder.train.x) == keys(of_file.train.x) == keys(of_idx.train.x)


def test_the_t10k_files_alone_are_parted_in_three(tmp_path: Path) -> None:
    x, y = pictures(500, (28, 28)), labels(500, 10)
    write_mnist(tmp_path, "t10k", x, y)
    alone = load_dataset("mnist", tmp_path)
    assert [len(split) for split in alone.splits] == [360, 40, 100]
    assert_parted(alone, x)
    assert "10,000 test digits alone" in alone.provenance.split
    with pytest.raises(DataError, match="train-images"):
        load_dataset("mnist", tmp_path, source="full")
    write_mnist(tmp_path, "train", pictures(100, (28, 28), 2), labels(100, 10))
    chosen = load_dataset("mnist", tmp_path, source="t10k")
    assert keys(chosen.test.x) == keys(alone.test.x)
    assert len(load_dataset("mnist", tmp_path).test) == 500


def test_real_mnist_digits() -> None:
    if not MNIST_T10K.is_dir():
        pytest.skip("the MNIST test digits are not in ../shared/data/mnist-t10k")
    dataset = load_dataset("mnist", MNIST_T10K)
    assert [len(split) for split in dataset.splits] == [7200, 800, 2000]
    content = gzip.decompress((MNIST_T10K / "t10k-images-idx3-ubyte.gz").read_bytes())
    assert_parted(dataset, np.frombuffer(content, np.uint8, offset=16).reshape(-1, 784))


def test_binary_keeps_samples_and_parts(tmp_path: Path) -> None:
    ten = load_dataset("mnist", mnist_folder(tmp_path))
    two = load_dataset("mnist", tmp_path, binary=True)
    assert two.name == "mnist_binary"
    assert two.class_names == ("5/6/7/8/9", "0/1/2/3/4")
    for before, after in zip(ten.splits, two.splits, strict=True):
        assert keys(before.x) == keys(after.x)
        assert list(after.y) == [int(y < 5) for y in before.y]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c[:-1], r"header tells \(20, 28, 28\), but 15679 bytes follow"),
        (lambda c: b"\0\0\x0d\3" + c[4:], "no IDX header"),
        (lambda c: c[:5], "no IDX header"),
        (lambda c: b"", "no IDX header"),
        (lambda c: gzip.compress(c)[:-20], "cannot be read"),
        (lambda c: b"\x1f\x8b" + c, "cannot be read"),
    ],
)
def test_damaged_idx_files_are_told(change: Any, message: str, tmp_path: Path) -> None:
    mnist_folder(tmp_path, "")
    path = tmp_path / "t10k-images-idx3-ubyte"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DataError, match=message) as caught:
        load_dataset("mnist", tmp_path)
    assert "t10k-images-idx3-ubyte" in str(caught.value)
    assert "fetch the file again" in str(caught.value)


def test_files_that_do_not_belong_together_are_told(tmp_path: Path) -> None:
    mnist_folder(tmp_path)
    write_idx(tmp_path / "train-labels-idx1-ubyte.gz", labels(99, 10))
    with pytest.raises(DataError, match=r"\(100, 28, 28\) with labels \(99,\)"):
        load_dataset("mnist", tmp_path)


def cifar_files() -> dict[str, bytes]:
    batches = {
        f"data_batch_{i}.bin": cifar_batch(pictures(20, (32, 32, 3), i), labels(20, 10))
        for i in range(1, 6)
    }
    return batches | {"test_batch.bin": cifar_batch(pictures(10, (32, 32, 3)), labels(10, 10))}


def assert_cifar(dataset: Dataset) -> None:
    assert dataset.input_shape == (32, 32, 3)
    assert [len(split) for split in dataset.splits] == [90, 10, 10]
    assert keys(dataset.test.x) == keys(pictures(10, (32, 32, 3)))
    truth = {key: i % 10 for s in range(1, 6) for i, key in enumerate(
        keys(pictures(20, (32, 32, 3), s)))}  # fmt: skip
    assert [truth[key] for key in keys(dataset.train.x)] == list(dataset.train.y)
    # Random bytes: mean 127.5; what the network sees follows from the paper's numbers.
    mean = dataset.inputs(dataset.train).mean((0, 1, 2))
    expected = (0.5 - np.array([0.4914, 0.4822, 0.4465])) / [0.2023, 0.1994, 0.2010]
    assert np.allclose(mean, expected, atol=0.02)


def test_cifar_from_a_folder_and_from_the_archive(tmp_path: Path) -> None:
    inner = tmp_path / "cifar-10-batches-bin"
    inner.mkdir()
    for name, content in cifar_files().items():
        (inner / name).write_bytes(content)
    assert_cifar(load_dataset("cifar10", tmp_path))
    assert_cifar(load_dataset("cifar10", inner))
    packed = tmp_path / "packed"
    packed.mkdir()
    write_tar(packed / "cifar-10-binary.tar.gz", "cifar-10-batches-bin", cifar_files())
    assert_cifar(load_dataset("cifar10", packed))
    assert_cifar(load_dataset("cifar10", packed / "cifar-10-binary.tar.gz"))
    binary = load_dataset("cifar10", packed, binary=True)
    assert binary.num_classes == 2
    assert binary.augmentation.describe() == "flip left-right, shift ±4 px"


def test_damaged_cifar_files_are_told(tmp_path: Path) -> None:
    contents = cifar_files()
    archive = tmp_path / "cifar-10-binary.tar.gz"
    write_tar(archive, "x", contents | {"data_batch_3.bin": contents["data_batch_3.bin"][:-1]})
    with pytest.raises(DataError, match=r"data_batch_3\.bin: 61459 bytes are no whole number"):
        load_dataset("cifar10", tmp_path)
    write_tar(archive, "cifar-10-batches-py", {"data_batch_1": b"pickle"})
    with pytest.raises(DataError, match=r"no data_batch_1\.bin; take the binary version"):
        load_dataset("cifar10", tmp_path)
    archive.write_bytes(b"nothing")
    with pytest.raises(DataError, match="cannot be read"):
        load_dataset("cifar10", tmp_path)


def test_cifar_npz(tmp_path: Path) -> None:
    path = tmp_path / "cifar10.npz"
    x, y = pictures(100, (32, 32, 3)), labels(100, 10)[:, None]
    np.savez(path, x_train=x, y_train=y, x_test=x[:5], y_test=y[:5])
    assert keys(load_dataset("cifar10", tmp_path).test.x) == keys(x[:5])
    np.savez(path, x_train=x, y_train=y[:-1], x_test=x[:5], y_test=y[:5])
    with pytest.raises(DataError, match="with 99 labels"):
        load_dataset("cifar10", path)
    np.savez(path, x_train=x)
    with pytest.raises(DataError, match="y_train"):
        load_dataset("cifar10", path)


def test_downloads_are_used_and_failures_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    source = tmp_path / "server" / "cifar-10-binary.tar.gz"
    source.parent.mkdir()
    write_tar(source, "cifar-10-batches-bin", cifar_files())
    remotes = (files.Remote(source.as_uri(), "h-test-of-unas"),)
    wrong = (files.Remote(source.as_uri(), "h-test-of-unas-2", sha256="0" * 64),)
    absent = (files.Remote(source.with_name("no.gz").as_uri(), "h-test-of-unas"),)
    import keras

    real = keras.utils.get_file

    def into_tmp(*args: Any, **options: Any) -> Any:
        return real(*args, cache_dir=str(tmp_path), **options)

    monkeypatch.setattr(keras.utils, "get_file", into_tmp)
    assert_cifar(load_dataset("cifar10", files.fetch("cifar10", remotes, "a folder", "files")))
    for remote in (wrong, absent):
        with pytest.raises(DataError, match=r"download failed \(.*\); get files, give the pa"):
            files.fetch("cifar10", remote, "a folder", "files")


def test_image_folder(tmp_path: Path) -> None:
    for i in range(20):
        write_picture(tmp_path / "red" / f"{i}.png", (200, i, 0), (6, 9))
        write_picture(tmp_path / "green" / "deeper" / f"{i}.bmp", (0, 200, i), (12, 5))
    (tmp_path / "red" / "notes.txt").write_text("no picture")
    (tmp_path / "_other").mkdir()
    dataset = load_dataset("image_folder", tmp_path, size=[4, 8])
    assert dataset.class_names == ("green", "red")
    assert dataset.input_shape == (4, 8, 3)
    assert [len(split) for split in dataset.splits] == [29, 3, 8]
    for split in dataset.splits:
        assert list(split.y) == [int(colour == 200) for colour in split.x[:, 0, 0, 0]]
        assert np.all(split.x == split.x[:, :1, :1])
    grey = load_dataset("image_folder", tmp_path, size=[4, 8], channels=1)
    assert grey.input_shape == (4, 8, 1)
    with pytest.raises(DataError, match="channels is 2"):
        load_dataset("image_folder", tmp_path, size=[4, 8], channels=2)
    (tmp_path / "red" / "broken.png").write_bytes(b"\x89PNG")
    with pytest.raises(DataError, match=r"broken\.png cannot be read"):
        load_dataset("image_folder", tmp_path, size=[4, 8])


@pytest.mark.parametrize("end", ["png", "tif", "pgm"])
@pytest.mark.parametrize("channels", [1, 3])
def test_16_bit_grey_is_scaled_not_clipped(end: str, channels: int, tmp_path: Path) -> None:
    grey = np.array([[0, 257, 1000], [32768, 50000, 65535]], np.uint16)
    Image.fromarray(grey).save(tmp_path / f"grey.{end}")
    read = read_picture(tmp_path / f"grey.{end}", (2, 3), channels)
    assert read.shape == (2, 3, channels)
    assert read[..., 0].tolist() == read[..., -1].tolist() == [[0, 1, 4], [128, 195, 255]]


def test_pictures_that_cannot_be_bytes_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "grey.tif"
    for kind in (np.int32, np.float32):
        Image.fromarray(np.ones((2, 2), kind)).save(path)
        with pytest.raises(DataError, match=r"32-bit grey .*save it as a smaller PNG of 8 bits"):
            read_picture(path, (2, 2), 1)
    write_picture(tmp_path / "huge.png", (0, 0, 0), (20, 20))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(DataError, match=r"huge\.png cannot be read: .*400 pixels"):
        read_picture(tmp_path / "huge.png", (2, 2), 1)


def test_a_broken_chunk_of_a_png_is_told(tmp_path: Path) -> None:
    def chunk(name: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + checksum

    header = struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0)
    rows = zlib.compress(np.pad(pictures(8, (8,)), ((0, 0), (1, 0))).tobytes())  # no filter
    begin = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows[:20])
    path = tmp_path / "broken.png"
    path.write_bytes(begin + chunk(b"\x01\x02\x03\x04", rows[20:]) + chunk(b"IEND", b""))
    with pytest.raises(DataError, match=r"broken\.png cannot be read: broken PNG file"):
        read_picture(path, (8, 8), 1)


def test_image_folder_with_given_parts(tmp_path: Path) -> None:
    for part, count in (("train", 10), ("val", 2), ("test", 3)):
        for name in ("a", "b"):
            for i in range(count):
                write_picture(tmp_path / part / name / f"{i}.png", (i, count, 0), (2, 2))
    dataset = load_dataset("image_folder", tmp_path, size=[2, 2])
    assert [set(split.x[:, 0, 0, 1]) for split in dataset.splits] == [{10}, {2}, {3}]


def test_an_image_folder_needs_classes(tmp_path: Path) -> None:
    write_picture(tmp_path / "a" / "1.png", (0, 0, 0), (2, 2))
    with pytest.raises(DataError, match="two folders or more"):
        load_dataset("image_folder", tmp_path, size=[2, 2])


@pytest.mark.parametrize("place", ["", "GoodImg/Bmp", "English/Img/GoodImg/Bmp"])
def test_chars74k(place: str, tmp_path: Path) -> None:
    for number in range(1, 63):
        for i in range(4):
            path = tmp_path / place / f"Sample{number:03d}" / f"img{number:03d}-{i:05d}.png"
            write_picture(path, (number, i, 0), (7, 5))
    dataset = load_dataset("chars74k", tmp_path)
    assert dataset.input_shape == (48, 48, 3)
    assert dataset.class_names[9:11] == ("9", "A")
    assert dataset.augmentation.describe() == "shift ±4 px"
    for split in dataset.splits:
        assert list(split.y) == [red - 1 for red in split.x[:, 0, 0, 0]]
    binary = load_dataset("chars74k", tmp_path, binary=True)
    assert binary.input_shape == (32, 32, 3)
    assert list(binary.test.y) == [int(red <= 31) for red in binary.test.x[:, 0, 0, 0]]


def test_chars74k_has_the_papers_parts() -> None:
    from unas.train.datasets import chars74k
    from unas.train.datasets.splits import plan_splits

    y = np.arange(7705) % 62
    parts = plan_splits(
        "chars74k", {"train": y}, seed=0,
        validation_fraction=chars74k._VALIDATION_FRACTION, test_fraction=chars74k._TEST_FRACTION,
    )  # fmt: skip
    sizes = [len(index) for _, index in (parts.train, parts.validation, parts.test)]
    assert sizes == [5000, 705, 2000]
