# SPDX-License-Identifier: Apache-2.0
"""The input that a taken-home program runs first."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unas.errors import StoreError
from unas.hil.seeded import seeded_input
from unas.record import Record
from unas.store.study import SAMPLE_FILE, StudyResults
from unas.takeaway.network import TakenNetwork

_SEED = 1
_PER_ROW = 16


@dataclass(frozen=True, slots=True)
class Sample:
    """One input tensor.

    Attributes:
        data: int8 values as bytes.
        origin: Where it comes from, for comments.
        label: Its class, if it has one.
    """

    data: bytes
    origin: str
    label: int | None = None

    @property
    def rows(self) -> list[list[int]]:
        """The values, some a line, for a C array."""
        values = np.frombuffer(self.data, np.int8).tolist()
        return [values[i : i + _PER_ROW] for i in range(0, len(values), _PER_ROW)]


def seeded_sample(network: TakenNetwork) -> Sample:
    """Pseudo-random values, the ones that a measurement times."""
    return Sample(
        seeded_input(network.input_bytes, _SEED), f"pseudo-random values, seed {_SEED}; no class"
    )


def data_sample(
    network: TakenNetwork, values: NDArray[np.float32], label: int, origin: str
) -> Sample:
    """A sample of a data set, quantised for the network.

    Args:
        network: Whose input it is.
        values: What the network is trained on, of the input's shape.
        label: Its class.
        origin: Where it comes from.
    """
    scaled = np.rint(values / network.input.scale) + network.input.zero_point
    quantised = np.clip(scaled, -128, 127).astype(np.int8)
    return Sample(quantised.tobytes(), f"{_one_line(origin)}, class {label}", label)


def kept_sample(study: StudyResults, record: Record, network: TakenNetwork) -> Sample | None:
    """The sample of the test split that was kept with a network, as it sees it; None without one.

    Raises:
        StoreError: The file is there but cannot be read, or is of another network.
    """
    path = study.network_folder(record) / SAMPLE_FILE
    if not path.is_file():
        return None
    try:
        stored = json.loads(path.read_text())
        data, label = np.array(stored["input"], np.int8).tobytes(), int(stored["label"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise StoreError(f"cannot read {path}: {error}; delete it to go without") from error
    if len(data) != network.input_bytes:
        raise StoreError(f"{path} is of another network; delete it to go without")
    origin = f"the first sample of the test split of {study.config.data.name}"
    return Sample(data, f"{_one_line(origin)}, class {label}", label)


def _one_line(text: str) -> str:
    return " ".join(text.replace("*/", "* /").split())
