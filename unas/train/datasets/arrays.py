# SPDX-License-Identifier: Apache-2.0
"""The user's own data as NumPy arrays in one ``.npz`` file."""

from __future__ import annotations

import hashlib
import itertools
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unas.errors import DataError
from unas.train.datasets.dataset import (
    UNIT_BYTES,
    DataProvenance,
    Dataset,
    Normalisation,
)
from unas.train.datasets.files import digests, missing, parse
from unas.train.datasets.splits import plan_splits

_KEYS = {
    "train": (("x_train", "y_train"), ("x", "y")),
    "validation": (("x_validation", "y_validation"), ("x_val", "y_val")),
    "test": (("x_test", "y_test"),),
}


def read_npz(path: Path, wanted: Iterable[str] | None = None) -> dict[str, NDArray[Any]]:
    """Arrays of an ``.npz`` file; objects in it, which would be code, are refused.

    Raises:
        DataError: It cannot be read, or lacks an array that is wanted.
    """

    def read(file: Path) -> dict[str, NDArray[Any]]:
        try:
            loaded = np.load(file, allow_pickle=False)
            if not isinstance(loaded, np.lib.npyio.NpzFile):
                raise ValueError("it holds a single array, not an archive")
            with loaded as archive:
                names = archive.files if wanted is None else list(wanted)
                return {name: archive[name] for name in names}
        except zipfile.BadZipFile as error:
            raise ValueError(str(error)) from error

    return parse(path, read, "write it with numpy.savez and plain numbers")


def load_npz(
    path: Path | None,
    *,
    normalise: str = "auto",
    class_names: Iterable[str] | None = None,
    split_seed: int = 0,
    test_fraction: float = 0.2,
    validation_fraction: float = 0.1,
) -> Dataset:
    """The user's own arrays.

    Args:
        path: The file. It holds ``x``, ``y`` or ``x_train``, ``y_train``, and may hold ``x_val``,
            ``y_val`` (or ``x_validation`` …) and ``x_test``, ``y_test``. x is (n, height, width,
            channels), (n, height, width), or (n, length) for a row of numbers; y is (n,), classes
            from 0.
        normalise: ``unit`` divides by 255; ``standard`` gives each channel mean 0 and deviation 1
            over the training part; ``none``; ``auto`` is unit for bytes, standard for the rest.
        class_names: Their names; where left out numbers, and each must have a sample.
        split_seed: Of the stratified draws.
        test_fraction: Share of the samples, where no test part is given.
        validation_fraction: Share of the rest, where no validation part is given.

    Raises:
        DataError: The file is missing or damaged, its arrays do not fit together, or its parts
            share samples.
    """
    if path is None or not path.is_file():
        missing("npz", path, "an .npz file with arrays x and y, written by numpy.savez")
    given = _parts(path, read_npz(path))
    _check_apart(path, {part: x for part, (x, _) in given.items()})
    names = tuple(class_names) if class_names is not None else _numbered(path, given)
    parts = plan_splits(
        "npz",
        {part: y for part, (_, y) in given.items()},
        validation_fraction=validation_fraction,
        test_fraction=test_fraction,
        seed=split_seed,
    )
    splits = parts.of_arrays(given)
    height, width, channels = given["train"][0].shape[1:]
    return Dataset(
        name="npz",
        input_shape=(height, width, channels),
        class_names=names,
        normalisation=_normalisation(normalise, splits.train.x),
        provenance=DataProvenance(digests(path), parts.words, split_seed),
        splits=splits,
    )


def _parts(
    path: Path, arrays: dict[str, NDArray[Any]]
) -> dict[str, tuple[NDArray[Any], NDArray[np.int32]]]:
    _check_names(path, arrays)
    given = {}
    for part, choices in _KEYS.items():
        for x_key, y_key in choices:
            if x_key in arrays and y_key in arrays:
                given[part] = _pair(path, part, arrays[x_key], arrays[y_key])
                break
    if "train" not in given:
        raise DataError(
            f"{path} holds {', '.join(sorted(arrays)) or 'nothing'}; "
            "name the arrays x and y, or x_train and y_train"
        )
    return given


