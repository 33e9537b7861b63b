# SPDX-License-Identifier: Apache-2.0
"""Files of data sets: looked up, hashed, downloaded through Keras, or an error with the remedy.

Also checks the values of a data set's options, before anything is read.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import math
import os
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from inspect import Parameter
from pathlib import Path
from typing import Any, Never, TypeVar

import numpy as np
from filelock import FileLock
from numpy.typing import DTypeLike, NDArray

from unas._paths import cache_dir
from unas.errors import DataError
from unas.train.backend import load_tensorflow

T = TypeVar("T")

IN_MEMORY_BYTES = 1 << 30  # larger arrays are mapped from a file in the cache
_REHASHED_BYTES = 1 << 28  # larger folders are hashed once and noted


def remedy(wanted: str, source: str | None = None) -> str:
    """What to do where a data set is missing; the end of an error.

    Args:
        wanted: What the path has to lead to.
        source: What to get, and where; None for what only the user has.
    """
    get = "" if source is None else f"get {source}, "
    return f"{get}give the path of {wanted} (--data PATH, or [data] path in the study)"


def missing(name: str, path: Path | None, wanted: str, source: str | None = None) -> Never:
    """Say what a data set needs.

    Args:
        name: Of the data set.
        path: Where we looked, or None where no path was given.
        wanted: What the path has to lead to.
        source: What to get, and where; None for what only the user has.

    Raises:
        DataError: Always.
    """
    where = "no path was given" if path is None else f"not found in {path}"
    raise DataError(f"{name}: {where}; {remedy(wanted, source)}")


def first_existing(folder: Path, names: Iterable[str]) -> Path | None:
    """The first of these that stands in the folder."""
    return next((folder / name for name in names if (folder / name).is_file()), None)


def sha256(path: Path) -> str:
    """Digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digests(*paths: Path) -> tuple[tuple[str, str], ...]:
    """Name and sha256 of each file."""
    return tuple((path.name, sha256(path)) for path in paths)


def tree_digest(root: Path, files: Iterable[Path]) -> tuple[str, str]:
    """Name of a folder and one sha256 over the names and contents of its files.

    Of big folders it is noted in the cache, by the files' sizes and times, or each worker of a
    study would read gigabytes to learn it.
    """
    paths = sorted(files)
    states = [(path, path.stat()) for path in paths]
    if sum(state.st_size for _, state in states) <= _REHASHED_BYTES:
        return root.resolve().name, _tree_sha256(root, paths)
    seen = "".join(f"{path.resolve()} {s.st_size} {s.st_mtime_ns}\n" for path, s in states)
    note = cache_dir() / "datasets" / f"{hashlib.sha256(seen.encode()).hexdigest()}.sha256"
    if not note.is_file():
        note.parent.mkdir(parents=True, exist_ok=True)
        unfinished = note.with_suffix(f".{os.getpid()}")
        unfinished.write_text(_tree_sha256(root, paths))
        unfinished.replace(note)
    return root.resolve().name, note.read_text()


def _tree_sha256(root: Path, paths: Iterable[Path]) -> str:
    total = hashlib.sha256()
    for path in paths:
        total.update(f"{path.relative_to(root).as_posix()} {sha256(path)}\n".encode())
    return total.hexdigest()


def parse(path: Path, read: Callable[[Path], T], remedy: str) -> T:
    """Read a file; whatever is wrong with it becomes one line.

    Args:
        path: The file.
        read: Reads it; may raise what parsers raise.
        remedy: What to do if it cannot be read.

    Raises:
        DataError: It cannot.
    """
    try:
        return read(path)
    except (OSError, EOFError, ValueError, KeyError, zlib.error) as error:
        reason = str(error) or type(error).__name__
        raise DataError(f"{path} cannot be read: {reason}; {remedy}") from error


def stored_array(
    key: str,
    shape: tuple[int, ...],
    dtype: DTypeLike,
    fill: Callable[[NDArray[Any]], None],
    *,
    in_memory_bytes: int = IN_MEMORY_BYTES,
) -> NDArray[Any]:
    """An array that is filled once; a big one is kept in the cache and mapped from there.

    Args:
        key: Names contents: digest of the files, the part, and how they were read.
        shape: Of the array.
        dtype: Of the array.
        fill: Writes the contents.
        in_memory_bytes: Up to here it is made in memory, each time anew.

    Returns:
        The array; read-only if mapped.
    """
    if int(np.prod(shape)) * np.dtype(dtype).itemsize <= in_memory_bytes:
        array = np.empty(shape, dtype)
        fill(array)
        return array
    name = hashlib.sha256(f"{key} {shape} {np.dtype(dtype)}".encode()).hexdigest()
    path = cache_dir() / "datasets" / f"{name}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        if not path.is_file():
            unfinished = path.with_suffix(".part")
            growing = np.lib.format.open_memmap(unfinished, "w+", np.dtype(dtype), shape)
            fill(growing)
            growing.flush()
            del growing
            unfinished.replace(path)  # the name appears when the file is whole
    mapped: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return mapped


