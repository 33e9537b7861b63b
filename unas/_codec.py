# SPDX-License-Identifier: Apache-2.0
"""From TOML tables to dataclasses and back, strict both ways.

What a table may hold is read from the dataclass itself: its fields, their types and defaults.
"""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import StrEnum
from typing import Any, TypeVar, cast

from unas.errors import ConfigError

_T = TypeVar("_T")
_NAMES = {int: "a whole number", float: "a number", str: "a string", bool: "true or false"}


def near_names(name: str, known: Iterable[str]) -> str:
    """``"did you mean x?"``, or the list of what is known."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"known: {', '.join(names)}" if names else "nothing goes there; take it out"


def read_table(data: object, kind: type[_T], where: str) -> _T:
    """A dataclass from a table.

    Args:
        data: The parsed table.
        kind: A dataclass; fields may be scalars, string enumerations, tuples, optional ones, other
            dataclasses (tables of their own) and mappings (free tables).
        where: File and table, as ``file [table]``, for messages.

    Raises:
        ConfigError: An unknown or missing key, a wrong type, or a value that the dataclass refuses.
    """
    if not isinstance(data, Mapping):
        raise ConfigError(f"{where} is {data!r}; it must be a table")
    known = {f.name: f for f in fields(cast(Any, kind))}
    for key in data:
        if key not in known:
            raise ConfigError(f"{where}: unknown key {key!r}; {near_names(str(key), known)}")
    hints = typing.get_type_hints(kind)
    values = {}
    for name, field in known.items():
        if name in data:
            values[name] = _value(data[name], hints[name], where, name)
        elif _is_required(field):
            raise ConfigError(f"{where}: {name!r} is missing; add it")
    try:
        return kind(**values)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def _is_required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _value(data: Any, kind: Any, where: str, name: str) -> Any:
    if isinstance(kind, types.UnionType):  # X | None: TOML has no null, so the key is left out
        (kind,) = [k for k in typing.get_args(kind) if k is not types.NoneType]
    if is_dataclass(kind):
        return read_table(data, cast(type, kind), _inner(where, name))
    origin = typing.get_origin(kind)
    if origin is tuple:
        return _tuple(data, kind, where, name)
    if origin is not None:
        return _options(data, _inner(where, name))
    if issubclass(kind, StrEnum):
        return _choice(data, kind, where, name)
    if kind is float and type(data) is int:
        data = float(data)
    if type(data) is not kind:
        raise ConfigError(f"{where}: {name!r} is {data!r}; it must be {_NAMES[kind]}")
    return data


def _inner(where: str, name: str) -> str:
    """``file [table]`` -> ``file [table.name]``."""
    return f"{where.removesuffix(']')}.{name}]"


def _tuple(data: Any, kind: Any, where: str, name: str) -> tuple[Any, ...]:
    if not isinstance(data, list):
        raise ConfigError(f"{where}: {name!r} is {data!r}; it must be an array, written [...]")
    inner = typing.get_args(kind)
    kinds = [inner[0]] * len(data) if inner[-1] is Ellipsis else inner
    if len(kinds) != len(data):
        raise ConfigError(f"{where}: {name!r}: {data!r} must have {len(kinds)} entries")
    return tuple(_value(x, k, where, name) for x, k in zip(data, kinds, strict=True))


def _choice(data: Any, kind: type[StrEnum], where: str, name: str) -> StrEnum:
    known = {member.value: member for member in kind}
    if not isinstance(data, str) or data not in known:
        raise ConfigError(f"{where}: {name!r} is {data!r}; {near_names(str(data), known)}")
    return known[data]


def _options(data: Any, where: str) -> dict[str, Any]:
    """A free table: scalars and arrays of them, so that it can be written again."""
    if not isinstance(data, Mapping):
        raise ConfigError(f"{where} is {data!r}; it must be a table")
    for key, value in data.items():
        items = value if isinstance(value, list) else [value]
        if not all(isinstance(x, str | int | float | bool) for x in items):
            raise ConfigError(
                f"{where}: {key!r} is {value!r}; numbers, strings, true, false and arrays of them "
                "are possible here"
            )
    return {str(key): list(v) if isinstance(v, list) else v for key, v in data.items()}


def plain_table(value: object) -> dict[str, Any]:
    """A dataclass as TOML types, every default written out, absent values left out."""
    named = ((f.name, getattr(value, f.name)) for f in fields(cast(Any, value)))
    return {name: _plain(x) for name, x in named if x is not None}


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return plain_table(value)
    if isinstance(value, Mapping):
        return {key: _plain(value[key]) for key in sorted(value)}
    if isinstance(value, tuple | list):
        return [_plain(x) for x in value]
    return value.value if isinstance(value, StrEnum) else value
