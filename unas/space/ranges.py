# SPDX-License-Identifier: Apache-2.0
"""What a gene may be, and uniform draws from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from unas.errors import ArchitectureError, ConfigError

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class IntRange:
    """The integers from ``low`` to ``high``, both included.

    Raises:
        ConfigError: The range is empty.
    """

    low: int
    high: int

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ConfigError(f"the range {self} is empty; give the smaller number first")

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int) and self.low <= value <= self.high

    def __len__(self) -> int:
        return self.high - self.low + 1

    def __str__(self) -> str:
        return f"{self.low}..{self.high}"

    def draw(self, rng: np.random.Generator) -> int:
        """A uniform draw; both ends can come."""
        return int(rng.integers(self.low, self.high, endpoint=True))


def draw_choice(rng: np.random.Generator, values: Sequence[_T]) -> _T:
    """A uniform draw from a sequence."""
    return values[int(rng.integers(len(values)))]


def draw_flag(rng: np.random.Generator, probability: float) -> bool:
    """True with the given probability."""
    return bool(rng.random() < probability)


def check_gene(what: str, value: object, allowed: IntRange | tuple[object, ...]) -> None:
    """Does nothing if the value is allowed.

    Raises:
        ArchitectureError: It is not; says what is.
    """
    if value not in allowed:
        values = str(allowed) if isinstance(allowed, IntRange) else ", ".join(map(str, allowed))
        raise ArchitectureError(f"{what} is {value}; in this search space it is one of {values}")


def check_minimum(minimum: int, **ranges: IntRange) -> None:
    """Does nothing if all ranges begin with ``minimum`` or above.

    Raises:
        ConfigError: One begins below; names it.
    """
    for name, allowed in ranges.items():
        if allowed.low < minimum:
            raise ConfigError(f"{name} is {allowed}; no network has fewer than {minimum}, raise it")
