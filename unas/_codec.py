# SPDX-License-Identifier: Apache-2.0
"""Dataclasses to plain types and back, strict: the one reader of all that unas stores.

What a table or a JSON object may hold is read from the dataclass itself: its fields, their types
and defaults. Fields may be scalars, string enumerations, tuples (of one length or any), mappings,
other dataclasses, optional ones, and ``Annotated[type, parse]``, where ``parse`` makes the value
from what stands in the file and raises an ``UnasError`` where it cannot.
"""

from __future__ import annotations

import difflib
import functools
import math
import reprlib
import types
import typing
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import StrEnum
from typing import Annotated, Any, TypeVar, cast

from unas.errors import ConfigError, StoreError, UnasError

_T = TypeVar("_T")
_NAMES = {int: "a whole number", float: "a number", str: "a string", bool: "true or false"}
# A message stays one line whatever stands in a file, and however deep.
_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxother, _SHORT.maxlong = 3, 80, 80, 40


def near_names(name: str, known: Iterable[str]) -> str:
    """``"did you mean x?"``, or the list of what is known."""
    names = sorted(known)
    near = difflib.get_close_matches(name[:80], names, n=3, cutoff=0.5)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"known: {', '.join(names)}" if names else "nothing goes there; take it out"


@dataclass(frozen=True, slots=True)
class _Source:
    """What is being read: how its places are named, and what is an error.

    Attributes:
        error: Class of the errors.
        defaults: Whether a key may be left out where its field has a default.
        toml: Whether it is TOML: places are named as its tables are.
    """

    error: type[UnasError]
    defaults: bool
    toml: bool

    def inside(self, where: str, name: str) -> str:
        """The place of a table in a table: ``file [a]`` -> ``file [a.b]``; JSON: ``x.a.b``."""
        if not self.toml:
            return f"{where}.{name}"
        return f"{where[:-1]}.{name}]" if where.endswith("]") else f"{where} [{name}]"

    def row(self, where: str, name: str, index: int) -> str:
        """The place of an entry in an array."""
        if not self.toml:
            return f"{where}.{name}[{index}]"
        return f"{where} [[{name}]] #{index + 1}"

    @property
    def table(self) -> str:
        """What holds fields."""
        return "a table" if self.toml else "a JSON object"


def read_table(data: object, kind: type[_T], where: str) -> _T:
    """A dataclass from a TOML table; a key with a default may be left out.

    Args:
        data: The parsed table.
        kind: A dataclass.
        where: File and table, as ``file [table]``, for messages.

    Raises:
        ConfigError: An unknown or missing key, a wrong type, or a value that the dataclass refuses.
    """
    return _dataclass(data, kind, where, _Source(ConfigError, defaults=True, toml=True))


def read_object(
    data: object,
    kind: type[_T],
    where: str,
    *,
    error: type[UnasError] = StoreError,
    defaults: bool = False,
) -> _T:
    """A dataclass from a JSON object.

    Args:
        data: Parsed JSON.
        kind: A dataclass. A field whose type has ``from_json_dict`` is read by it.
        where: What it is, for messages.
        error: Class of the error that is raised.
        defaults: Whether a key may be left out where its field has a default.

    Raises:
        UnasError: Of that class: an unknown or missing key, a wrong type, a number that is not
            finite, or a value that the dataclass refuses.
    """
    return _dataclass(data, kind, where, _Source(error, defaults=defaults, toml=False))


def object_without(
    data: object, key: str, value: object, where: str, advice: str, error: type[UnasError]
) -> dict[str, Any]:
    """The rest of a JSON object that must hold ``key`` with this value: its schema, say.

    Raises:
        UnasError: Of the class ``error``: it is no object, or has another value; ``advice`` ends
            the message.
    """
    if not isinstance(data, Mapping):
        raise error(f"{where} is {shown(data)}; it must be a JSON object: {advice}")
    if type(data.get(key)) is not type(value) or data[key] != value:
        raise error(f"{where} has {key} {shown(data.get(key))}, not {value!r}; {advice}")
    return {name: inner for name, inner in data.items() if name != key}


def shown(value: object) -> str:
    """A value as messages show it: one line, and not too long."""
    return _SHORT.repr(value)


@functools.cache
def _schema(kind: Hashable) -> dict[str, tuple[Any, bool]]:
    """Type of each field, and whether it has a default."""
    hints = typing.get_type_hints(kind, include_extras=True)
    return {
        f.name: (hints[f.name], f.default is not MISSING or f.default_factory is not MISSING)
        for f in fields(cast(Any, kind))
    }


def _dataclass(data: object, kind: type[_T], where: str, source: _Source) -> _T:
    if not isinstance(data, Mapping):
        raise source.error(f"{where} is {shown(data)}; it must be {source.table}")
    known = _schema(kind)
    for key in data:
        if key not in known:
            near = near_names(str(key), known)
            raise source.error(f"{where}: unknown key {shown(key)}; {near}")
    values = {}
    for name, (hint, has_default) in known.items():
        if name in data:
            values[name] = _value(data[name], hint, where, name, source)
        elif not (has_default and source.defaults):
            raise source.error(f"{where}: {name!r} is missing; add it")
    try:
        return kind(**values)
    except UnasError as problem:
        raise source.error(f"{where}: {problem}") from problem


