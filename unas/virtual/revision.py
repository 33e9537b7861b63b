# SPDX-License-Identifier: Apache-2.0
"""Which virtual boards these are: a digest of what in their sources can change a number."""

from __future__ import annotations

import ast
import functools
import hashlib
import re
from pathlib import Path

_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_DIGITS = 16


@functools.cache
def sources_digest(folder: Path = Path(__file__).parent) -> str:
    """Hex digest of the code in a folder, by default of this package, whatever files are called.

    Imports, docstrings and comments do not count: a module that moves changes no number.
    """
    files = (p for p in folder.rglob("*") if p.suffix in (".py", ".c", ".h"))
    digests = sorted(hashlib.sha256(_code(path).encode()).hexdigest() for path in files)
    return hashlib.sha256("".join(digests).encode()).hexdigest()[:_DIGITS]


def _code(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        lines = [line for line in _COMMENT.sub(" ", text).splitlines() if "#include" not in line]
        return "\n".join(" ".join(line.split()) for line in lines if line.strip())
    tree = ast.parse(text)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [child for child in body if not _is_idle(child)]  # type: ignore[attr-defined]
    return ast.dump(tree)


def _is_idle(node: ast.AST) -> bool:
    is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return is_text or isinstance(node, ast.Import | ast.ImportFrom)
