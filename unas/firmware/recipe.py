# SPDX-License-Identifier: Apache-2.0
"""All that makes a firmware but its models."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from unas._paths import templates_dir
from unas.artifact import Flatbuffer
from unas.board import Board
from unas.errors import ConfigError
from unas.firmware.runtimes import BUILTIN, Runtime

# No -ffreestanding, no -fno-builtin: they turn 4-byte memcpy into calls, 2.8 times slower.
BUILD_FLAGS = ("-std=c11", "-O2", "-DNDEBUG", "-g", "-ffunction-sections", "-fdata-sections")
# For our sources only: what others write is not ours to judge.
WARNING_FLAGS = ("-Wall", "-Wextra", "-Werror", "-Wshadow", "-Wundef", "-Wdouble-promotion")
COMPILE_FLAGS = BUILD_FLAGS + WARNING_FLAGS
# The firmware has no unwinder, no heap, and one thread; nothing is ever destroyed.
CXX_FLAGS = (
    *("-std=c++17", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics"),
    *("-fno-use-cxa-atexit", "-fno-unwind-tables", "-fno-asynchronous-unwind-tables"),
)
STACK_BYTES = 8192
# (path in the project, template) of what every firmware has; the board's own name is added.
TEMPLATES = (
    ("platformio.ini", "platformio.ini.j2"),
    ("linker.ld", "linker.ld.j2"),
    ("src/image.c", "src/image.c.j2"),
    ("src/model_data.c", "src/model_data.c.j2"),
)
_COPIED = frozenset((".c", ".cc", ".h", ".S"))
_NOT_FIRMWARE = ("host", "test")


def template_digests() -> dict[str, str]:
    """SHA-256 of each template file that a firmware may be made of, by its path, sorted."""
    root = templates_dir()
    result = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root)
        if name.parts[0] == "platform":
            wanted = path.suffix in (".py", ".json")
        else:
            wanted = name.parts[0] not in _NOT_FIRMWARE and path.suffix in (*_COPIED, ".j2")
        if wanted:
            result[name.as_posix()] = _sha256(path.read_bytes())
    return result


def template_digest(digests: Mapping[str, str]) -> str:
    """Hex digest of ``template_digests``' result."""
    return _sha256(json.dumps(sorted(digests.items())).encode())


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that makes a firmware but its models.

    Attributes:
        board: Kind of board.
        compiler: Version line of the compiler: part of the firmware's identity.
        runtime: What runs the models.
    """

    board: Board
    compiler: str
    runtime: Runtime = BUILTIN

    def sources(self) -> Iterator[tuple[str, Path]]:
        """(path in the project, template file) of everything that is copied, sorted.

        Raises:
            ConfigError: There is no port of that name.
        """
        root = templates_dir()
        port = root / "ports" / self.board.port
        if not port.is_dir():
            raise ConfigError(
                f"board {self.board.id} wants port {self.board.port!r}, which is not in "
                f"{root / 'ports'}; write it or correct 'port'"
            )
        for name, template in self._copied(template_digests()):
            yield name, root / template

    def _copied(self, templates: Iterable[str]) -> Iterator[tuple[str, str]]:
        """(path in the project, template) of what is copied out of these templates."""
        port = self.board.port
        rooms = (
            ("include", "include"),
            ("src", "src"),
            ("src/port", "ports/armv7m"),  # what all ports to such cores share
            ("src/port", f"ports/{port}"),
            ("src/runtime", self.runtime.source_dir),
        )
        for place, source_dir in rooms:
            inside = (
                PurePosixPath(name).relative_to(source_dir)
                for name in templates
                if name.startswith(f"{source_dir}/")
            )
            for path in sorted(path for path in inside if path.suffix in _COPIED):
                yield f"{place}/{path}", f"{source_dir}/{path}"

    def templates(self) -> tuple[tuple[str, str], ...]:
        """(path in the project, template) of everything that is rendered."""
        board = (f"boards/{self.board.id}.json", "board.json.j2")
        return (*TEMPLATES, board, *self.runtime.templates)

    @property
    def flags(self) -> tuple[str, ...]:
        """All compile flags, as the device tells them."""
        cxx = () if self.runtime.library is None else CXX_FLAGS
        return (*self.board.cpu_flags, *COMPILE_FLAGS, *self.runtime.flags, *cxx)

    @property
    def firmware_hash(self) -> str:
        """Hex digest over sources, templates, board, runtime, flags and compiler, not the models.

        Another runtime is another firmware: so stored measurements of two of them never mix.
        """
        return self.hash_of(self.selected(template_digests()))

    def selected(self, templates: Mapping[str, str]) -> list[tuple[str, str]]:
        """(name, SHA-256) of all files of this firmware, out of all templates by their path."""
        copied = [(name, templates[template]) for name, template in self._copied(templates)]
        rendered = [(template, templates[template]) for _, template in self.templates()]
        platform = [
            (f"platform/{path.name}", templates[str(path)])
            for path in sorted(map(PurePosixPath, templates))
            if path.parts[0] == "platform"
        ]
        return copied + rendered + platform

    def hash_of(self, files: Iterable[tuple[str, str]]) -> str:
        """``firmware_hash`` of these files under this board, runtime, flags and compiler."""
        library = self.runtime.library
        texts = {
            "board": self.board.file_sha256,
            "compiler": self.compiler,
            "runtime": self.runtime.name,
            "library": "" if library is None else f"{library.digest} {library.revision}",
            "flags": " ".join(self.flags),
            "stack": str(STACK_BYTES),
        }
        parts = [*files, *((name, _sha256(text.encode())) for name, text in texts.items())]
        digest = hashlib.sha256()
        for name, content in parts:
            digest.update(json.dumps([name, content]).encode())
        return digest.hexdigest()

    def image_hash(self, models: Sequence[Flatbuffer]) -> str:
        """Hex digest over the firmware and its models in order."""
        names = [self.firmware_hash, *(model.sha256 for model in models)]
        return hashlib.sha256(json.dumps(names).encode()).hexdigest()
