# SPDX-License-Identifier: Apache-2.0
"""The input that an exported program runs first: of the data set, or pseudo-random."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unas._codec import read_object
from unas._text import read_json_file
from unas.errors import StoreError
from unas.exports.input_meaning import one_line
from unas.exports.network import ExportedNetwork
from unas.host.reference import seeded_input
from unas.record import Record
from unas.store.study_folder import SAMPLE_FILE, StudyResults
from unas.tflite.io_quantization import quantize_input

_SEED = 1
_PER_ROW = 16


@dataclass(frozen=True, slots=True)
class InputSample:
    """One input tensor.

    Attributes:
        data: int8 values as bytes.
        origin: Where it comes from, for comments.
        label: Its class; None where there is none.
    """

    data: bytes
    origin: str
    label: int | None = None

    @property
    def rows(self) -> list[list[int]]:
        """The values in rows of a C array."""
        values = np.frombuffer(self.data, np.int8).tolist()
        return [values[i : i + _PER_ROW] for i in range(0, len(values), _PER_ROW)]


def choose_sample(
    study: StudyResults, record: Record, network: ExportedNetwork, data: Path | None
) -> InputSample:
    """The first sample of the test split; a pseudo-random one where that is not known.

    Args:
        study: Where the network was found.
        record: Of the network.
        network: Whose input it is.
        data: Where the study's data set lies; None: the sample that was kept with the network.

    Raises:
        StoreError: The kept sample cannot be read.
        DataError: The data set cannot be used, or is another one.
    """
    if data is not None:
        return _test_sample(study, network, data)
    return kept_sample(study, record, network) or seeded_sample(network)


def seeded_sample(network: ExportedNetwork) -> InputSample:
    """Pseudo-random values: the input of a measurement."""
    return InputSample(
        seeded_input(network.input_bytes, _SEED), f"pseudo-random values, seed {_SEED}; no class"
    )


def data_sample(
    network: ExportedNetwork, values: NDArray[np.float32], label: int, origin: str
) -> InputSample:
    """A sample of a data set, quantised for the network.

    Args:
        network: Whose input it is.
        values: What the network is trained on, of the input's shape.
        label: Its class.
        origin: Where it comes from.

    Raises:
        DataError: The values have another shape, or one is not finite.
    """
    quantised = quantize_input(values, network.io)
    return InputSample(quantised.tobytes(), f"{one_line(origin)}, class {label}", label)


def _test_sample(study: StudyResults, network: ExportedNetwork, data: Path) -> InputSample:
    from unas.train.datasets import load_dataset

    config = study.config.data
    dataset = load_dataset(config.name, str(data), **config.options)
    values = dataset.inputs(dataset.test, 0, 1)[0]
    return data_sample(network, values, int(dataset.test.y[0]), _origin(study))


@dataclass(frozen=True, slots=True)
class _StoredSample:
    """``sample.json``: int8 values in the order of the input tensor, and the class."""

    input: tuple[int, ...]
    label: int
    shape: tuple[int, ...] = ()


def kept_sample(
    study: StudyResults, record: Record, network: ExportedNetwork
) -> InputSample | None:
    """The int8 sample of the test split that was kept with a network; None without one.

    Raises:
        StoreError: The file is there but cannot be read, or is of another network.
    """
    path = study.network_folder(record) / SAMPLE_FILE
    if not path.is_file():
        return None
    advice = "delete it to go without"
    try:
        stored = read_object(read_json_file(path, advice), _StoredSample, str(path), defaults=True)
        data = np.array(stored.input, np.int8).tobytes()
    except OverflowError as error:
        raise StoreError(f"cannot read {path}: {error}; {advice}") from error
    if len(data) != network.input_bytes:
        raise StoreError(f"{path} is of another network; delete it to go without")
    origin = f"{one_line(_origin(study))}, class {stored.label}"
    return InputSample(data, origin, stored.label)


def _origin(study: StudyResults) -> str:
    return f"the first sample of the test split of {study.config.data.name}"
