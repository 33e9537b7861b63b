# SPDX-License-Identifier: Apache-2.0
"""All that makes a firmware but its models."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

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
        """(path in the project, template file) of everything that is copied, sorted."""
        root = templates_dir()
        port = root / "ports" / self.board.port
        if not port.is_dir():
            raise ConfigError(
                f"board {self.board.id} wants port {self.board.port!r}, which is not in "
                f"{root / 'ports'}; write it or correct 'port'"
            )
        rooms = (
            ("include", root / "include"),
            ("src", root / "src"),
            ("src/port", root / "ports" / "armv7m"),  # what all ports to such cores share
            ("src/port", port),
            ("src/runtime", root / self.runtime.room),
        )
        for place, room in rooms:
            for path in sorted(room.rglob("*")):
                if path.suffix in _COPIED:
                    yield f"{place}/{path.relative_to(room).as_posix()}", path

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
        root, library = templates_dir(), self.runtime.library
        files = [*self.sources(), *((name, root / name) for _, name in self.templates())]
        files += [
            (f"platform/{path.name}", path)
            for path in sorted((root / "platform").rglob("*"))
            if path.suffix in (".py", ".json")
        ]
        texts = {
            "board": self.board.file_sha256,
            "compiler": self.compiler,
            "runtime": self.runtime.name,
            "library": "" if library is None else f"{library.digest} {library.revision}",
            "flags": " ".join(self.flags),
            "stack": str(STACK_BYTES),
        }
        parts = [(name, path.read_bytes()) for name, path in files]
        parts += [(name, text.encode()) for name, text in texts.items()]
        digest = hashlib.sha256()
        for name, content in parts:
            digest.update(json.dumps([name, hashlib.sha256(content).hexdigest()]).encode())
        return digest.hexdigest()

    def image_hash(self, models: Sequence[Flatbuffer]) -> str:
        """Hex digest over the firmware and its models in order."""
        names = [self.firmware_hash, *(model.sha256 for model in models)]
        return hashlib.sha256(json.dumps(names).encode()).hexdigest()
