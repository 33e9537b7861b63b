# SPDX-License-Identifier: Apache-2.0
"""Values of a data set's options, checked before anything is read."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from inspect import Parameter
from typing import Any

from unas.errors import DataError

_PLAIN = {"bool": (bool,), "int": (int,), "float": (int, float), "str": (str,)}


@dataclass(frozen=True, slots=True)
class _Rule:
    """Which values of a type an option takes, and how an error says so."""

    holds: Callable[[Any], bool]
    allowed: str


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _pair(value: Any, least: int) -> bool:
    return (
        isinstance(value, list | tuple) and len(value) == 2 and all(_whole(n, least) for n in value)
    )


def _names(value: Any, least: int) -> bool:
    """A string is a sequence of letters, and a name twice would put a sample in two classes."""
    return (
        isinstance(value, list | tuple)
        and all(isinstance(name, str) and name for name in value)
        and len(set(value)) == len(value) >= least
    )


_SHARE = _Rule(lambda value: 0 < value < 1, "a share between 0 and 1")
_RULES = {
    "size": _Rule(lambda value: _pair(value, 1), "[height, width] in pixels"),
    "shift_px": _Rule(
        lambda value: _whole(value, 0) or _pair(value, 0),
        "pixels, or [down, right], whole numbers from 0",
    ),
    "rotate_rad": _Rule(lambda value: 0 <= value <= math.pi, "an angle from 0 to 3.14"),
    "rotate_probability": _Rule(lambda value: 0 <= value <= 1, "a share from 0 to 1"),
    "split_seed": _Rule(lambda value: _whole(value, 0), "a whole number from 0"),
    "validation_fraction": _SHARE,
    "test_fraction": _SHARE,
    "words": _Rule(lambda value: _names(value, 1), 'different words, such as ["yes", "no"]'),
    "class_names": _Rule(
        lambda value: _names(value, 2), 'two different names or more, such as ["cat", "dog"]'
    ),
}


def check_value(name: str, parameter: Parameter, value: Any) -> None:
    """Refuse a value of the wrong type or outside its range.

    Args:
        name: Of the data set.
        parameter: The option, as its loader declares it.
        value: What a study file says.

    Raises:
        DataError: Names the option and what is allowed.
    """
    key, kind = parameter.name, str(parameter.annotation)
    if value is None and parameter.default is None:
        return
    allowed = _PLAIN.get(kind)
    wrong_bool = isinstance(value, bool) and kind != "bool"
    if allowed is not None and (wrong_bool or not isinstance(value, allowed)):
        raise DataError(
            f"{name}: {key} is {value!r}, expected {kind}; correct the study's data table"
        )
    rule = _RULES.get(key)
    if rule is not None and not rule.holds(value):
        raise DataError(f"{name}: {key} is {value!r}; give {rule.allowed}")
