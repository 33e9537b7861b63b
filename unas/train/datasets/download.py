# SPDX-License-Identifier: Apache-2.0
"""Downloads through Keras, where the network allows; else the error says what to put where."""

from __future__ import annotations

import contextlib
import io
import os
from dataclasses import dataclass
from pathlib import Path

from unas.errors import DataError
from unas.train.datasets.files import remedy

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
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow's first import
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
