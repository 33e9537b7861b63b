# SPDX-License-Identifier: Apache-2.0
"""Building the rendered project with PlatformIO."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock

from unas._paths import cache_dir
from unas._process import last_line, run
from unas.artifact import FirmwareImage, Flatbuffer
from unas.board import Board
from unas.errors import BuildError, FlashOverflowError, ToolError
from unas.firmware.recipe import Recipe
from unas.firmware.render import install_library, install_platform, render_project
from unas.firmware.runtimes import BUILTIN, Runtime
from unas.firmware.sizes import linked_kernels, region_sizes
from unas.units import format_bytes

COMPILER = "arm-none-eabi-gcc"
CXX_COMPILER = "arm-none-eabi-g++"
INSTALL_COMPILER = (
    "install the packages gcc-arm-none-eabi and libnewlib-arm-none-eabi (Debian, Ubuntu), "
    "or Arm's GNU toolchain, and put it on PATH"
)
INSTALL_CXX = (
    "install the package libstdc++-arm-none-eabi-newlib (Debian, Ubuntu), or Arm's GNU toolchain, "
    "which has it"
)
# A registry download of the toolchain is part of the first build where PATH has none. A library is
# compiled once, some minutes for TensorFlow Lite Micro; later builds take over its objects.
_BUILD_TIMEOUT_S = 1800.0
_OVERFLOW = re.compile(r"region `CODE' overflowed by (\d+) bytes")
_DIAGNOSTIC = re.compile(r"^.*(?:\berror\b|undefined reference|Error:|\*\*\* ).*$", re.MULTILINE)


def compiler_version() -> str:
    """Version line of the compiler on PATH; ``"registry"`` if PlatformIO must bring it."""
    if shutil.which(COMPILER) is None:
        return "registry"
    return run([COMPILER, "--version"], timeout_s=20).stdout.splitlines()[0]


def check_cxx() -> None:
    """See that C++ can be compiled: the compiler comes without its headers on Debian.

    Raises:
        ToolError: The headers or the library are missing; names the package.
    """
    if shutil.which(COMPILER) is None:
        return  # PlatformIO's registry brings both
    result = (
        shutil.which(CXX_COMPILER)
        and run([CXX_COMPILER, "-print-file-name=libstdc++.a"], timeout_s=20).stdout.strip()
    )
    if not result or result == "libstdc++.a":  # the bare name: looked for and not there
        raise ToolError(f"runtime tflm is C++, and its standard library is missing; {INSTALL_CXX}")


def platformio_environment() -> dict[str, str]:
    """Environment for PlatformIO: no telemetry, no weekly check that stalls offline."""
    return {
        **os.environ,
        "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "No",
        "PLATFORMIO_DISABLE_UPGRADE_CHECK": "true",
    }


class Builder:
    """Builds images for one board, one after the other, in one project directory.

    The directory is kept: only the models change between images, so only they are compiled again.
    Builders that run at once need different names.
    """

    def __init__(self, board: Board, name: str = "main", runtime: Runtime = BUILTIN) -> None:
        if runtime.library is not None:
            check_cxx()
        self.recipe = Recipe(board, compiler_version(), runtime)
        root = cache_dir() / "build"
        self._platform = install_platform(root)
        self._library = None if runtime.library is None else install_library(root, runtime.library)
        kind = f"{board.id}-{runtime.name}-{self.recipe.firmware_hash[:12]}"
        self._project = root / f"{kind}-{name}"
        self._root = root

    def build(self, models: Sequence[Flatbuffer], *, probe_serial: str = "") -> FirmwareImage:
        """Render, compile and link one image.

        Raises:
            FlashOverflowError: The models do not fit the board's flash.
            BuildError: The compiler or linker failed.
            ToolError: No compiler, or PlatformIO does not start.
        """
        board = self.recipe.board
        wanted = sum(model.flatbuffer_bytes for model in models)
        if wanted > board.flash_bytes:
            raise FlashOverflowError(_overflow(board, models, wanted - board.flash_bytes))
        image_hash = self.recipe.image_hash(models)
        self._project.mkdir(parents=True, exist_ok=True)
        with FileLock(self._project / ".lock"):
            render_project(
                self.recipe,
                models,
                self._project,
                platform=self._platform,
                library=self._library,
                probe_serial=probe_serial,
            )
            self._compile(models)
            elf = self._project / ".pio" / "build" / board.id / "firmware.elf"
            content = elf.read_bytes()
            if image_hash.encode() not in content:
                raise BuildError(
                    f"another build in {self._project} came between; wait until it has ended and "
                    "run the command again"
                )
            kept = self._project / "images" / f"{image_hash}.elf"
            kept.parent.mkdir(exist_ok=True)
            for old in kept.parent.glob("*.elf"):
                old.unlink()
            kept.write_bytes(content)
        return self._image(kept, image_hash, models)

    def _image(self, elf: Path, image_hash: str, models: Sequence[Flatbuffer]) -> FirmwareImage:
        board, runtime = self.recipe.board, self.recipe.runtime
        sizes = region_sizes(elf, board)
        flash_bytes = sum(sizes[r.name] for r in board.memory if r.use == "code")
        return FirmwareImage(
            elf=elf,
            project=self._project,
            board_id=board.id,
            firmware_hash=self.recipe.firmware_hash,
            image_hash=image_hash,
            models=tuple(model.sha256 for model in models),
            flash_bytes=flash_bytes,
            region_bytes=sizes,
            program_bytes=flash_bytes - sum(model.flatbuffer_bytes for model in models),
            runtime=runtime.name,
            runtime_on_device=runtime.device_name,
            runtime_revision=runtime.revision,
            kernels=runtime.kernels if runtime.library is None else linked_kernels(elf),
        )

    def _compile(self, models: Sequence[Flatbuffer]) -> None:
        command = [sys.executable, "-m", "platformio", "run", "-d", str(self._project)]
        first = self._root / f"{self._platform.name}.ready"
        try:
            # PlatformIO registers the platform in its core directory: one build does that alone.
            with FileLock(first.with_suffix(".lock")):
                if not first.exists():
                    run(command, timeout_s=_BUILD_TIMEOUT_S, env=platformio_environment())
                    first.touch()
                    return
            run(command, timeout_s=_BUILD_TIMEOUT_S, env=platformio_environment())
        except ToolError as error:
            raise _build_error(self.recipe.board, models, error) from error


def _build_error(board: Board, models: Sequence[Flatbuffer], error: ToolError) -> ToolError:
    output = error.output or str(error)
    overflow = _OVERFLOW.search(output)
    if overflow:
        return FlashOverflowError(_overflow(board, models, int(overflow[1])), output)
    if f"{COMPILER} is not on PATH" in output or f"{COMPILER}: not found" in output:
        return ToolError(
            f"{COMPILER} is not on PATH, nor PlatformIO's registry in reach; {INSTALL_COMPILER}",
            output,
        )
    lines = _DIAGNOSTIC.findall(output)
    first = lines[0].strip() if lines else last_line(output)
    return BuildError(
        f"the firmware for {board.id} did not build: {first}; run with -v to see all", output
    )


def _overflow(board: Board, models: Sequence[Flatbuffer], excess: int) -> str:
    names = ", ".join(f"{m.name} ({format_bytes(m.flatbuffer_bytes)})" for m in models)
    return (
        f"{names} and the firmware exceed the {format_bytes(board.flash_bytes)} flash of "
        f"{board.id} by {format_bytes(excess)}; use a smaller model or a board with more flash"
    )
