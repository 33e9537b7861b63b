# SPDX-License-Identifier: Apache-2.0
"""Two-class versions of data sets, as SpArSe and μNAS use them."""

from __future__ import annotations

from unas.train.datasets.dataset import Dataset


def halves(dataset: Dataset) -> Dataset:
    """Class 1 for the first half of the classes, class 0 for the second.

    Samples and parts stay the same; each original class keeps its share in each part.
    """
    half = dataset.num_classes // 2
    names = dataset.class_names
    return dataset.relabelled(
        f"{dataset.name}_binary",
        ("/".join(names[half:]), "/".join(names[:half])),
        lambda y: y < half,
    )
