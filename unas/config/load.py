# SPDX-License-Identifier: Apache-2.0
"""Reads study files."""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from unas._codec import near_names, read_table
from unas._text import parse_toml
from unas.config.study import CONSTRAINT_KEYS, SCHEMA, StudyConfig
from unas.constraints import Constraints
from unas.errors import ConfigError
from unas.units import parse_bytes, parse_microseconds

_NAME_MARKS = " ._+-"


def load_study(path: Path | str) -> StudyConfig:
    """Read a study file; its stem is the study's name unless the file says another.

    Raises:
        ConfigError: The file cannot be read, or has unknown, missing or wrong entries.

    Example:
        >>> import unas
        >>> study = unas.load_study("configs/digits_f746.toml")
        >>> study.name, study.board.id, study.search.trainings
        ('digits_f746', 'f746', 60)
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        near = next((place for place in _meant(path) if place.is_file()), None)
        hint = f"there is {near}" if near else "give the path of a .toml file"
        raise ConfigError(f"cannot read the study {path}: {error.strerror}; {hint}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8: {error.reason}; save it as UTF-8") from error
    return study_from_toml(text, str(path), path.stem)


def _meant(path: Path) -> tuple[Path, ...]:
    """Files that a name without folder or ending may stand for."""
    file = path.name.removesuffix(".toml") + ".toml"
    return path.parent / file, path.parent / "configs" / file


def study_from_toml(text: str, where: str, name: str) -> StudyConfig:
    """A study from TOML text.

    Args:
        text: The file's content.
        where: The file, for messages.
        name: Of the study, unless the text says another.

    Raises:
        ConfigError: Unknown, missing or wrong entries.
    """
    return study_from_dict(parse_toml(text, where), where, name)


def study_from_dict(data: Mapping[str, Any], where: str, name: str) -> StudyConfig:
    """A study from parsed TOML; the inverse of ``StudyConfig.to_dict``.

    Raises:
        ConfigError: Unknown, missing or wrong entries.
    """
    known = {f.name: f for f in fields(StudyConfig)}
    for key in data:
        if key not in known and key != "schema":
            raise ConfigError(
                f"{where}: unknown table or key {key!r}; {near_names(key, [*known, 'schema'])}"
            )
    schema = data.get("schema", SCHEMA)
    if type(schema) is not int or schema != SCHEMA:
        raise ConfigError(f"{where}: 'schema' is {schema!r}; this version of unas reads {SCHEMA}")
    values: dict[str, Any] = {"name": _name(data.get("name", name), where)}
    hints = typing.get_type_hints(StudyConfig)
    for key, field in known.items():
        if key in data and key == "constraints":
            values[key] = _constraints(data[key], f"{where} [{key}]")
        elif key in data and key != "name":
            kind = next((k for k in typing.get_args(hints[key]) if k is not type(None)), hints[key])
            values[key] = read_table(data[key], kind, f"{where} [{key}]")
        elif key != "name" and field.default is MISSING and field.default_factory is MISSING:
            raise ConfigError(f"{where}: the table [{key}] is missing; add it")
    try:
        return StudyConfig(**values)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def _name(name: object, where: str) -> str:
    # It names a folder, and stands in tables, figures and commands: nothing that means more there.
    plain = isinstance(name, str) and all(c.isalnum() or c in _NAME_MARKS for c in name)
    if not isinstance(name, str) or not plain or not any(map(str.isalnum, name)):
        raise ConfigError(
            f"{where}: the name of the study is {name!r}; give it letters, digits, spaces and "
            f'{" ".join(_NAME_MARKS.strip())} only: name = "…" in the file, or --name'
        )
    return name


def _constraints(data: object, where: str) -> Constraints:
    if not isinstance(data, Mapping):
        raise ConfigError(f"{where} is {data!r}; it must be a table")
    values = {}
    for key, value in data.items():
        if key not in CONSTRAINT_KEYS:
            raise ConfigError(f"{where}: unknown key {key!r}; {near_names(key, CONSTRAINT_KEYS)}")
        try:
            bound = _PARSERS[key](value)
            float(bound)  # one that has no float is compared with nothing
            values[CONSTRAINT_KEYS[key]] = bound
        except ConfigError as error:
            raise ConfigError(f"{where}: {key!r}: {error}") from error
        except OverflowError as error:
            raise ConfigError(f"{where}: {key!r} is too large; correct it") from error
    try:
        return Constraints(**values)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def _share(value: object) -> float:
    if type(value) not in (int, float) or not 0 < typing.cast(float, value) <= 1:
        raise ConfigError(f"{value!r} is no share of wrong answers; give one above 0, at most 1")
    return float(typing.cast(float, value))


def _count(value: object) -> int:
    if type(value) is not int:
        raise ConfigError(f"{value!r} is no whole number; give one")
    return value


def _microseconds(value: object) -> float:
    if type(value) is float:
        return value
    return parse_microseconds(typing.cast(Any, value))


_PARSERS: dict[str, Callable[[Any], Any]] = {
    "error": _share,
    "peak_memory": parse_bytes,
    "model_size": parse_bytes,
    "macs": _count,
    "latency": _microseconds,
}
