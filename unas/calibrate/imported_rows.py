# SPDX-License-Identifier: Apache-2.0
"""Rows of a CSV of measurements: cells as numbers and words, with errors that name the cell."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from unas.errors import StoreError

Word = TypeVar("Word", bound=StrEnum)
_MOST = 2**31 - 1
_TRUTH = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the file.

    Attributes:
        where: Names the line in messages.
        cells: By column; empty cells are left out.
    """

    where: str
    cells: Mapping[str, str]

    def wrong(self, column: str, what: str) -> StoreError:
        """An error that names the cell; to be raised by the caller."""
        found = f" is {self.cells[column]!r}" if column in self.cells else " is empty"
        return StoreError(f"{self.where}, column {column!r}{found}: {what}")

    def text(self, column: str, default: str | None = None) -> str:
        """A cell as it stands.

        Raises:
            StoreError: It is empty and there is no default.
        """
        if column not in self.cells and default is None:
            raise self.wrong(column, "fill it in")
        return self.cells.get(column, default or "")

    def whole(self, column: str, default: int | None = None, least: int = 1) -> int:
        """A whole number.

        Raises:
            StoreError: It is none, too small, or missing without default.
        """
        if column not in self.cells and default is not None:
            return default
        number = self.number(column, least)
        if number != int(number):
            raise self.wrong(column, "give a whole number")
        return int(number)

    def number(self, column: str, least: float = 0.0) -> float:
        """A number.

        Raises:
            StoreError: It is none, missing, infinite or too small.
        """
        text = self.text(column)
        try:
            number = float(text)
        except ValueError as error:
            raise self.wrong(column, "give a number, with a point for fractions") from error
        if not least <= number <= _MOST:
            raise self.wrong(column, f"give a number from {least:g} to {_MOST}")
        return number

    def flag(self, column: str) -> bool:
        """1, true, yes, or 0, false, no; empty means no.

        Raises:
            StoreError: It is none of these.
        """
        text = self.text(column, "no").lower()
        if text not in _TRUTH:
            raise self.wrong(column, "write 1 or 0")
        return _TRUTH[text]

    def word(self, column: str, kind: type[Word], default: Word | None = None) -> Word:
        """One of an enumeration's values, in upper or lower case as there.

        Raises:
            StoreError: It is none of them, or missing without default.
        """
        text = self.text(column, default)
        known = {str(value).lower(): value for value in kind}
        if text.lower() not in known:
            raise self.wrong(column, near(text, [str(value) for value in kind]))
        return known[text.lower()]


def near(name: str, known: Sequence[str]) -> str:
    """What may have been meant, or all there is."""
    folded = {word.lower(): word for word in known}
    found = difflib.get_close_matches(name.lower(), folded, n=3)
    if found:
        return f"did you mean {' or '.join(folded[word] for word in found)}?"
    return f"known: {', '.join(known)}"


def read_rows(path: Path, columns: Sequence[str]) -> tuple[Row, ...]:
    """The rows of a CSV file whose first line names its columns; lines with # are comments.

    Args:
        path: UTF-8, comma-separated, quoted as RFC 4180 says.
        columns: All that may occur.

    Raises:
        StoreError: It cannot be read, has no rows, a line has too many cells, or a column is
            unknown or named twice.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"cannot read {path}: {error}; give a CSV file in UTF-8") from error
    numbered = [
        (number, line)
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if len(numbered) < 2:
        raise StoreError(f"{path} has no rows below its header; add measurements")
    try:
        table = list(csv.reader((line for _, line in numbered), strict=True))
    except csv.Error as error:
        raise StoreError(f"{path} is no CSV file: {error}; correct its quotes") from error
    if len(table) != len(numbered):
        raise StoreError(f"{path} has cells of several lines; write each row on one line")
    header = [name.strip() for name in table[0]]
    _check_header(header, columns, f"{path}, line {numbered[0][0]}")
    return tuple(
        _row(f"{path}, line {number}", header, cells)
        for (number, _), cells in zip(numbered[1:], table[1:], strict=True)
    )


def _check_header(header: Sequence[str], columns: Sequence[str], where: str) -> None:
    for name in header:
        if name not in columns:
            raise StoreError(f"{where}: unknown column {name!r}; {near(name, columns)}")
        if header.count(name) > 1:
            raise StoreError(f"{where}: the column {name!r} stands there twice; leave one out")


def _row(where: str, header: Sequence[str], cells: Sequence[str]) -> Row:
    if len(cells) != len(header):
        raise StoreError(
            f"{where} has {len(cells)} cells and the header {len(header)} columns; "
            "give every row as many, empty ones included"
        )
    named = zip(header, cells, strict=True)
    return Row(where, {name: cell.strip() for name, cell in named if cell.strip()})
