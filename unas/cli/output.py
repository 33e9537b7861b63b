# SPDX-License-Identifier: Apache-2.0
"""What all commands share on the terminal: formats, tables, notes."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any


class Format(StrEnum):
    """How data is printed."""

    TABLE = "table"
    JSON = "json"


def print_json(data: Any) -> None:
    """Data on standard output, for programs."""
    sys.stdout.write(json.dumps(data, indent=2) + "\n")


def print_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, dense: bool = False
) -> None:
    """A table on standard output; every column but the first is a number and stands right.

    Args:
        title: Above it.
        columns: Their names.
        rows: A cell per column.
        dense: One blank between columns instead of two: for many columns on 80 characters.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # Names of files and networks are no markup: a Text shows "[x]" as it is.
    table = Table(title=Text(title, "bold"), box=box.SIMPLE_HEAD, title_justify="left")
    table.collapse_padding = dense
    for index, name in enumerate(columns):
        table.add_column(
            Text(name), justify="right" if index else "left", overflow="fold", no_wrap=not index
        )
    for row in rows:
        table.add_row(*map(Text, row))
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def print_pairs(title: str, pairs: Mapping[str, str]) -> None:
    """Name and value, a line each."""
    width = max(map(len, pairs))
    lines = [f"  {name:<{width}}  {value}" for name, value in pairs.items()]
    sys.stdout.write("\n".join([title, *lines]) + "\n")


def note(text: str) -> None:
    """A line for people, on standard error: standard output is for data."""
    sys.stderr.write(text + "\n")
