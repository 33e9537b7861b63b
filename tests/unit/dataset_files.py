# SPDX-License-Identifier: Apache-2.0
"""Small data sets in the files' true formats, written by other code than what reads them."""

from __future__ import annotations

import gzip
import struct
import tarfile
import wave
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from unas.train.datasets import Dataset


def pictures(count: int, shape: tuple[int, ...], seed: int = 0) -> NDArray[np.uint8]:
    """Random bytes: no two pictures are equal."""
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), np.uint8)


def labels(count: int, classes: int) -> NDArray[np.uint8]:
    return (np.arange(count) % classes).astype(np.uint8)


def write_idx(path: Path, array: NDArray[np.uint8]) -> None:
    header = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    content = header + array.tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def write_mnist(
    folder: Path, stem: str, x: NDArray[np.uint8], y: NDArray[np.uint8], end: str = ".gz"
) -> None:
    write_idx(folder / f"{stem}-images-idx3-ubyte{end}", x)
    write_idx(folder / f"{stem}-labels-idx1-ubyte{end}", y)


def cifar_batch(x: NDArray[np.uint8], y: NDArray[np.uint8]) -> bytes:
    return b"".join(
        bytes([label]) + b"".join(picture[:, :, c].tobytes() for c in range(3))
        for picture, label in zip(x, y, strict=True)
    )


def write_tar(path: Path, folder: str, contents: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in contents.items():
            info = tarfile.TarInfo(f"{folder}/{name}")
            info.size = len(content)
            tar.addfile(info, BytesIO(content))


def write_picture(path: Path, colour: tuple[int, int, int], size: tuple[int, int]) -> None:
    """A picture of one colour; size is (height, width)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size[::-1], colour).save(path)


def write_wave(path: Path, sound: NDArray[np.int16], rate_hz: int = 16_000) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(sound.astype("<i2").tobytes())


def keys(x: NDArray[Any]) -> list[bytes]:
    """Something to know samples by."""
    return [sample.tobytes() for sample in x]


def assert_parted(dataset: Dataset, x: NDArray[Any]) -> None:
    """Every sample of x is in exactly one part of the data set, once."""
    found = [key for split in dataset.splits for key in keys(split.x)]
    assert sorted(found) == sorted(keys(x))
    assert len(set(found)) == len(found)
