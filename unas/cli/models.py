# SPDX-License-Identifier: Apache-2.0
"""Reading a model that the user names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from unas.errors import ModelError

if TYPE_CHECKING:
    from unas.artifact import Flatbuffer
    from unas.graph import Graph


def read_model(path: Path) -> tuple[Flatbuffer, Graph]:
    """A model file, checked to be one that the runtime can read.

    Raises:
        ModelError: It cannot be read, or is no int8 TFLite model.
    """
    from unas.artifact import Flatbuffer
    from unas.export.read import read_flatbuffer

    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}; check the path") from error
    return Flatbuffer(data, path.stem), read_flatbuffer(data, str(path))
