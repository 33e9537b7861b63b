# SPDX-License-Identifier: Apache-2.0
"""Which sample goes where: to train, to validate or to test, and never to two of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unas.errors import DataError
from unas.train.datasets.dataset import Split, Splits

Index = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class SplitPlan:
    """Where the samples of the three parts stand.

    Attributes:
        train: Given part and indices in it.
        validation: Indices of the samples to validate on.
        test: Indices of the samples to test on.
        words: How it was made.
    """

    train: tuple[str, Index]
    validation: tuple[str, Index]
    test: tuple[str, Index]
    words: str

    def splits(self, take: Callable[[str, Index], Split]) -> Splits:
        """Make the parts.

        Args:
            take: (given part, indices in it) -> the samples.
        """
        return Splits(*(take(*place) for place in (self.train, self.validation, self.test)))

    def of_arrays(self, given: Mapping[str, tuple[NDArray[Any], NDArray[np.int32]]]) -> Splits:
        """Make the parts from (x, y) by given part."""
        return self.splits(lambda part, index: Split(given[part][0][index], given[part][1][index]))


def stratified(y: NDArray[Any], size: int, rng: np.random.Generator) -> tuple[Index, Index]:
    """Draw ``size`` samples so that each class keeps its share, to less than one sample.

    Args:
        y: Class numbers (n,).
        size: How many to draw.
        rng: Source of chance.

    Returns:
        The drawn indices and the others, both ascending.
    """
    classes, counts = np.unique(y, return_counts=True)
    shares = counts * size / len(y)
    quotas = np.floor(shares).astype(int)
    # The largest remainders get what rounding down left over.
    by_remainder = np.argsort(quotas - shares, kind="stable")
    quotas[by_remainder[: size - quotas.sum()]] += 1
    drawn = [
        rng.permutation(np.flatnonzero(y == c))[:quota]
        for c, quota in zip(classes, quotas, strict=True)
    ]
    chosen = np.zeros(len(y), bool)
    chosen[np.concatenate(drawn)] = True
    return np.flatnonzero(chosen), np.flatnonzero(~chosen)


def by_group(
    groups: NDArray[Any], fraction: float, rng: np.random.Generator
) -> tuple[Index, Index]:
    """Draw whole groups until they hold at least the fraction of all samples.

    Args:
        groups: To which group (person, recording) a sample belongs, (n,).
        fraction: Share of the samples to draw.
        rng: Source of chance.

    Returns:
        The drawn indices and the others, both ascending.
    """
    names, counts = np.unique(groups, return_counts=True)
    order = rng.permutation(len(names))
    enough = np.searchsorted(np.cumsum(counts[order]), fraction * len(groups)) + 1
    chosen = np.isin(groups, names[order[:enough]])
    return np.flatnonzero(chosen), np.flatnonzero(~chosen)


def plan_splits(
    name: str,
    labels: Mapping[str, NDArray[Any]],
    *,
    validation_fraction: float,
    test_fraction: float,
    seed: int,
) -> SplitPlan:
    """Complete given parts to train, validation and test.

    What is given as ``validation`` or ``test`` is used as it is. What is not is drawn from
    ``train``, first the test part, then the validation part from what is left, each class with its
    share.

    Args:
        name: Of the data set, for errors.
        labels: Class numbers by part: ``train``, and ``validation`` and ``test`` where given.
        validation_fraction: Share of the samples left after the test part was taken.
        test_fraction: Share of the samples of ``train``.
        seed: Of the draws.

    Raises:
        DataError: A fraction outside 0 … 1, or a part stays empty.
    """
    rest: Index = np.arange(len(labels["train"]))
    words = []
    placed: dict[str, tuple[str, Index]] = {}
    for number, (part, fraction) in enumerate(
        (("test", test_fraction), ("validation", validation_fraction))
    ):
        if part in labels:
            placed[part] = (part, np.arange(len(labels[part])))
            words.append(f"{part}: {len(labels[part])} as given")
            continue
        size = _size(name, part, len(rest), fraction)
        drawn, left = stratified(labels["train"][rest], size, np.random.default_rng([seed, number]))
        placed[part] = ("train", rest[drawn])
        words.append(f"{part}: {size} of {len(rest)}, stratified")
        rest = rest[left]
    words.append(f"train: {len(rest)}")
    return SplitPlan(("train", rest), placed["validation"], placed["test"], "; ".join(words))


def _size(name: str, part: str, count: int, fraction: float) -> int:
    if not 0 < fraction < 1:
        raise DataError(f"{name}: {part}_fraction is {fraction}; give a share between 0 and 1")
    size = round(count * fraction)
    if not 0 < size < count:
        raise DataError(
            f"{name}: {fraction:g} of {count} samples leaves nothing for one part; "
            f"give more samples or another {part}_fraction"
        )
    return size
