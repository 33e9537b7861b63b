# SPDX-License-Identifier: Apache-2.0
"""What a journal says, line by line; see ``unas.store.journal``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from unas.config import StudyConfig
from unas.config.load import study_from_dict
from unas.config.study import table_digest
from unas.errors import ConfigError, StoreError
from unas.record import FinalTraining, Record

JOURNAL_SCHEMA = 1
_HEADER_KEYS = {"kind", "schema", "config_sha256", "seed", "study"}


@dataclass(frozen=True, slots=True)
class JournalContent:
    """What a journal holds.

    Attributes:
        study: The study as it was when the journal began, without places on that machine.
        records: In the order they were appended.
        finals: Final trainings, likewise.
        whole_bytes: Length of the file up to the end of its last whole line.
    """

    study: StudyConfig
    records: tuple[Record, ...]
    finals: tuple[FinalTraining, ...]
    whole_bytes: int


def read_journal(path: Path) -> JournalContent:
    """All whole lines of a journal, also of one that is being written; nothing is changed.

    Raises:
        StoreError: There is none, or it is damaged; names the line.
    """
    content = read_whole_lines(path)
    if content is None:
        raise StoreError(f"{path} has no whole line; the search ended before it began, run it anew")
    return content


def read_whole_lines(path: Path) -> JournalContent | None:
    """The same; None where there is no whole line.

    Raises:
        StoreError: The file cannot be read, or is damaged; names the line.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StoreError(
            f"cannot read the journal {path}: {error.strerror}; check the path"
        ) from error
    whole = data[: data.rfind(b"\n") + 1]
    lines = whole.split(b"\n")[:-1]
    if not lines:
        return None
    study = _study(_object(path, 1, lines[0]), path)
    records: list[Record] = []
    finals: list[FinalTraining] = []
    numbers: dict[int, int] = {}
    for number, line in enumerate(lines[1:], start=2):
        entry = _entry(path, number, line)
        if isinstance(entry, FinalTraining):
            finals.append(entry)
            continue
        if entry.index in numbers:
            first = numbers[entry.index]
            raise _damaged(path, number, f"record {entry.index} stands in line {first} too")
        numbers[entry.index] = number
        records.append(entry)
    return JournalContent(study, tuple(records), tuple(finals), len(whole))


def _entry(path: Path, number: int, line: bytes) -> Record | FinalTraining:
    data = _object(path, number, line)
    kinds: dict[object, type[Record] | type[FinalTraining]] = {
        "record": Record,
        "final": FinalTraining,
    }
    kind = kinds.get(data.pop("kind", None))
    if kind is None:
        raise _damaged(path, number, "it is neither a record nor a final training")
    try:
        return kind.from_json_dict(data)
    except StoreError as error:
        raise _damaged(path, number, str(error)) from error


def _object(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        data = json.loads(line, parse_constant=_no_number)
    except ValueError as error:  # also of bytes that are no UTF-8
        raise _damaged(path, number, f"it is no JSON ({error})") from error
    if not isinstance(data, dict):
        raise _damaged(path, number, "it is no JSON object")
    return data


def journal_header(study: StudyConfig) -> dict[str, Any]:
    """The first line of a study's journal; places on this machine are left out."""
    return {
        "kind": "study",
        "schema": JOURNAL_SCHEMA,
        "config_sha256": study.digest,
        "seed": study.search.seed,
        "study": study.portable.to_dict(),
    }


def _study(header: Mapping[str, Any], path: Path) -> StudyConfig:
    head = header.get("kind"), header.get("schema")
    if head != ("study", JOURNAL_SCHEMA) or set(header) != _HEADER_KEYS:
        raise _damaged(path, 1, f"it is no journal's header of schema {JOURNAL_SCHEMA}")
    table = header["study"]
    if not isinstance(table, Mapping):
        raise _damaged(path, 1, "it holds no study")
    if table_digest(table) != header["config_sha256"]:
        raise _damaged(path, 1, "its digest is not that of the study in it")
    try:
        study = study_from_dict(table, str(path), path.parent.name)
    except ConfigError as error:
        raise _damaged(path, 1, str(error)) from error
    if study.search.seed != header["seed"]:
        raise _damaged(path, 1, "its seed is not that of the study in it")
    return study


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON")


def _damaged(path: Path, number: int, what: str) -> StoreError:
    return StoreError(
        f"{path}, line {number}: {what}; restore the file, or cut it before that line to search on"
    )