def _value(data: Any, kind: Any, where: str, name: str, source: _Source) -> Any:
    if typing.get_origin(kind) is Annotated:
        return _parsed(data, typing.get_args(kind)[1], where, name, source)
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        if data is None and not source.toml:  # TOML has no null: the key is left out
            return None
        (kind,) = [k for k in typing.get_args(kind) if k is not types.NoneType]
        return _value(data, kind, where, name, source)
    if not source.toml and hasattr(kind, "from_json_dict"):
        return _parsed(data, kind.from_json_dict, where, name, source)
    if is_dataclass(kind):
        return _dataclass(data, cast(type, kind), source.inside(where, name), source)
    origin = typing.get_origin(kind)
    if origin is tuple:
        return _tuple(data, kind, where, name, source)
    if origin is not None:
        return _mapping(data, typing.get_args(kind)[1], source.inside(where, name), source)
    if issubclass(kind, StrEnum):
        return _choice(data, kind, where, name, source)
    return _scalar(data, kind, where, name, source)


def _parsed(data: Any, parse: Any, where: str, name: str, source: _Source) -> Any:
    try:
        return parse(data)
    except UnasError as problem:
        raise source.error(f"{where}: {name!r}: {problem}") from problem
    except (OverflowError, RecursionError) as problem:
        raise source.error(f"{where}: {name!r} is {shown(data)}: {problem}; correct it") from (
            problem
        )


def _scalar(data: Any, kind: Any, where: str, name: str, source: _Source) -> Any:
    wanted = f"{where}: {name!r} is {shown(data)}; it must be {_NAMES[kind]}"
    if kind is float and type(data) is int:
        try:
            return float(data)
        except OverflowError as problem:
            raise source.error(f"{wanted} below 1e308") from problem
    if type(data) is not kind:  # bool is an int to isinstance, and no number in a file
        raise source.error(wanted)
    if kind is float and not source.toml and not math.isfinite(data):
        raise source.error(f"{wanted} that is finite")
    return data


def _tuple(data: Any, kind: Any, where: str, name: str, source: _Source) -> tuple[Any, ...]:
    if not isinstance(data, list):
        raise source.error(
            f"{where}: {name!r} is {shown(data)}; it must be an array, written [...]"
        )
    kinds = typing.get_args(kind)
    if kinds[-1] is Ellipsis:
        kinds = (kinds[0],) * len(data)
    if len(kinds) != len(data):
        raise source.error(f"{where}: {name!r}: {shown(data)} must have {len(kinds)} entries")
    return tuple(
        _dataclass(x, cast(type, k), source.row(where, name, i), source)
        if is_dataclass(k) and not hasattr(k, "from_json_dict")
        else _value(x, k, where, name if source.toml else f"{name}[{i}]", source)
        for i, (x, k) in enumerate(zip(data, kinds, strict=True))
    )


def _choice(data: Any, kind: type[StrEnum], where: str, name: str, source: _Source) -> StrEnum:
    try:
        return kind(data)
    except ValueError as problem:
        near = near_names(str(data), kind) if isinstance(data, str) else near_names("", kind)
        raise source.error(f"{where}: {name!r} is {shown(data)}; {near}") from problem


def _mapping(data: Any, kind: Any, where: str, source: _Source) -> dict[str, Any]:
    if not isinstance(data, Mapping):
        raise source.error(f"{where} is {shown(data)}; it must be {source.table}")
    if kind is Any:
        return _options(data, where, source)
    return {str(key): _value(value, kind, where, key, source) for key, value in data.items()}


def _options(data: Mapping[Any, Any], where: str, source: _Source) -> dict[str, Any]:
    """A free table: scalars and arrays of them, so that it can be written again."""
    for key, value in data.items():
        items = value if isinstance(value, list) else [value]
        if not all(isinstance(x, str | int | float | bool) for x in items):
            raise source.error(
                f"{where}: {key!r} is {shown(value)}; numbers, strings, true, false and arrays of "
                "them are possible here"
            )
    return {str(key): list(v) if isinstance(v, list) else v for key, v in data.items()}


def plain_table(value: object) -> dict[str, Any]:
    """A dataclass as TOML types, every default written out, absent values left out."""
    named = {name: getattr(value, name) for name in _schema(type(value))}
    return {name: _toml(inner) for name, inner in named.items() if inner is not None}


def _toml(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return plain_table(value)
    if isinstance(value, Mapping):
        return {key: _toml(value[key]) for key in sorted(value)}
    if isinstance(value, tuple | list):
        return [_toml(x) for x in value]
    return value.value if isinstance(value, StrEnum) else value


def plain_object(value: object, *, defaults: bool = True) -> dict[str, Any]:
    """A dataclass as a JSON object, in the order of its fields.

    Args:
        value: The dataclass. Fields that have ``to_json_dict`` are written by it.
        defaults: Whether fields are written that have their default.

    Raises:
        StoreError: A number is not finite: JSON has none.
    """
    return {
        f.name: _json(getattr(value, f.name))
        for f in fields(cast(Any, value))
        if defaults or f.default is MISSING or getattr(value, f.name) != f.default
    }


def _json(value: Any) -> Any:
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, float) and not math.isfinite(value):
        raise StoreError(f"{value} cannot be stored; leave a quantity out that is not known")
    if isinstance(value, tuple | list):
        return [_json(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _json(item) for key, item in value.items()}
    if hasattr(value, "to_json_dict"):
        return value.to_json_dict()
    return plain_object(value) if is_dataclass(value) else value
