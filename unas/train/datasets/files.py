# SPDX-License-Identifier: Apache-2.0
"""Files that the user has: found, hashed, or missed with what to put where."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Never, TypeVar

import numpy as np
from filelock import FileLock
from numpy.typing import DTypeLike, NDArray

from unas._resources import cache_dir
from unas.errors import DataError

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
