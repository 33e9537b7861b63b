# SPDX-License-Identifier: Apache-2.0
"""Dataclasses as JSON objects and back, strict: what a field may hold is read from its type."""

from __future__ import annotations

import functools
import math
import types
import typing
from collections.abc import Hashable, Mapping
from dataclasses import fields, is_dataclass
from enum import StrEnum
from typing import Any, TypeVar, cast

from unas.errors import StoreError

_T = TypeVar("_T")


def to_plain(value: Any) -> Any:
    """A value of dataclasses, tuples, mappings and scalars as JSON types.

    Objects that can write themselves (``to_json_dict``) do so.

    Raises:
        StoreError: A number that is not finite: JSON has none.
    """
    if hasattr(value, "to_json_dict"):
        return value.to_json_dict()
    return to_plain_fields(value) if is_dataclass(value) else _plain(value)


def to_plain_fields(value: Any) -> dict[str, Any]:
    """The fields of one dataclass as JSON types."""
    return {f.name: to_plain(getattr(value, f.name)) for f in fields(value)}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        raise StoreError(f"{value} cannot be stored; leave a quantity out that is not known")
    return value.value if isinstance(value, StrEnum) else value


def from_plain(data: Any, kind: type[_T], where: str) -> _T:
    """A dataclass from the object that ``to_plain_fields`` wrote.

    Args:
        data: Parsed JSON.
        kind: The dataclass.
        where: For messages.

    Raises:
        StoreError: A key is missing or unknown, or a value is of another type.
    """
    hints = _hints(cast(Hashable, kind))
    if not isinstance(data, Mapping):
        raise StoreError(f"{where} is {data!r}; it must be a JSON object")
    if data.keys() != hints.keys():
        wrong = sorted(map(str, data.keys() ^ hints.keys()))
        raise StoreError(f"{where} lacks or should not have {', '.join(wrong)}; see unas.record")
    return kind(**{name: _read(data[name], hints[name], f"{where}.{name}") for name in hints})


@functools.cache
def _hints(kind: Hashable) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {f.name: hints[f.name] for f in fields(cast(Any, kind))}


def _read(data: Any, kind: Any, where: str) -> Any:
    if isinstance(kind, types.UnionType):
        if data is None:
            return None
        (kind,) = [k for k in typing.get_args(kind) if k is not types.NoneType]
    origin = typing.get_origin(kind)
    if origin is tuple:
        return _read_items(data, kind, where)
    if origin is not None:
        return _read_mapping(data, kind, where)
    if hasattr(kind, "from_json_dict"):
        return kind.from_json_dict(data)
    if is_dataclass(kind):
        return from_plain(data, cast(type, kind), where)
    if issubclass(kind, StrEnum):
        return _read_choice(data, kind, where)
    if kind is float and type(data) is int:
        return float(data)
    if type(data) is not kind:
        raise StoreError(f"{where} is {data!r}; it must be of type {kind.__name__}")
    return data


def _read_items(data: Any, kind: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(data, list):
        raise StoreError(f"{where} is {data!r}; it must be an array")
    return tuple(_read(x, typing.get_args(kind)[0], f"{where}[{i}]") for i, x in enumerate(data))


def _read_mapping(data: Any, kind: Any, where: str) -> dict[str, Any]:
    if not isinstance(data, Mapping):
        raise StoreError(f"{where} is {data!r}; it must be a JSON object")
    value_kind = typing.get_args(kind)[1]
    return {str(key): _read(value, value_kind, f"{where}.{key}") for key, value in data.items()}


def _read_choice(data: Any, kind: type[StrEnum], where: str) -> StrEnum:
    try:
        return kind(data)
    except ValueError as error:
        raise StoreError(f"{where} is {data!r}; it must be one of {', '.join(kind)}") from error
