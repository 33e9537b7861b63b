# SPDX-License-Identifier: Apache-2.0
"""Whoever follows the recorded steps feeds a network what it was trained on."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.study_cases import study_of
from unas.errors import StoreError
from unas.exports.input_meaning import input_steps
from unas.study.results_folder import describe_study
from unas.tflite.io_quantization import IoQuantization
from unas.train.datasets import DataProvenance, Dataset, Normalisation, Split, load_dataset
from unas.train.datasets.dataset import Splits
from unas.train.datasets.mfcc import Mfcc

RESULTS = Path(__file__).resolve().parents[2] / "results"


IO = IoQuantization(0.03125, -100, 0.25, 0, input_shape=(8, 8, 1))


def recorded(dataset: Dataset) -> dict[str, Any]:
    """Table ``data`` of environment.json, as it is read again."""
    text = describe_study(
        study_of(), dataset, board=None, source=None, calibration=None, command={}
    )
    data: dict[str, Any] = json.loads(json.dumps(text))["data"]
    return data


def dataset_of(x: NDArray[Any], normalisation: Normalisation, features: Mfcc | None) -> Dataset:
    split = Split(x, np.zeros(len(x), np.int32))
    shape = x.shape[1:] if features is None else (features.frames, features.bands, 1)
    return Dataset(
        "made up", (shape[0], shape[1], shape[2]), ("a", "b"), Splits(split, split, split),
        normalisation, DataProvenance((), "made up", 0), features=features,
    )  # fmt: skip


def follow(steps: tuple[str, ...], value: str, number: float, i: int) -> tuple[float, int]:
    """Compute x and q as the steps say."""
    known: dict[str, Any] = {value: number, "round": round, "i": i}
    for line in steps:
        if found := re.match(r"(\w+)\[i\], i being the \w+: (.*)", line):
            known[found[1]] = [float(word) for word in found[2].split(", ")]
    formulas = [
        re.match(rf"{name} = ([^:]*?)(, kept[^:]*)?: ", line)
        for name, line in zip("xq", (line for line in steps if line[1:3] == " ="), strict=True)
    ]
    assert formulas[0]
    assert formulas[1]
    known["x"] = eval(formulas[0][1], known)
    return known["x"], max(-128, min(127, eval(formulas[1][1], known)))


def test_digits_are_sixteenths() -> None:
    dataset = load_dataset("digits")
    steps = input_steps(recorded(dataset), IO)
    assert "x = r * 0.0625" in steps[1]
    assert "uint8, 0 to 16" in steps[0]
    for raw in (0, 7, 16):
        x, q = follow(steps, "r", raw, 0)
        assert x == raw / 16
        assert q == min(127, round(x / IO.input_scale) + IO.input_zero)


def test_channels_of_their_own_are_listed() -> None:
    x = np.random.default_rng(0).normal(5, 3, (50, 4, 4, 3)).astype(np.float32)
    dataset = dataset_of(x, Normalisation.standard(x, (0, 1, 2)), None)
    steps = input_steps(recorded(dataset), IO)
    seen = dataset.inputs(dataset.train, 0, 1)[0, 2, 1]
    for channel in range(3):
        value, _ = follow(steps, "r", float(x[0, 2, 1, channel]), channel)
        assert math.isclose(value, seen[channel], rel_tol=1e-5, abs_tol=1e-6)
    assert any("i being the channel" in line for line in steps)


def test_sound_names_its_features() -> None:
    mfcc = Mfcc(samples=2000)
    x = np.random.default_rng(0).integers(-9000, 9000, (6, 2000)).astype(np.int16)
    pictures = mfcc.compute(x)
    dataset = dataset_of(x, Normalisation.standard(pictures, (0, 1, 3)), mfcc)
    steps = input_steps(recorded(dataset), IO)
    assert "40 triangular filters" in steps[1]
    seen = dataset.inputs(dataset.train, 0, 1)[0, 3, 7, 0]
    value, _ = follow(steps, "m", float(pictures[0, 3, 7, 0]), 7)
    assert math.isclose(value, seen, rel_tol=1e-4, abs_tol=1e-5)
    assert any("i being the column" in line for line in steps)


def test_augmentation_is_recorded_as_it_was() -> None:
    data = recorded(load_dataset("digits", shift_px=1))
    assert data["augmentation"] == "shift ±1 px"


@pytest.mark.parametrize("place", sorted(RESULTS.glob("published/*/environment.json")), ids=str)
def test_studies_of_earlier_versions_record_no_steps(place: Path) -> None:
    data = json.loads(place.read_text()).get("data", {})
    assert bool(input_steps(data, IO)) == ("normalisation" in data)


def test_what_cannot_be_read_is_told() -> None:
    with pytest.raises(StoreError, match=r"environment\.json"):
        input_steps({"normalisation": {"offset": "much"}}, IO)