def _check_names(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Refuse arrays that would be left out: a part would be drawn in place of the one meant."""
    partners = {
        key: other
        for choices in _KEYS.values()
        for pair in choices
        for key, other in (pair, pair[::-1])
    }
    for name in sorted(arrays):
        partner = partners.get(name)
        if partner is not None and partner not in arrays:
            raise DataError(f"{path} holds {name} but no {partner}; add it, or leave {name} out")
        if partner is None and name.startswith(("x_", "y_")):
            raise DataError(
                f"{path} holds {name}, which is of no known part; give it one of the names "
                f"{', '.join(partners)}"
            )
    for part, choices in _KEYS.items():
        present = [x_key for x_key, _ in choices if x_key in arrays]
        if len(present) > 1:
            raise DataError(f"{path} holds {' and '.join(present)}, both of {part}; keep one pair")


def _check_apart(path: Path, parts: dict[str, NDArray[Any]]) -> None:
    """Refuse parts that share samples: an error on samples once seen says nothing of new ones."""
    seen = {part: [_key(sample) for sample in x] for part, x in parts.items() if len(parts) > 1}
    for one, other in itertools.combinations(seen, 2):
        known = set(seen[one])
        shared = sum(key in known for key in seen[other])
        if shared:
            raise DataError(
                f"{path}: {shared} of {len(seen[other])} samples of {other} are in {one} too; "
                f"remove them from {one} or {other}"
            )


def _key(sample: NDArray[Any]) -> bytes:
    """Equal for equal numbers, stored as bytes or not (and for both zeros)."""
    numbers = sample.astype(np.float32) + np.float32(0)
    return hashlib.blake2b(numbers.tobytes(), digest_size=16).digest()


def _pair(
    path: Path, part: str, x: NDArray[Any], y: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[np.int32]]:
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1 or not np.issubdtype(y.dtype, np.integer) or len(x) != len(y):
        raise DataError(
            f"{path}: labels of {part} are {y.dtype} {y.shape} for {len(x)} samples; "
            "give one whole number a sample"
        )
    if not 2 <= x.ndim <= 4 or x.dtype.kind not in "buif":
        raise DataError(
            f"{path}: samples of {part} are {x.dtype} {x.shape}; "
            "give numbers of shape (n, height, width, channels)"
        )
    # A row of numbers is a picture of height 1 with one channel.
    shape = {2: (len(x), 1, -1, 1), 3: (*x.shape, 1), 4: x.shape}[x.ndim]
    with np.errstate(over="ignore"):  # what float32 cannot hold is an error below
        stored = x if x.dtype == np.uint8 else x.astype(np.float32)
    finite = np.isfinite(stored).reshape(len(x), -1).all(axis=1)
    if not finite.all():
        raise DataError(
            f"{path}: NaN, infinity or numbers beyond float32 in {len(x) - finite.sum()} of "
            f"{len(x)} samples of {part}, first in x[{finite.argmin()}]; mend or remove these"
        )
    return stored.reshape(shape), y.astype(np.int32)


def _numbered(
    path: Path, given: dict[str, tuple[NDArray[Any], NDArray[np.int32]]]
) -> tuple[str, ...]:
    """Names of classes that have none: an output that no sample teaches would cost memory."""
    classes = np.unique(np.concatenate([y for _, y in given.values()]))
    if len(classes) < 2:
        raise DataError(f"{path}: labels of {len(classes)} classes; give two classes or more")
    if classes[0] < 0 or classes[-1] != len(classes) - 1:
        raise DataError(
            f"{path}: labels of {len(classes)} classes lie in {classes[0]} … {classes[-1]}; number "
            f"them 0 … {len(classes) - 1} without gaps, or name all classes in class_names, from 0"
        )
    return tuple(str(number) for number in range(len(classes)))


def _normalisation(kind: str, x: NDArray[Any]) -> Normalisation:
    if kind == "auto":
        kind = "unit" if x.dtype == np.uint8 else "standard"
    if kind == "unit":
        return UNIT_BYTES
    if kind == "standard":
        return Normalisation.standard(x, (0, 1, 2))
    if kind == "none":
        return Normalisation.of(0, 1)
    raise DataError(f"npz: normalise is {kind!r}; give auto, unit, standard or none")
