"""C has the rule that Python has: a source with its header is a component; no circles."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# A definition begins at the margin; clang-format sees to that.
_DEFINITION = re.compile(
    r"^(?!static|typedef|struct|enum|#)\w[\w *]*?\b(\w+)\([^;{}]*\)\s*\{", re.M
)
_INCLUDE = re.compile(r'^#include "(?:.*/)?(\w+)\.h"', re.M)
_COMMENT = re.compile(r"/\*.*?\*/", re.S)
_STRING = re.compile(r'"(?:\\.|[^"\\\n])*"')


def uses(folder: Path) -> dict[str, set[str]]:
    """Components that each component includes or calls."""
    sources = [p for p in sorted(folder.rglob("*")) if p.suffix in (".c", ".h", ".cc")]
    text = {path: _COMMENT.sub("", path.read_text()) for path in sources}
    component = _components(sources, text)
    declared = {
        name
        for path in sources
        if path.suffix == ".h"
        for name in re.findall(r"\b(\w+)\([^;{}]*\);", text[path])
    }
    home = {
        name: component[path]
        for path in sources
        if path.suffix != ".h"
        for name in _DEFINITION.findall(text[path])
        if name in declared  # what is in no header is the file's own
    }
    graph: dict[str, set[str]] = defaultdict(set)
    for path in sources:
        used = {component[p] for p in sources if p.stem in _INCLUDE.findall(text[path])}
        if path.suffix != ".h":  # a header declares what others define
            called = re.findall(r"\b\w+(?=\()", _STRING.sub('""', text[path]))
            used |= {home[name] for name in called if name in home}
        graph[component[path]] |= used - {component[path]}
    return graph


def _components(sources: Sequence[Path], text: Mapping[Path, str]) -> dict[Path, str]:
    """A source without header belongs to the component that declares its functions, if any does."""
    stems = {path.stem for path in sources if path.suffix != ".h"}
    headers = [path for path in sources if path.suffix == ".h" and path.stem in stems]
    component = {path: path.stem for path in sources}
    for path in sources:
        if path.suffix != ".h" and not any(header.stem == path.stem for header in headers):
            for name in _DEFINITION.findall(text[path]):
                for header in headers:
                    if re.search(rf"\b{name}\(", text[header]):
                        component[path] = header.stem
    return component


@pytest.mark.parametrize(
    "folder",
    ["firmware_templates/src", "firmware_templates/runtime", "unas/virtual/native"],
)
def test_no_two_components_use_each_other(folder: str) -> None:
    graph = uses(ROOT / folder)
    assert len(graph) > 3
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"{folder}: {' -> '.join(reversed(error.args[1]))}")


def test_a_circle_is_seen(tmp_path: Path) -> None:
    (tmp_path / "a.h").write_text("void a(void);\n")
    (tmp_path / "a.c").write_text('#include "b.h"\nvoid a(void) {\n  b();\n}\n')
    (tmp_path / "b.h").write_text("void b(void);\n")
    (tmp_path / "b.c").write_text('#include "a.h"\nvoid b(void) {\n  a();\n}\n')
    assert uses(tmp_path) == {"a": {"b"}, "b": {"a"}}
