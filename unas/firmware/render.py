# SPDX-License-Identifier: Apache-2.0
"""A PlatformIO project from the templates, a board and models."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2

from unas._resources import templates_dir
from unas.artifact import Flatbuffer
from unas.board import Board, MemoryRegion
from unas.errors import ConfigError
from unas.firmware.c_array import c_initialiser

# No -ffreestanding, no -fno-builtin: they turn 4-byte memcpy into calls, 2.8 times slower.
COMPILE_FLAGS = (
    *("-std=c11", "-O2", "-DNDEBUG", "-g", "-ffunction-sections", "-fdata-sections"),
    *("-Wall", "-Wextra", "-Werror", "-Wshadow", "-Wundef", "-Wdouble-promotion"),
)
STACK_BYTES = 8192
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PROBE = re.compile(r"[0-9A-Za-z]{0,64}")


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that makes a firmware but its models.

    Attributes:
        board: Kind of board.
        runtime: Directory of the runtime below ``firmware_templates``.
        compiler: Version line of the compiler: part of the firmware's identity.
    """

    board: Board
    compiler: str
    runtime: str = "runtime"

    def sources(self) -> Iterator[tuple[str, Path]]:
        """(path in the project, template file) of everything that is copied, sorted."""
        root = templates_dir()
        rooms = {
            "src": root / "src",
            "include": root / "include",
            "src/runtime": root / self.runtime,
            "src/port": root / "ports" / self.board.port,
        }
        if not rooms["src/port"].is_dir():
            raise ConfigError(
                f"board {self.board.id} wants port {self.board.port!r}, which is not in "
                f"{root / 'ports'}; write it or correct 'port'"
            )
        for place, room in sorted(rooms.items()):
            for path in sorted(room.rglob("*")):
                if path.suffix in (".c", ".h", ".S"):
                    yield f"{place}/{path.relative_to(room).as_posix()}", path

    @property
    def firmware_hash(self) -> str:
        """Hex digest over sources, templates, board, flags and compiler, not the models."""
        digest = hashlib.sha256()
        parts = [(name, path.read_bytes()) for name, path in self.sources()]
        parts += [(p.name, p.read_bytes()) for p in sorted(templates_dir().rglob("*.j2"))]
        parts += [("board", self.board.file_sha256.encode()), ("compiler", self.compiler.encode())]
        parts += [("flags", " ".join(COMPILE_FLAGS).encode()), ("stack", str(STACK_BYTES).encode())]
        for name, content in parts:
            digest.update(json.dumps([name, hashlib.sha256(content).hexdigest()]).encode())
        return digest.hexdigest()

    def image_hash(self, models: Sequence[Flatbuffer]) -> str:
        """Hex digest over the firmware and its models in order."""
        names = [self.firmware_hash, *(model.sha256 for model in models)]
        return hashlib.sha256(json.dumps(names).encode()).hexdigest()


def code_and_data(board: Board) -> tuple[MemoryRegion, MemoryRegion]:
    """The linker's two regions: code, and the contiguous regions marked as data joined into one.

    Raises:
        ConfigError: The data regions leave a gap, or there are several for code.
    """
    code = [r for r in board.memory if r.use == "code"]
    data = sorted((r for r in board.memory if r.use == "data"), key=lambda r: r.start)
    gaps = [b.name for a, b in itertools.pairwise(data) if a.end != b.start]
    if len(code) != 1 or gaps:
        raise ConfigError(
            f"board {board.id}: the linker wants one code region and data regions without gaps "
            f"(gap before: {gaps or 'none'}); change 'use' in the board file"
        )
    joined = MemoryRegion("data", "ram", data[0].start, data[-1].end - data[0].start, "data")
    return code[0], joined


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates_dir()),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # C and ini, not HTML; every value is checked before it gets here
        keep_trailing_newline=True,
    )
    environment.filters["c_initialiser"] = c_initialiser
    return environment


def _write(path: Path, content: bytes) -> None:
    """Write only what changed: SCons and people look at times."""
    if not path.is_file() or path.read_bytes() != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def install_platform(cache: Path) -> Path:
    """Put the PlatformIO platform at a place named by its content, the same for all projects.

    PlatformIO keeps one link per platform name: projects that run at once must share its place.
    """
    room = templates_dir() / "platform"
    files = sorted(p for p in room.rglob("*") if p.suffix in (".py", ".json"))
    digest = hashlib.sha256(b"".join(p.read_bytes() for p in files)).hexdigest()[:12]
    place = cache / f"platform-{digest}"
    for path in files:
        _write(place / path.relative_to(room), path.read_bytes())
    return place


def render_project(
    recipe: Recipe,
    models: Sequence[Flatbuffer],
    project: Path,
    *,
    platform: Path,
    probe_serial: str = "",
) -> None:
    """Write the project for one image; files of an earlier image that are not part of it go.

    Args:
        recipe: Board, runtime and compiler.
        models: In the order of their index on the device.
        project: Directory, made if absent.
        platform: Result of ``install_platform``.
        probe_serial: Serial number of the debug probe, where several are plugged in.

    Raises:
        ConfigError: A value that must not get into a file.
    """
    if not _PROBE.fullmatch(probe_serial):
        raise ConfigError(
            f"probe serial {probe_serial!r} has odd characters; correct the hardware map"
        )
    if any(not _SHA256.fullmatch(model.sha256) for model in models):
        raise ConfigError(
            "a model's digest is no SHA-256; this is a defect of unas, please report it"
        )
    board = recipe.board
    code, data = code_and_data(board)
    values = {
        "board": board,
        "models": models,
        "code": code,
        "data": data,
        "flags": list(COMPILE_FLAGS),
        "stack_bytes": STACK_BYTES,
        "platform": platform.as_posix(),
        "probe_serial": probe_serial,
        "firmware_hash": recipe.firmware_hash,
        "image_hash": recipe.image_hash(models),
    }
    rendered = {
        "platformio.ini": "platformio.ini.j2",
        "linker.ld": "linker.ld.j2",
        f"boards/{board.id}.json": "board.json.j2",
        "src/image.c": "src/image.c.j2",
        "src/model_data.c": "src/model_data.c.j2",
    }
    environment = _environment()
    files = {name: path.read_bytes() for name, path in recipe.sources()}
    for name, template in rendered.items():
        files[name] = environment.get_template(template).render(values).encode()
    for stale in (p for room in ("src", "include", "boards") for p in (project / room).rglob("*")):
        if stale.is_file() and stale.relative_to(project).as_posix() not in files:
            stale.unlink()
    for name, content in files.items():
        _write(project / name, content)
