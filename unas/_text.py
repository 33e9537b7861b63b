# SPDX-License-Identifier: Apache-2.0
"""JSON and TOML text to plain types; plain types to TOML text, which the library only reads."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from unas.errors import ConfigError, StoreError, UnasError

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def parse_json(text: str | bytes, where: str, error: type[UnasError] = StoreError) -> Any:
    """JSON text as plain types.

    Args:
        text: One JSON value; bytes are UTF-8.
        where: File, or file and line, for messages.
        error: Class of the error that is raised.

    Raises:
        UnasError: Of that class: no JSON, NaN or an infinity in it, or nested too deeply.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except ValueError as problem:  # also of bytes that are no UTF-8
        raise error(f"{where} is no valid JSON ({problem})") from problem
    except RecursionError as problem:
        raise error(f"{where} is no valid JSON (nested too deeply)") from problem


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON")


def read_json_file(path: Path, advice: str, error: type[UnasError] = StoreError) -> Any:
    """A file of JSON as plain types.

    Args:
        path: The file.
        advice: What to do where it cannot be read: the end of the message.
        error: Class of the error that is raised.

    Raises:
        UnasError: Of that class, naming the file: it cannot be read, or is no JSON.
    """
    try:
        return parse_json(path.read_bytes(), str(path), error)
    except OSError as problem:
        raise error(f"cannot read {path}: {problem.strerror}; {advice}") from problem
    except error as problem:
        raise error(f"{problem}; {advice}") from problem


def parse_toml(text: str, where: str) -> dict[str, Any]:
    """TOML text as plain types.

    Raises:
        ConfigError: It is no TOML, or nested too deeply; names ``where``.
    """
    try:
        return tomllib.loads(text)
    except ValueError as problem:
        raise ConfigError(f"{where} is no valid TOML: {problem}; correct it") from problem
    except RecursionError as problem:
        raise ConfigError(
            f"{where} is no valid TOML: it is nested too deeply; correct it"
        ) from problem


def toml_text(data: Mapping[str, Any]) -> str:
    """TOML of nested tables; reading it gives equal data.

    Args:
        data: Strings, whole numbers, finite floats, truth values, lists of these, and dictionaries,
            which become tables; lists of dictionaries become arrays of tables.
    """
    return "\n".join(_lines(data, ())).lstrip("\n") + "\n"


def _lines(data: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    tables = {key: value for key, value in data.items() if _is_table(value) or _is_rows(value)}
    plain = {key: value for key, value in data.items() if key not in tables}
    if path and (plain or not data):
        yield f"\n[{_dotted(path)}]"
    yield from _values(plain)
    for key, value in tables.items():
        if _is_table(value):
            yield from _lines(value, (*path, key))
            continue
        for row in value:
            yield f"\n[[{_dotted((*path, key))}]]"
            yield from _values(row)


def _values(plain: Mapping[str, Any]) -> Iterator[str]:
    return (f"{_key(key)} = {_literal(value)}" for key, value in plain.items())


def _is_table(value: object) -> bool:
    return isinstance(value, Mapping)


def _is_rows(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_table, value))


def _dotted(path: tuple[str, ...]) -> str:
    return ".".join(map(_key, path))


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _string(name)


def _string(text: str) -> str:
    # JSON's escapes are TOML's, but for the one character that JSON leaves as it is.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    return repr(value)
