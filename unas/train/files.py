# SPDX-License-Identifier: Apache-2.0
"""Trained networks as ``.keras`` files."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from unas.errors import ModelError, StoreError
from unas.train.backend import load_tensorflow

if TYPE_CHECKING:
    import keras


def save_model(model: keras.Model, path: Path) -> None:
    """Write a model to a file of Keras.

    Args:
        model: Any.
        path: Ends in ``.keras``; an existing file is replaced.

    Raises:
        StoreError: It cannot be written.
    """
    try:
        with warnings.catch_warnings():
            # Keras 3 takes variables for NumPy in a way that NumPy 2 frowns on.
            warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
            model.save(path)
    except (OSError, ValueError) as error:
        raise StoreError(
            f"cannot write {path}: {error}; give a place for a .keras file that can be written"
        ) from error


def load_model(path: Path) -> keras.Model:
    """Read a model from a file of Keras. Code in it is not run.

    Args:
        path: A ``.keras`` file.

    Raises:
        ModelError: It cannot be read.
    """
    load_tensorflow()
    import keras

    try:
        model: keras.Model = keras.models.load_model(path, compile=False, safe_mode=True)
    except (OSError, ValueError, TypeError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(
            f"{path} holds no model that can be read: {reason}; write one with "
            "model.save('name.keras')"
        ) from error
    return model
