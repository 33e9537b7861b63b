# SPDX-License-Identifier: Apache-2.0
"""UCI-HAR: 2.56 s of a smartphone's motion, six activities (D. Anguita et al., ESANN 2013)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unas.errors import DataError
from unas.train.datasets.dataset import DataProvenance, Dataset, Normalisation, Split, Splits
from unas.train.datasets.files import missing, parse, tree_digest
from unas.train.datasets.splits import by_group

_CLASSES = (
    "walking", "walking_upstairs", "walking_downstairs", "sitting", "standing", "laying",
)  # fmt: skip
_CHANNELS = tuple(
    f"{sensor}_{axis}" for sensor in ("body_acc", "body_gyro", "total_acc") for axis in "xyz"
)
_STEPS = 128
_FOLDER = "UCI HAR Dataset"
_SOURCE = (
    "human+activity+recognition+using+smartphones.zip from archive.ics.uci.edu/dataset/240, "
    f"unpack it and the '{_FOLDER}.zip' in it"
)


def load_uci_har(
    path: Path | None, *, split_seed: int = 0, validation_fraction: float = 0.15
) -> Dataset:
    """Windows of 128 steps (50 Hz) of 9 signals, as pictures (128, 1, 9).

    Windows overlap by half and each belongs to one of 30 people: the test part is that of the
    authors, 9 people; the validation part is made of whole people too, or the network would be
    tested on windows it has half seen.

    Args:
        path: The unpacked archive, with ``train`` and ``test``.
        split_seed: Of the draw of people to validate with.
        validation_fraction: Least share of the training windows.

    Raises:
        DataError: Files are missing, damaged, or do not belong together.
    """
    root = path if path is None or (path / "train").is_dir() else path / _FOLDER
    if root is None or not (root / "train").is_dir() or not (root / "test").is_dir():
        missing("uci_har", path, f"the folder '{_FOLDER}' with train and test", _SOURCE)
    if not 0 < validation_fraction < 1:
        raise DataError(
            f"uci_har: validation_fraction is {validation_fraction}; give a share between 0 and 1"
        )
    x, y, people = _read(root / "train")
    x_test, y_test, _ = _read(root / "test")
    validation, train = by_group(people, validation_fraction, np.random.default_rng(split_seed))
    if not len(train):
        raise DataError(
            f"uci_har: {root / 'train'} has too few people to keep {validation_fraction:g} of the "
            "windows apart; give a smaller validation_fraction"
        )
    words = (
        f"test: {len(y_test)} as given; validation: {len(validation)} of {len(y)}, "
        f"people {', '.join(map(str, np.unique(people[validation])))}; train: {len(train)}"
    )
    return Dataset(
        name="uci_har",
        input_shape=(_STEPS, 1, len(_CHANNELS)),
        class_names=_CLASSES,
        splits=Splits(
            Split(x[train], y[train]), Split(x[validation], y[validation]), Split(x_test, y_test)
        ),
        normalisation=Normalisation.standard(x[train], (0, 1, 2)),
        provenance=DataProvenance((tree_digest(root, _files(root)),), words, split_seed),
    )


def _files(root: Path) -> list[Path]:
    return [path for part in ("train", "test") for path in _part_files(root / part)]


def _part_files(folder: Path) -> list[Path]:
    part = folder.name
    signals = [folder / "Inertial Signals" / f"{name}_{part}.txt" for name in _CHANNELS]
    return [*signals, folder / f"y_{part}.txt", folder / f"subject_{part}.txt"]


def _read(folder: Path) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.int32]]:
    """Samples (n, 128, 1, 9), labels from 0, and whose they are."""
    *signals, labels, people = _part_files(folder)
    for path in (*signals, labels, people):
        if not path.is_file():
            missing("uci_har", folder, f"the folder with {path.relative_to(folder)}", _SOURCE)
    columns = [_numbers(path, _STEPS, np.float32) for path in signals]
    y, who = (_numbers(path, 1, np.int32)[:, 0] for path in (labels, people))
    if {len(column) for column in columns} | {len(who)} != {len(y)}:
        raise DataError(
            f"{folder}: the files have unequal numbers of lines; unpack the archive again"
        )
    return np.stack(columns, axis=-1)[:, :, None, :], y - 1, who


def _numbers(path: Path, columns: int, dtype: Any) -> NDArray[Any]:
    def read(file: Path) -> NDArray[Any]:
        table = np.loadtxt(file, dtype, ndmin=2)
        if table.shape[1:] != (columns,):
            raise ValueError(f"{table.shape[1]} numbers a line, expected {columns}")
        return table

    return parse(path, read, "unpack the archive again")
