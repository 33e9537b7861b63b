# SPDX-License-Identifier: Apache-2.0
"""The 1,797 handwritten digits, 8x8, that come with scikit-learn: real data without a download."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from unas.errors import DataError
from unas.train.datasets.dataset import DataProvenance, Dataset, Normalisation
from unas.train.datasets.files import digests
from unas.train.datasets.splits import plan_splits


def load_digits(
    path: Path | None,
    *,
    split_seed: int = 0,
    test_fraction: float = 0.2,
    validation_fraction: float = 0.15,
) -> Dataset:
    """Digits of 8x8 pixels with values 0 … 16 (E. Alpaydin, C. Kaynak, UCI, 1998).

    Not augmented: the digits fill the frame, so that a shift by a single pixel cuts strokes off; a
    small network errs more often with it than without.

    Raises:
        DataError: A path was given.
    """
    if path is not None:
        raise DataError("digits: they come with scikit-learn; leave the path out")
    import sklearn.datasets

    bunch = sklearn.datasets.load_digits()
    x = bunch.images[..., None].astype(np.uint8)
    y = bunch.target.astype(np.int32)
    parts = plan_splits(
        "digits",
        {"train": y},
        validation_fraction=validation_fraction,
        test_fraction=test_fraction,
        seed=split_seed,
    )
    table = Path(sklearn.datasets.__file__).parent / "data" / "digits.csv.gz"
    return Dataset(
        name="digits",
        input_shape=(8, 8, 1),
        class_names=tuple("0123456789"),
        normalisation=Normalisation.of(0, 1 / 16),
        provenance=DataProvenance(digests(table), parts.words, split_seed),
        splits=parts.of_arrays({"train": (x, y)}),
    )
