# SPDX-License-Identifier: Apache-2.0
"""IDX files, in which MNIST and Fashion-MNIST come: a header of big-endian sizes, then bytes."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unas.train.datasets.files import parse

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
