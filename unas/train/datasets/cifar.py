# SPDX-License-Identifier: Apache-2.0
"""CIFAR-10: 32x32 colour pictures of ten classes (A. Krizhevsky, 2009)."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unas.errors import DataError
from unas.train.datasets.arrays import read_npz
from unas.train.datasets.augmentation import ImageAugmentation
from unas.train.datasets.dataset import DataProvenance, Dataset, Normalisation, halves
from unas.train.datasets.files import CIFAR10_FILES, digests, fetch, first_existing, missing, parse
from unas.train.datasets.splits import plan_splits

_CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer",
    "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
_FOLDER = "cifar-10-batches-bin"
_ARCHIVE = "cifar-10-binary.tar.gz"
_WANTED = f"a folder with {_ARCHIVE} (the binary version)"
_SOURCE = f"{_ARCHIVE} from www.cs.toronto.edu/~kriz/cifar.html"
_TRAIN = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
_TEST = "test_batch.bin"
_RECORD = 1 + 3 * 32 * 32  # label, then the red, the green and the blue plane
# Mean and deviation of the training pictures, a channel, as the paper has them.
_MEAN = (0.4914, 0.4822, 0.4465)
_DEVIATION = (0.2023, 0.1994, 0.2010)

Part = tuple[NDArray[np.uint8], NDArray[np.int32]]


def load_cifar10(
    path: Path | None,
    *,
    binary: bool = False,
    split_seed: int = 0,
    validation_fraction: float = 0.1,
) -> Dataset:
    """50,000 pictures to train and validate, 10,000 to test.

    Args:
        path: Folder with the ``.bin`` files of the *binary version*, or one that holds such a
            folder or its archive, the archive itself, or an ``.npz`` with x_train, y_train, x_test,
            y_test. None downloads. The Python version is a set of pickles, which may run code:
            it is not read.
        binary: Two classes: 1 for the classes 0 to 4, 0 for 5 to 9.
        split_seed: Of the stratified draws.
        validation_fraction: Share of the 50,000.

    Raises:
        DataError: Files are missing or damaged.
    """
    if path is None:
        path = fetch("cifar10", CIFAR10_FILES, _WANTED, _SOURCE) / _ARCHIVE
    given, files = _read(path)
    parts = plan_splits(
        "cifar10",
        {part: y for part, (_, y) in given.items()},
        validation_fraction=validation_fraction,
        test_fraction=0.0,
        seed=split_seed,
    )
    dataset = Dataset(
        name="cifar10",
        input_shape=(32, 32, 3),
        class_names=_CLASSES,
        normalisation=Normalisation.of(255 * np.array(_MEAN), 1 / (255 * np.array(_DEVIATION))),
        augmentation=ImageAugmentation((4, 4), flip=True),
        provenance=DataProvenance(digests(*files), parts.words, split_seed),
        splits=parts.of_arrays(given),
    )
    return halves(dataset) if binary else dataset


def _read(path: Path) -> tuple[dict[str, Part], tuple[Path, ...]]:
    """Parts ``train`` and ``test``, and the files they came from."""
    archive = path if path.is_file() else first_existing(path, (_ARCHIVE, "cifar10.npz"))
    folder = path / _FOLDER if (path / _FOLDER).is_dir() else path
    if all((folder / name).is_file() for name in (*_TRAIN, _TEST)):
        files = tuple(folder / name for name in (*_TRAIN, _TEST))
        return _parts(folder, lambda name: (folder / name).read_bytes()), files
    if archive is None:
        missing("cifar10", path, _WANTED, _SOURCE)
    if archive.suffix == ".npz":
        return _from_npz(archive), (archive,)
    return parse(archive, _from_archive, "fetch it again"), (archive,)


def _from_archive(archive: Path) -> dict[str, Part]:
    try:
        with tarfile.open(archive) as tar:
            members = {Path(member.name).name: member for member in tar if member.isfile()}

            def content(name: str) -> bytes:
                file = tar.extractfile(members[name]) if name in members else None
                if file is None:
                    raise ValueError(f"it holds no {name}; take the binary version")
                return file.read()

            return _parts(archive, content)
    except tarfile.TarError as error:
        raise ValueError(str(error)) from error


def _parts(place: Path, content: Callable[[str], bytes]) -> dict[str, Part]:
    batches = [_records(place / name, content(name)) for name in _TRAIN]
    x, y = zip(*batches, strict=True)
    return {
        "train": (np.concatenate(x), np.concatenate(y)),
        "test": _records(place / _TEST, content(_TEST)),
    }


def _records(path: Path, content: bytes) -> Part:
    if not content or len(content) % _RECORD:
        raise DataError(
            f"{path}: {len(content)} bytes are no whole number of {_RECORD}-byte records; "
            "fetch the binary version again"
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, _RECORD)
    planes = records[:, 1:].reshape(-1, 3, 32, 32)
    return planes.transpose(0, 2, 3, 1), records[:, 0].astype(np.int32)


def _from_npz(path: Path) -> dict[str, Part]:
    arrays = read_npz(path, ("x_train", "y_train", "x_test", "y_test"))
    return {
        part: _pair(path, arrays[f"x_{part}"], arrays[f"y_{part}"]) for part in ("train", "test")
    }


def _pair(path: Path, x: NDArray[Any], y: NDArray[Any]) -> Part:
    if x.dtype != np.uint8 or x.shape[1:] != (32, 32, 3) or y.size != len(x):
        raise DataError(
            f"{path}: pictures {x.dtype} {x.shape} with {y.size} labels, expected bytes "
            "(n, 32, 32, 3) with a label each; write it again"
        )
    return x, y.reshape(-1).astype(np.int32)
