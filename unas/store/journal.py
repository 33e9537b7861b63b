# SPDX-License-Identifier: Apache-2.0
"""The journal of a study: JSON lines, appended and never changed.

The first line says which study it is, each later one holds a record or a final training. A line is
on the disk when ``append`` returns. What a killed process was just writing is a last line without
its end: it is cut off when the study goes on. Any other damage is an error that names the line.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import filelock

from unas._text import parse_json
from unas.config import StudyConfig
from unas.config.load import study_from_dict
from unas.config.study import table_digest
from unas.errors import ConfigError, StoreError
from unas.record import FinalTraining, Record


class Journal:
    """Open for appending; one process at a time."""

    def __init__(self, path: Path, study: StudyConfig, *, resume: bool = False) -> None:
        """Begin a journal, or go on with one.

        Args:
            path: The file; its folder is made.
            study: What is being searched.
            resume: Whether an existing journal goes on. One without a whole line begins anew.

        Raises:
            StoreError: There is a journal but ``resume`` is false, it is of another study, damaged
                or being written to by another process, or the place cannot be written.
        """
        self._path = path
        self._lock = filelock.FileLock(path.with_name(f".{path.name}.lock"), timeout=0)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except filelock.Timeout as error:
            raise StoreError(
                f"{path} is being written to by another process; wait for it or end it"
            ) from error
        except OSError as error:
            raise _unwritable(path, error) from error
        try:
            self.content = self._begin(study, resume)
        except BaseException:
            self._lock.release()
            raise

    def append(self, entry: Record | FinalTraining) -> None:
        """Write one line; it is on the disk when this returns.

        Raises:
            StoreError: The disk refuses, or a number in the entry is not finite.
        """
        kind = "record" if isinstance(entry, Record) else "final"
        self._write(_line({"kind": kind, **entry.to_json_dict()}))

    def close(self) -> None:
        """Let others write; closing twice is fine."""
        if not self._stream.closed:
            self._stream.close()
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _begin(self, study: StudyConfig, resume: bool) -> JournalContent:
        content = None
        if self._path.exists():
            if not resume:
                raise StoreError(
                    f"{self._path} holds a search already; go on with --resume, or move it away"
                )
            content = read_whole_lines(self._path)
        if content is not None:
            _check_same(self._path, content.study, study)
        try:
            self._stream = self._path.open("ab", buffering=0)
            self._whole_bytes = 0 if content is None else content.whole_bytes
            self._stream.truncate(self._whole_bytes)
            _sync_folder(self._path.parent)
        except OSError as error:
            raise _unwritable(self._path, error) from error
        if content is None:
            self._write(_line(journal_header(study)))
            content = JournalContent(study.portable, (), (), self._whole_bytes)
        return content

    def _write(self, line: bytes) -> None:
        left = memoryview(line)
        try:
            while left:
                left = left[self._stream.write(left) :]
            os.fsync(self._stream.fileno())
        except OSError as error:
            with contextlib.suppress(OSError):  # a full disk must not leave half a line in between
                self._stream.truncate(self._whole_bytes)
            raise _unwritable(self._path, error) from error
        self._whole_bytes += len(line)


def _check_same(path: Path, theirs: StudyConfig, ours: StudyConfig) -> None:
    changed = [
        f"[{table}]{key and ' '}{key}"
        for table, key in _differing(theirs.evaluation_settings(), ours.evaluation_settings())
    ]
    if not changed:
        return
    raise StoreError(
        f"{path} is of another study: {', '.join(changed)} differ; undo that, or begin a new study "
        "under another name"
    )


def _differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Tables and keys; a table that only one of them has stands without a key."""
    result = []
    for table in sorted(a.keys() | b.keys()):
        if table in a and table in b and isinstance(a[table], dict):
            one, other = a[table], b[table]
            keys = sorted(one.keys() | other.keys())
            result += [(table, key) for key in keys if one.get(key) != other.get(key)]
        elif a.get(table) != b.get(table):
            result.append((table, ""))
    return result


def _line(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"


def _sync_folder(folder: Path) -> None:
    """Without it a new file's name may be lost with the power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unwritable(path: Path, error: OSError) -> StoreError:
    return StoreError(f"cannot write {path}: {error.strerror}; check the disk and the directory")


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
    word = data.pop("kind", None)
    kind = kinds.get(word) if isinstance(word, str) else None
    if kind is None:
        raise _damaged(path, number, "it is neither a record nor a final training")
    try:
        return kind.from_json_dict(data)
    except StoreError as error:
        raise _damaged(path, number, str(error)) from error


def _object(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        data = parse_json(line, "it")
    except StoreError as error:
        raise _damaged(path, number, str(error)) from error
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


def _damaged(path: Path, number: int, what: str) -> StoreError:
    return StoreError(
        f"{path}, line {number}: {what}; restore the file, or cut it before that line to search on"
    )
