# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.unit.dataset_files import assert_parted, labels, pictures
from unas.errors import DataError
from unas.train.datasets import load_dataset


def test_npz_of_the_user(tmp_path: Path) -> None:
    path = tmp_path / "own.npz"
    x, y = np.random.default_rng(0).normal(3, 2, (50, 6, 5, 2)), labels(50, 3)
    np.savez(path, x=x, y=y)
    dataset = load_dataset("npz", path, class_names=["a", "b", "c"])
    assert [len(split) for split in dataset.splits] == [36, 4, 10]
    assert_parted(dataset, x.astype(np.float32))
    assert np.allclose(dataset.inputs(dataset.train).mean((0, 1, 2)), 0, atol=1e-5)
    raw = load_dataset("npz", path, normalise="none")
    assert np.array_equal(raw.inputs(raw.train), raw.train.x)
    assert raw.class_names == ("0", "1", "2")
    grey = x[:, :, :, 0]
    np.savez(path, x_train=grey[9:], y_train=y[9:], x_val=grey[:9], y_val=y[:9])
    given = load_dataset("npz", path)
    assert given.input_shape == (6, 5, 1)
    assert np.array_equal(given.validation.x[..., 0], grey[:9].astype(np.float32))
    np.savez(path, x=pictures(50, (7,)), y=y)
    rows = load_dataset("npz", path)
    assert rows.input_shape == (1, 7, 1)
    assert rows.inputs(rows.train).max() <= 1


def spoilt(x: NDArray[Any], value: float) -> NDArray[np.float64]:
    """With this value in sample 7."""
    result = x.astype(np.float64)
    result[7, 0, 1] = value
    return result


def test_named_classes_of_an_npz_may_lack_samples(tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", x=pictures(50, (2, 2)), y=2 * labels(50, 2))
    named = load_dataset("npz", tmp_path / "own.npz", class_names=["a", "b", "c"])
    assert named.num_classes == 3


def test_parts_of_an_npz_that_share_samples_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.npz"
    x, y = pictures(50, (4, 4)), labels(50, 2)

    def load(**parts: slice) -> None:
        arrays: dict[str, Any] = {"x_train": x[:30], "y_train": y[:30]}
        arrays |= {f"x_{part}": x[rows].astype(np.float64) for part, rows in parts.items()}
        arrays |= {f"y_{part}": y[rows] for part, rows in parts.items()}
        np.savez(path, **arrays)
        load_dataset("npz", path)

    load(val=slice(30, 40), test=slice(40, 50))
    with pytest.raises(DataError, match="3 of 10 samples of validation are in train too; remove"):
        load(val=slice(27, 37))
    with pytest.raises(DataError, match="1 of 8 samples of test are in train too"):
        load(test=slice(29, 37))
    with pytest.raises(DataError, match="5 of 15 samples of test are in validation too"):
        load(val=slice(30, 40), test=slice(35, 50))


def test_wrong_npz_files_are_told(tmp_path: Path) -> None:
    path = tmp_path / "own.npz"
    x, y = pictures(50, (2, 2)), labels(50, 2)
    for arrays, message in (
        ({"a": x}, "holds a; name the arrays x and y"),
        ({"x": x, "y": y[:-1]}, r"labels of train are uint8 \(49,\) for 50 samples"),
        ({"x": x, "y": y / 2}, "give one whole number a sample"),
        ({"x": np.full((50, 2), "a"), "y": y}, "give numbers of shape"),
        ({"x": np.full((50, 2), object()), "y": y}, "cannot be read"),
        ({"x": x, "y": y, "x_test": x}, "holds x_test but no y_test; add it, or leave x_test out"),
        ({"x": x, "y": y, "y_val": y}, "holds y_val but no x_val; add it, or leave y_val out"),
        ({"x": x, "y": y, "x_dev": x, "y_dev": y}, "holds x_dev, which is of no known part; give"),
        ({"x": x, "y": y, "x_train": x, "y_train": y}, "x_train and x, both of train; keep one"),
        ({"x": spoilt(x, np.nan), "y": y}, r"NaN.* in 1 of 50 samples of train, first in x\[7\];"),
        ({"x": spoilt(x, -np.inf), "y": y}, "NaN, infinity"),
        ({"x": spoilt(x, 1e300), "y": y}, "beyond float32"),
        ({"x": x, "y": y + 1}, r"2 classes lie in 1 … 2; number them 0 … 1 without gaps"),
        ({"x": x, "y": 2 * y}, r"2 classes lie in 0 … 2; number them 0 … 1 without gaps"),
        ({"x": x, "y": 0 * y}, "labels of 1 classes; give two classes or more"),
    ):
        np.savez(path, allow_pickle=True, **arrays)
        with pytest.raises(DataError, match=message):
            load_dataset("npz", path)
    np.savez(path, x=x, y=y)
    with pytest.raises(DataError, match="normalise is 'x'"):
        load_dataset("npz", path, normalise="x")
    path.write_bytes(b"PK")
    with pytest.raises(DataError, match="cannot be read"):
        load_dataset("npz", path)
    with path.open("wb") as file:
        np.save(file, x)
    with pytest.raises(DataError, match="not an archive"):
        load_dataset("npz", path)
