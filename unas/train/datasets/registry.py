# SPDX-License-Identifier: Apache-2.0
"""The data sets by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from unas._codec import near_names
from unas.errors import DataError
from unas.train.datasets.arrays import load_npz
from unas.train.datasets.augmentation import ImageAugmentation
from unas.train.datasets.chars74k import load_chars74k
from unas.train.datasets.cifar import load_cifar10
from unas.train.datasets.dataset import Dataset
from unas.train.datasets.digits import load_digits
from unas.train.datasets.files import check_value
from unas.train.datasets.har import load_uci_har
from unas.train.datasets.images import load_image_folder
from unas.train.datasets.mnist import load_fashion_mnist, load_mnist
from unas.train.datasets.speech import load_speech_commands
from unas.train.datasets.tfrecord import load_tfrecord
from unas.train.datasets.vww import load_visual_wake_words

LOADERS: dict[str, Callable[..., Dataset]] = {
    "digits": load_digits,
    "mnist": load_mnist,
    "fashion_mnist": load_fashion_mnist,
    "cifar10": load_cifar10,
    "chars74k": load_chars74k,
    "speech_commands": load_speech_commands,
    "visual_wake_words": load_visual_wake_words,
    "uci_har": load_uci_har,
    "npz": load_npz,
    "image_folder": load_image_folder,
    "tfrecord": load_tfrecord,
}
_AUGMENTATION = dict(inspect.signature(ImageAugmentation).parameters)


def dataset_names() -> tuple[str, ...]:
    """Names that ``load_dataset`` knows."""
    return tuple(LOADERS)


def load_dataset(name: str, path: str | Path | None = None, **options: Any) -> Dataset:
    """Load a data set.

    Args:
        name: One of ``dataset_names()``.
        path: Folder or file; ``~`` stands for the home directory. None for the bundled digits, and
            to download what Keras can download.
        options: Those of the loader, and for sets of pictures the fields of ``ImageAugmentation``,
            in place of the set's own.

    Raises:
        DataError: An unknown name or option, a wrong value, a missing or damaged file.
    """
    check_options(name, options)
    loader = LOADERS[name]
    known = inspect.signature(loader).parameters
    own = {key: value for key, value in options.items() if key in known}
    dataset = loader(None if path is None else Path(path).expanduser(), **own)
    changed = {key: value for key, value in options.items() if key not in known}
    return _augmented(dataset, changed) if changed else dataset


def check_options(name: str, options: Mapping[str, Any]) -> None:
    """Refuse what ``load_dataset`` would refuse, before anything is read.

    Raises:
        DataError: An unknown name or option, a missing option, or a wrong value.
    """
    if name not in LOADERS:
        raise DataError(f"there is no data set {name!r}; {near_names(name, LOADERS)}")
    parameters = dict(inspect.signature(LOADERS[name]).parameters)
    del parameters["path"]
    for key, value in options.items():
        if key not in parameters and key not in _AUGMENTATION:
            raise DataError(
                f"{name} has no option {key!r}; {near_names(key, (*parameters, *_AUGMENTATION))}"
            )
        check_value(name, parameters.get(key) or _AUGMENTATION[key], value)
    for key, parameter in parameters.items():
        if parameter.default is parameter.empty and key not in options:
            raise DataError(f"{name} needs the option {key!r}; set it in the study's data table")


def _augmented(dataset: Dataset, changed: dict[str, Any]) -> Dataset:
    if not isinstance(dataset.augmentation, ImageAugmentation):
        raise DataError(
            f"{dataset.name} holds sounds and has no option {min(changed)!r}; leave it out"
        )
    if "shift_px" in changed:
        shift = changed["shift_px"]
        changed |= {"shift_px": (shift, shift) if isinstance(shift, int) else tuple(shift)}
    return dataset.with_augmentation(replace(dataset.augmentation, **changed))
