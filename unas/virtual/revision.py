# SPDX-License-Identifier: Apache-2.0
"""Which virtual boards these are: a digest of what in their sources can change a number."""

from __future__ import annotations

import ast
import functools
import hashlib
import re
from pathlib import Path

_DIGITS = 16
# C comments, and literals, in which nothing is a comment.
_C_TOKEN = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'", re.DOTALL)
_C_INCLUDE = re.compile(r"^[ \t]*#[ \t]*include\b[^\n]*$", re.MULTILINE)


@functools.cache
def sources_digest(folder: Path = Path(__file__).parent) -> str:
    """Hex digest of the code in a folder, by default of this package, whatever files are called.

    Imports, docstrings, comments and formatting do not count: a module that moves changes no
    number. It is the same in every version of Python.
    """
    files = (p for p in folder.rglob("*") if p.suffix in (".py", ".c", ".h"))
    texts = (_meaning(path) for path in files)
    digests = sorted(hashlib.sha256(text.encode()).hexdigest() for text in texts if text)
    return hashlib.sha256("".join(digests).encode()).hexdigest()[:_DIGITS]


def _meaning(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    return _python(text) if path.suffix == ".py" else _c(text)


def _python(text: str) -> str:
    return "".join(_dump(statement) for statement in ast.parse(text).body)


def _dump(node: object) -> str:
    """``ast.dump`` without docstrings, imports and empty fields, the same in every Python."""
    if isinstance(node, ast.Import | ast.ImportFrom) or _is_text_alone(node):
        return ""
    if isinstance(node, ast.AST):
        fields = ((name, _dump(value)) for name, value in ast.iter_fields(node))
        inside = ",".join(f"{name}={text}" for name, text in fields if text)
        return f"{type(node).__name__}({inside})"
    if isinstance(node, list):  # None in it has a place of its own: a parameter without default
        inside = ",".join(filter(None, ("-" if item is None else _dump(item) for item in node)))
        return f"[{inside}]" if inside else ""
    return "" if node is None else repr(node)


def _is_text_alone(node: object) -> bool:
    """Whether it is a docstring, of whatever."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _c(text: str) -> str:
    plain = _C_TOKEN.sub(lambda token: " " if token[0].startswith("/") else token[0], text)
    return " ".join(_C_INCLUDE.sub(" ", plain).split())
