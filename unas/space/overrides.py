# SPDX-License-Identifier: Apache-2.0
"""Search spaces with some of their ranges overridden, from the plain values of a study file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from enum import StrEnum
from typing import Any, TypeVar

from unas._codec import near_names
from unas.errors import ConfigError
from unas.space.cnn import CnnSpace
from unas.space.cnn_plus import CnnPlusSpace
from unas.space.mlp import MlpSpace
from unas.space.ranges import IntRange

_R = TypeVar("_R", CnnSpace, CnnPlusSpace, MlpSpace)


def with_overrides(ranges: _R, overrides: Mapping[str, object], where: str = "space.options") -> _R:
    """The ranges with some of them replaced.

    Args:
        ranges: Ranges to start from.
        overrides: By field name: [low, high] for a range, a list for a choice, a number from 0
            to 1 for a probability. Members of a choice keep the order of the space.
        where: Name of the overrides, for messages.

    Raises:
        ConfigError: There is no such range, or it cannot have that value.
    """
    known: dict[str, Any] = {field.name: getattr(ranges, field.name) for field in fields(ranges)}
    for name in overrides:
        if name not in known:
            raise ConfigError(f"{where}: unknown key {name!r}; {near_names(name, known)}")
    changes: dict[str, Any] = {
        name: _value(f"{where}.{name}", known[name], overrides[name]) for name in overrides
    }
    return replace(ranges, **changes)


def _value(where: str, old: Any, new: Any) -> Any:
    if isinstance(old, IntRange):
        return _range(where, new)
    if isinstance(old, float):
        if type(new) not in (int, float) or not 0 <= new <= 1:
            raise ConfigError(f"{where} is {new!r}; give a probability from 0 to 1")
        return float(new)
    if not isinstance(new, list | tuple) or not new or len(set(map(repr, new))) < len(new):
        raise ConfigError(f"{where} is {new!r}; give a list of one or more different values")
    kind = type(old[0])
    return _members(where, kind, new) if issubclass(kind, StrEnum) else _sizes(where, new)


def _range(where: str, new: Any) -> IntRange:
    is_pair = isinstance(new, list | tuple) and [type(x) for x in new] == [int, int]
    if not is_pair or new[0] > new[1]:
        raise ConfigError(f"{where} is {new!r}; give [smallest, largest], both whole numbers")
    return IntRange(new[0], new[1])


def _members(where: str, kind: type[StrEnum], new: Iterable[object]) -> tuple[StrEnum, ...]:
    known = {member.value: member for member in kind}
    for value in new:
        if value not in known:
            raise ConfigError(f"{where}: unknown value {value!r}; {near_names(str(value), known)}")
    return tuple(member for value, member in known.items() if value in new)


def _sizes(where: str, new: Iterable[Any]) -> tuple[int, ...]:
    if not all(type(value) is int and value >= 1 for value in new):
        raise ConfigError(f"{where} is {new!r}; give whole numbers from 1 upwards")
    return tuple(sorted(new))
