# SPDX-License-Identifier: Apache-2.0
"""Samples become the int8 input of a network, or are refused: never silently another input."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.study_example import write_example
from unas.artifact import Flatbuffer
from unas.errors import DataError, StoreError
from unas.exports.bundle import best_record
from unas.exports.network import ExportedNetwork, exported_network
from unas.exports.sample import data_sample, kept_sample
from unas.record import Record
from unas.store.study_folder import StudyResults, read_study
from unas.tflite.io_quantization import IoQuantization, quantize_input, read_io_quantization

IO = IoQuantization(0.5, -4, 0.25, 3, input_shape=(2, 3))


def filled(value: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.full(IO.input_shape, value, np.float32)


def test_a_sample_or_many_are_rounded_to_the_nearest_step() -> None:
    assert quantize_input(filled(1.1), IO).tolist() == [[-2] * 3] * 2
    many = quantize_input(np.stack([filled(0.0), filled(0.25), filled(0.75)]), IO)
    assert many.dtype == np.int8
    assert many[:, 0, 0].tolist() == [-4, -4, -2]  # halves to even


@pytest.mark.parametrize(("value", "step"), [(-1000.0, -128), (1000.0, 127), (3e38, 127)])
def test_what_is_out_of_range_saturates(value: float, step: int) -> None:
    small = replace(IO, input_scale=1e-3)
    assert set(quantize_input(filled(value), small).ravel().tolist()) == {step}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_refused(value: float) -> None:
    samples = np.stack([filled(0.0), filled(1.0)])
    samples[1, 0, 2] = value
    with pytest.raises(DataError, match=r"1 of 12 values .* finite"):
        quantize_input(samples, IO)


@pytest.mark.parametrize("shape", [(3, 2), (6,), (5, 3, 2), (1, 1, 2, 3), ()])
def test_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="2 x 3"):
        quantize_input(np.zeros(shape, np.float32), IO)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudyResults:
    place = tmp_path_factory.mktemp("results")
    write_example(place / "one", rounds=25)
    return read_study("one", place)


@pytest.fixture(scope="module")
def best(study: StudyResults) -> Record:
    return best_record(study)


@pytest.fixture(scope="module")
def network(study: StudyResults, best: Record) -> ExportedNetwork:
    data = study.flatbuffer(best)
    assert data is not None
    return exported_network(Flatbuffer(data, "net"), best.candidate.short_id)


def test_the_shape_is_that_of_the_file(network: ExportedNetwork) -> None:
    assert read_io_quantization(network.model.data).input_shape == (8, 8, 1)


def test_an_exported_sample_is_checked_as_well(network: ExportedNetwork) -> None:
    values = np.zeros(network.input_shape, np.float32)
    with pytest.raises(DataError, match="8 x 8 x 1"):
        data_sample(network, values.ravel(), 0, "x")
    values[0, 0] = np.nan
    with pytest.raises(DataError, match="finite"):
        data_sample(network, values, 0, "x")


@pytest.mark.parametrize("value", [1.5, 128, -129, True, "3", None, [1], float("nan")])
def test_a_kept_sample_that_is_not_int8_is_refused(
    study: StudyResults, best: Record, network: ExportedNetwork, tmp_path: Path, value: object
) -> None:
    copy = replace(study, folder=tmp_path)
    place = copy.network_folder(best) / "sample.json"
    place.parent.mkdir(parents=True)
    values: list[object] = [0] * network.input_bytes
    values[7] = value
    place.write_text(json.dumps({"input": values, "label": 4}))
    with pytest.raises(StoreError, match=r"sample\.json"):
        kept_sample(copy, best, network)
