# SPDX-License-Identifier: Apache-2.0
"""A PlatformIO project from the templates, a board and models."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2

from unas._paths import templates_dir
from unas.artifact import Flatbuffer
from unas.board import Board, MemoryRegion
from unas.errors import ConfigError
from unas.firmware.recipe import BUILD_FLAGS, CXX_FLAGS, STACK_BYTES, WARNING_FLAGS, Recipe
from unas.firmware.runtimes import Library, resolver_methods
from unas.firmware.sizes import CMSIS_NN_SYMBOLS
from unas.tflite.model_file import c_initialiser

_SHA256 = re.compile(r"[0-9a-f]{64}")
_PROBE = re.compile(r"[0-9A-Za-z]{0,64}")


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
    source_dir = templates_dir() / "platform"
    files = sorted(p for p in source_dir.rglob("*") if p.suffix in (".py", ".json"))
    digest = hashlib.sha256(b"".join(p.read_bytes() for p in files)).hexdigest()[:12]
    place = cache / f"platform-{digest}"
    for path in files:
        _write(place / path.relative_to(source_dir), path.read_bytes())
    return place


def install_library(cache: Path, library: Library) -> Path | None:
    """Give a tree without manifest one, at a place named by its content, the same for all projects.

    Returns:
        The directory for ``lib_extra_dirs``; None for a library that has a manifest.
    """
    if library.tree is None:
        return None
    template = _environment().get_template("runtime_tflm/library.json.j2")
    manifest = template.render(library=library).encode()
    digest = hashlib.sha256(manifest + library.digest.encode()).hexdigest()[:12]
    place = cache / f"tflm-{digest}"
    _write(place / "tflm" / "library.json", manifest)
    return place


def _values(recipe: Recipe, models: Sequence[Flatbuffer]) -> dict[str, Any]:
    """What the templates may use."""
    code, data = code_and_data(recipe.board)
    values: dict[str, Any] = {
        "board": recipe.board,
        "models": models,
        "code": code,
        "data": data,
        "build_flags": [*BUILD_FLAGS, *recipe.runtime.flags],
        "warning_flags": WARNING_FLAGS,
        "cxx_flags": CXX_FLAGS,
        "flags": recipe.flags,
        "stack_bytes": STACK_BYTES,
        "firmware_hash": recipe.firmware_hash,
        "image_hash": recipe.image_hash(models),
        "library": recipe.runtime.library,
    }
    if recipe.runtime.library is not None:
        values["methods"] = resolver_methods(models, recipe.runtime.library.operators)
        values["cmsis_nn_symbols"] = CMSIS_NN_SYMBOLS
    return values


def project_files(
    recipe: Recipe,
    models: Sequence[Flatbuffer],
    *,
    platform: str,
    library: Path | None = None,
    probe_serial: str = "",
) -> dict[str, bytes]:
    """All files of the project for one image, by their path in it.

    Args:
        recipe: Board, runtime and compiler.
        models: In the order of their index on the device.
        platform: Where PlatformIO finds the platform, as ``platformio.ini`` is to name it.
        library: Result of ``install_library``.
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
    values = _values(recipe, models)
    values |= {"platform": platform, "probe_serial": probe_serial}
    values["library_dir"] = "" if library is None else library.as_posix()
    environment = _environment()
    files = {name: path.read_bytes() for name, path in recipe.sources()}
    for name, template in recipe.templates():
        files[name] = environment.get_template(template).render(values).encode()
    return files


def render_project(
    recipe: Recipe,
    models: Sequence[Flatbuffer],
    project: Path,
    *,
    platform: Path,
    library: Path | None = None,
    probe_serial: str = "",
) -> None:
    """Write the project for one image; files of an earlier image that are not part of it go.

    Args:
        recipe: Board, runtime and compiler.
        models: In the order of their index on the device.
        project: Directory, made if absent.
        platform: Result of ``install_platform``.
        library: Result of ``install_library``.
        probe_serial: Serial number of the debug probe, where several are plugged in.

    Raises:
        ConfigError: A value that must not get into a file.
    """
    files = project_files(
        recipe, models, platform=platform.as_posix(), library=library, probe_serial=probe_serial
    )
    rooms = ("src", "include", "boards")
    for stale in (path for source_dir in rooms for path in (project / source_dir).rglob("*")):
        if stale.is_file() and stale.relative_to(project).as_posix() not in files:
            stale.unlink()
    for name, content in files.items():
        _write(project / name, content)
