"""The house itself: sizes, names, words, as docs/architecture.md and docs/terminology.md say."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "unas"
SOURCES = sorted(PACKAGE.rglob("*.py"))
MOST_LINES = 400


def test_no_file_is_longer_than_four_hundred_lines() -> None:
    sizes = {path: len(path.read_text().splitlines()) for path in SOURCES}
    assert {path: lines for path, lines in sizes.items() if lines > MOST_LINES} == {}


def test_a_public_class_has_its_name_for_itself() -> None:
    """One word, one thing: whoever reads ``Plan`` need not ask which one."""
    homes: dict[str, list[str]] = defaultdict(list)
    for path in SOURCES:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(path.relative_to(ROOT).as_posix())
    assert {name: where for name, where in homes.items() if len(where) > 1} == {}


def words_of(identifier: str) -> list[str]:
    """``takenNetwork_of`` -> taken, network, of."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", identifier)]


@functools.cache
def vocabulary() -> dict[str, frozenset[str]]:
    """All names of each module, its own and its folder's among them."""
    return {
        path.relative_to(ROOT).as_posix(): frozenset(
            {*identifiers(path), path.stem, path.parent.name}
        )
        for path in SOURCES
    }


def identifiers(path: Path) -> Iterator[str]:
    """All names that a module gives or takes: definitions, arguments, variables, attributes."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.Attribute(attr=name):
                yield name
            case ast.Name(id=name) | ast.arg(arg=name):
                yield name
            case ast.keyword(arg=str(name)):
                yield name


def table_of_words() -> dict[str, str]:
    """The table of docs/terminology.md: the word that went, and what the field says."""
    text = (ROOT / "docs" / "terminology.md").read_text()
    section = text.split("## Words that went")[1]
    rows = re.findall(r"^\| `([a-z_]+)` \| (.+?) \|", section, re.MULTILINE)
    return dict(rows)


def test_the_table_of_words_is_read() -> None:
    assert {"takeaway", "doubt", "foreseen"} <= table_of_words().keys()
    assert words_of("_TakenNetwork2_forSeen") == ["taken", "network", "2", "for", "seen"]


@pytest.mark.parametrize("went", sorted(table_of_words()))
def test_words_that_went_are_gone(went: str) -> None:
    """From identifiers and from the names of files; the table says what the field says instead."""
    parts = went.split("_")
    found = defaultdict(list)
    for where, names in vocabulary().items():
        for name in names:
            words = words_of(name)
            if any(words[i : i + len(parts)] == parts for i in range(len(words))):
                found[where].append(name)
    assert dict(found) == {}, f"the field says: {table_of_words()[went]}"


def test_the_door_opens_without_anything_heavy() -> None:
    """``import unas`` answers at once: nothing is imported until it is used."""
    program = "import sys, unas; print(sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = set(ast.literal_eval(done.stdout))
    heavy = {"numpy", "pandas", "scipy", "tensorflow", "unicorn", "jinja2", "serial", "matplotlib"}
    assert loaded & heavy == set()
