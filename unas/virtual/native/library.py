# SPDX-License-Identifier: Apache-2.0
"""The C files of ``native/`` in one library, compiled at first use, and their ties to Unicorn."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from unas._paths import cache_dir
from unas._process import find_program, run
from unas.errors import ToolError

_SOURCES = Path(__file__).parent
_FLAGS = (
    "-std=c11",
    "-O3",
    "-flto",  # small functions of other files are called for each instruction
    "-fno-semantic-interposition",  # and may be inlined
    "-fPIC",
    "-shared",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wshadow",
    "-Wundef",
    "-Wdouble-promotion",
)
_COMPILE_TIMEOUT_S = 120.0


def build_library() -> Path:
    """The compiled library; compiles it if the cache does not hold it.

    Raises:
        ToolError: There is no C compiler, or it failed.
    """
    compiler = find_program(
        os.environ.get("CC", "cc"), "install a C compiler, e.g. apt install gcc"
    )
    files = sorted(_SOURCES.glob("*.[ch]"))
    what = hashlib.sha256("\n".join((compiler, *_FLAGS, sys.platform, platform.machine())).encode())
    for file in files:
        what.update(b"\n" + file.name.encode() + b"\n" + file.read_bytes())
    folder = cache_dir() / "native" / what.hexdigest()[:16]
    library = folder / "virtual.so"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        if not library.exists():
            fresh = folder / f"virtual-{os.getpid()}.so"
            sources = [file for file in files if file.suffix == ".c"]
            run([compiler, *_FLAGS, "-o", fresh, *sources], timeout_s=_COMPILE_TIMEOUT_S)
            fresh.replace(library)
    return library


def native_library() -> ctypes.CDLL:
    """The library, loaded.

    Raises:
        ToolError: It cannot be built or loaded.
    """
    path = build_library()
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise ToolError(f"the native counter cannot be loaded: {error}; remove {path}") from error


@dataclass(frozen=True, slots=True)
class UnicornFunctions:
    """Addresses of functions of Unicorn's own library, for C to call."""

    stop: ctypes.c_void_p
    reg_read: ctypes.c_void_p
    reg_read_batch: ctypes.c_void_p
    mem_read: ctypes.c_void_p


def _unicorn_library() -> Any:
    try:
        # Unicorn's Python layer has no call for a native callback: it takes the library's own.
        from unicorn.unicorn_py3.unicorn import uclib
    except ImportError as error:
        raise ToolError(f"the native counter cannot be used: {error}; reinstall unicorn") from error
    return uclib


def unicorn_functions() -> UnicornFunctions:
    """What native callbacks call back.

    Raises:
        ToolError: This Unicorn hides it.
    """
    library = _unicorn_library()
    names = ("uc_emu_stop", "uc_reg_read", "uc_reg_read_batch", "uc_mem_read")
    try:
        return UnicornFunctions(*(ctypes.cast(getattr(library, n), ctypes.c_void_p) for n in names))
    except AttributeError as error:
        raise ToolError(f"the native counter cannot be used: {error}; reinstall unicorn") from error


EVERYWHERE = (1, 0)
"""Bounds of a hook: Unicorn takes a begin after the end for all addresses."""


def add_native_hook(
    engine: Any, kind: int, callback: Any, user: Any, bounds: tuple[int, int] = EVERYWHERE
) -> int:
    """Let Unicorn call a C function.

    Returns:
        Unicorn's handle of the hook.

    Raises:
        ToolError: Unicorn refuses.
    """
    hook = ctypes.c_size_t()
    try:
        status = _unicorn_library().uc_hook_add(
            engine._uch,
            ctypes.byref(hook),
            kind,
            ctypes.cast(callback, ctypes.c_void_p),
            ctypes.cast(user, ctypes.c_void_p),
            ctypes.c_uint64(bounds[0]),
            ctypes.c_uint64(bounds[1]),
        )
    except AttributeError as error:
        raise ToolError(f"the native counter cannot be used: {error}; reinstall unicorn") from error
    if status != 0:
        raise ToolError(f"Unicorn refused a native hook (error {status}); reinstall unicorn")
    return hook.value