_PLAIN = {"bool": (bool,), "int": (int,), "float": (int, float), "str": (str,)}


@dataclass(frozen=True, slots=True)
class _Rule:
    """Which values of a type an option takes, and how an error says so."""

    holds: Callable[[Any], bool]
    allowed: str


def _whole(value: Any, smallest: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= smallest


def _pair(value: Any, smallest: int) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) == 2
        and all(_whole(n, smallest) for n in value)
    )


def _names(value: Any, smallest: int) -> bool:
    """A string is a sequence of letters, and a name twice would put a sample in two classes."""
    return (
        isinstance(value, list | tuple)
        and all(isinstance(name, str) and name for name in value)
        and len(set(value)) == len(value) >= smallest
    )


_SHARE = _Rule(lambda value: 0 < value < 1, "a share between 0 and 1")
_RULES = {
    "size": _Rule(lambda value: _pair(value, 1), "[height, width] in pixels"),
    "shift_px": _Rule(
        lambda value: _whole(value, 0) or _pair(value, 0),
        "pixels, or [down, right], whole numbers from 0",
    ),
    "rotate_rad": _Rule(lambda value: 0 <= value <= math.pi, "an angle from 0 to 3.14"),
    "rotate_probability": _Rule(lambda value: 0 <= value <= 1, "a share from 0 to 1"),
    "split_seed": _Rule(lambda value: _whole(value, 0), "a whole number from 0"),
    "validation_fraction": _SHARE,
    "test_fraction": _SHARE,
    "words": _Rule(lambda value: _names(value, 1), 'different words, such as ["yes", "no"]'),
    "class_names": _Rule(
        lambda value: _names(value, 2), 'two different names or more, such as ["cat", "dog"]'
    ),
}


def check_value(name: str, parameter: Parameter, value: Any) -> None:
    """Refuse a value of the wrong type or outside its range.

    Args:
        name: Of the data set.
        parameter: The option, as its loader declares it.
        value: What a study file says.

    Raises:
        DataError: Names the option and what is allowed.
    """
    key, kind = parameter.name, str(parameter.annotation)
    if value is None and parameter.default is None:
        return
    allowed = _PLAIN.get(kind)
    wrong_bool = isinstance(value, bool) and kind != "bool"
    if allowed is not None and (wrong_bool or not isinstance(value, allowed)):
        raise DataError(
            f"{name}: {key} is {value!r}, expected {kind}; correct the study's data table"
        )
    rule = _RULES.get(key)
    if rule is not None and not rule.holds(value):
        raise DataError(f"{name}: {key} is {value!r}; give {rule.allowed}")


_GOOGLE = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"


@dataclass(frozen=True, slots=True)
class Remote:
    """A file on the web.

    Attributes:
        url: Where it is.
        folder: Below Keras' folder for data sets; Keras' own loaders use the same.
        sha256: Of its content, or None where Keras does not check it either.
    """

    url: str
    folder: str = ""
    sha256: str | None = None

    @property
    def name(self) -> str:
        """File name."""
        return self.url.rsplit("/", 1)[1]


MNIST_FILES = (
    Remote(
        f"{_GOOGLE}mnist.npz",
        sha256="731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
    ),
)
FASHION_FILES = tuple(
    Remote(f"{_GOOGLE}{part}-{kind}-ubyte.gz", "fashion-mnist")
    for part in ("train", "t10k")
    for kind in ("images-idx3", "labels-idx1")
)
CIFAR10_FILES = (Remote("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"),)


def fetch(name: str, remotes: tuple[Remote, ...], wanted: str, source: str) -> Path:
    """Get files into Keras' cache, if they are not there.

    Args:
        name: Of the data set.
        remotes: Its files, all of one folder.
        wanted: What the path may lead to instead, for the error.
        source: Where the user finds that.

    Returns:
        The folder.

    Raises:
        DataError: The network does not give them.
    """
    load_tensorflow()
    import keras

    folder = Path()
    for remote in remotes:
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # Keras prints a progress bar
                local = keras.utils.get_file(
                    remote.name,
                    remote.url,
                    file_hash=remote.sha256,
                    cache_subdir=str(Path("datasets", remote.folder)),
                )
        except Exception as error:  # Keras raises bare exceptions here
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise DataError(
                f"{name}: no path was given and the download failed ({reason}); "
                f"{remedy(wanted, source)}"
            ) from error
        folder = Path(local).parent
    return folder
