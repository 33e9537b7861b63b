# SPDX-License-Identifier: Apache-2.0
"""MNIST and Fashion-MNIST: 28x28 grey pictures of ten classes.

They come in IDX files: a header of big-endian sizes, then bytes.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unas.errors import DataError
from unas.train.datasets.arrays import read_npz
from unas.train.datasets.augmentation import ImageAugmentation
from unas.train.datasets.dataset import UNIT_BYTES, DataProvenance, Dataset, halves
from unas.train.datasets.files import (
    FASHION_FILES,
    MNIST_FILES,
    Remote,
    digests,
    fetch,
    first_existing,
    missing,
    parse,
)
from unas.train.datasets.splits import plan_splits

_DIGITS = tuple("0123456789")
_CLOTHES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
_T10K = "t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz"
_WANTED = f"a folder with train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, {_T10K}"
_SOURCES = {
    "mnist": "the IDX files of MNIST (yann.lecun.com/exdb/mnist)",
    "fashion_mnist": "the files in data/fashion of github.com/zalandoresearch/fashion-mnist",
}
_T10K_TEST_FRACTION = 0.2

Part = tuple[NDArray[np.uint8], NDArray[np.int32]]


def load_mnist(
    path: Path | None,
    *,
    source: str = "auto",
    binary: bool = False,
    split_seed: int = 0,
    validation_fraction: float = 0.1,
) -> Dataset:
    """Handwritten digits (Y. LeCun, C. Cortes, C. Burges).

    Args:
        path: Folder with the four IDX files (``.gz`` or not) or with ``mnist.npz``, or that file.
            None downloads.
        source: ``full``: 60,000 to train and validate, 10,000 to test. ``t10k``: the 10,000 test
            digits alone, 8,000 to train and validate, 2,000 to test. ``auto``: full, or t10k where
            the folder holds nothing else.
        binary: Two classes: 1 for the digits 0 to 4, 0 for 5 to 9.
        split_seed: Of the stratified draws.
        validation_fraction: Share of what is not for testing.

    Raises:
        DataError: Files are missing or damaged.
    """
    augmentation = ImageAugmentation((2, 2), rotate_rad=0.2, rotate_probability=0.3)
    if source not in ("auto", "full", "t10k"):
        raise DataError(f"mnist: source is {source!r}; give auto, full or t10k")
    dataset = _load(
        "mnist", path, _DIGITS, augmentation, MNIST_FILES,
        source=source, seed=split_seed, validation_fraction=validation_fraction,
    )  # fmt: skip
    return halves(dataset) if binary else dataset


def load_fashion_mnist(
    path: Path | None,
    *,
    binary: bool = False,
    split_seed: int = 0,
    validation_fraction: float = 0.1,
) -> Dataset:
    """Pictures of clothes (H. Xiao, K. Rasul, R. Vollgraf, arXiv 1708.07747).

    Args:
        path: Folder with the four IDX files (``.gz`` or not), or an ``.npz`` as Keras has it for
            MNIST. None downloads.
        binary: Two classes: 1 for the classes 0 to 4, 0 for 5 to 9.
        split_seed: Of the stratified draws.
        validation_fraction: Share of what is not for testing.

    Raises:
        DataError: Files are missing or damaged.
    """
    augmentation = ImageAugmentation((2, 2), flip=True, rotate_rad=0.2, rotate_probability=0.3)
    dataset = _load(
        "fashion_mnist", path, _CLOTHES, augmentation, FASHION_FILES,
        source="full", seed=split_seed, validation_fraction=validation_fraction,
    )  # fmt: skip
    return halves(dataset) if binary else dataset


def _load(
    name: str,
    path: Path | None,
    classes: tuple[str, ...],
    augmentation: ImageAugmentation,
    remotes: tuple[Remote, ...],
    *,
    source: str,
    seed: int,
    validation_fraction: float,
) -> Dataset:
    if path is None:
        if source == "t10k":  # what Keras downloads holds all 70,000
            missing(name, path, f"a folder with {_T10K}", _SOURCES[name])
        path = fetch(name, remotes, _WANTED, _SOURCES[name])
    given, files = _read(name, path, source)
    parts = plan_splits(
        name,
        {part: y for part, (_, y) in given.items()},
        validation_fraction=validation_fraction,
        test_fraction=_T10K_TEST_FRACTION,
        seed=seed,
    )
    note = "" if "test" in given else "from the 10,000 test digits alone; "
    return Dataset(
        name=name,
        input_shape=(28, 28, 1),
        class_names=classes,
        normalisation=UNIT_BYTES,
        augmentation=augmentation,
        provenance=DataProvenance(digests(*files), note + parts.words, seed),
        splits=parts.of_arrays(given),
    )


def _read(name: str, path: Path, source: str) -> tuple[dict[str, Part], tuple[Path, ...]]:
    """Parts ``train`` and ``test``, or with t10k alone ``train``, and the files they came from."""
    archive = path if path.suffix == ".npz" else first_existing(path, (f"{name}.npz",))
    if archive is not None and source != "t10k":
        if not archive.is_file():
            missing(name, archive.parent, f"the file {archive.name}")
        arrays = read_npz(archive, ("x_train", "y_train", "x_test", "y_test"))
        pairs = {
            part: _part(archive, arrays[f"x_{part}"], arrays[f"y_{part}"])
            for part in ("train", "test")
        }
        return pairs, (archive,)
    test = _idx_pair(path, "t10k")
    train = None if source == "t10k" else _idx_pair(path, "train")
    if test is None or (train is None and source == "full"):
        wanted = f"a folder with {_T10K}" if source == "t10k" else _WANTED
        missing(name, path, wanted, _SOURCES[name])
    if train is None:
        return {"train": test[0]}, test[1]
    return {"train": train[0], "test": test[0]}, train[1] + test[1]


def _idx_pair(folder: Path, stem: str) -> tuple[Part, tuple[Path, ...]] | None:
    files = [
        first_existing(folder, (f"{stem}-{kind}{dot}{rank}-ubyte{end}" for dot in ("-", ".")
                                for end in ("", ".gz")))
        for kind, rank in (("images", "idx3"), ("labels", "idx1"))
    ]  # fmt: skip
    images, labels = files
    if images is None or labels is None:
        return None
    return _part(images, read_idx(images, 3), read_idx(labels, 1)), (images, labels)


def _part(path: Path, x: NDArray[Any], y: NDArray[Any]) -> Part:
    if x.dtype != np.uint8 or x.shape[1:] != (28, 28) or y.shape != x.shape[:1]:
        raise DataError(
            f"{path}: pictures {x.dtype} {x.shape} with labels {y.shape}, expected bytes "
            "(n, 28, 28) with labels (n,); fetch the files again"
        )
    return x[..., None], y.astype(np.int32)


_BYTES = 0x08  # type code of unsigned bytes; the others do not occur here
_GZIP = b"\x1f\x8b"


def read_idx(path: Path, rank: int) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes, packed with gzip or not.

    Args:
        path: The file.
        rank: Number of dimensions that it must have.

    Raises:
        DataError: It is damaged or of another kind.
    """

    def read(file: Path) -> NDArray[np.uint8]:
        content = file.read_bytes()
        if content.startswith(_GZIP):
            content = gzip.decompress(content)
        return _array(content, rank)

    return parse(path, read, "fetch the file again")


def _array(content: bytes, rank: int) -> NDArray[np.uint8]:
    header = 4 + 4 * rank
    if content[:4] != bytes((0, 0, _BYTES, rank)) or len(content) < header:
        raise ValueError(f"no IDX header of {rank}-dimensional bytes")
    shape = tuple(np.frombuffer(content, ">u4", rank, 4).tolist())
    body = np.frombuffer(content, np.uint8, -1, header)
    if body.size != int(np.prod(shape, dtype=np.int64)):
        raise ValueError(f"the header tells {shape}, but {body.size} bytes follow")
    return body.reshape(shape)
