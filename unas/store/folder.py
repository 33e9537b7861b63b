# SPDX-License-Identifier: Apache-2.0
"""Files and results folders that are there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from unas.errors import StoreError


@contextlib.contextmanager
def results_folder(place: Path) -> Iterator[Path]:
    """Fill a temporary folder beside ``place``; at a clean end it replaces what was there.

    Raises:
        StoreError: The place cannot be written.
    """
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=place.parent, prefix=f".{place.name}."))
    except OSError as error:
        raise StoreError(f"cannot write {place}: {error.strerror}; check the directory") from error
    try:
        yield temporary
        temporary.chmod(0o755)
        _swap(temporary, place)
    except OSError as error:
        raise StoreError(f"cannot write {place}: {error}; check the disk") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _swap(new: Path, place: Path) -> None:
    old = new.with_name(new.name + ".old")
    if place.exists():
        place.rename(old)
    new.rename(place)
    shutil.rmtree(old, ignore_errors=True)


def write_atomic(path: Path, content: bytes) -> None:
    """Write beside the place and move there.

    Raises:
        StoreError: The place cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}; check the directory") from error
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        Path(temporary).chmod(0o644)  # mkstemp's is private, results are to be shared
        Path(temporary).replace(path)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}; check the disk") from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()
