# SPDX-License-Identifier: Apache-2.0
"""The built-in runtime as a C library of this machine: compiled once, loaded with its types."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from unas._paths import cache_dir, templates_dir
from unas._process import run
from unas.errors import ModelError, ToolError
from unas.names import KernelSet

FAST_KERNELS = "fast"
"""The plain kernels for this very machine: three times as fast, and the same bytes as long as the
compiler does not fuse the few multiplications and additions of floats."""
HOST_KERNELS: dict[str, tuple[str, ...]] = {
    KernelSet.PLAIN: ("-DRT_PLAIN_KERNELS",),
    KernelSet.DSP: ("-DRT_DSP_EMULATION",),
    FAST_KERNELS: ("-DRT_PLAIN_KERNELS", "-O3", "-march=native", "-ffp-contract=off"),
}
"""The kernels that can be compiled for this machine, and the flags that choose them."""

_FLAGS = ("-std=c11", "-O2", "-DNDEBUG", "-fPIC", "-shared")
_COMPILERS = ("cc", "gcc", "clang")
_COMPILE_TIMEOUT_S = 120.0


class ErrorStruct(ctypes.Structure):
    """``runtime_error`` of runtime_api.h."""

    _fields_ = (
        ("status", ctypes.c_int),
        ("operator_index", ctypes.c_int32),
        ("needed_bytes", ctypes.c_uint32),
        ("text", ctypes.c_char * 96),
    )


class ArenaStruct(ctypes.Structure):
    """``runtime_arena`` of runtime_api.h."""

    _fields_ = (
        *((name, ctypes.c_uint32) for name in ("used", "tensor", "scratch", "persistent", "bound")),
        ("plan", ctypes.c_char_p),
        ("exact", ctypes.c_bool),
    )


class BufferStruct(ctypes.Structure):
    """``rt_listed`` of rt_list.c."""

    _fields_ = tuple(
        (name, ctypes.c_uint32) for name in ("bytes", "at", "owner", "first", "last", "in_arena")
    )


def runtime_sources() -> tuple[Path, ...]:
    """The C files of the built-in runtime, sorted."""
    return tuple(sorted((templates_dir() / "runtime").rglob("*.c")))


@functools.cache
def host_library(kernels: str = KernelSet.PLAIN) -> ctypes.CDLL:
    """The runtime as a library of this machine.

    Args:
        kernels: A name of ``HOST_KERNELS``.

    Raises:
        ModelError: There are no such kernels for this machine.
        ToolError: There is no C compiler, or it failed.
    """
    if kernels not in HOST_KERNELS:
        raise ModelError(
            f"no kernels {kernels!r} for this machine; choose one of {', '.join(HOST_KERNELS)}"
        )
    library = ctypes.CDLL(str(_build(kernels)))
    file, arena = (ctypes.c_char_p, ctypes.c_size_t), (ctypes.c_void_p, ctypes.c_size_t)
    items = (ctypes.c_void_p, ctypes.c_uint32)
    library.runtime_open.argtypes = (*file, *arena, ctypes.c_void_p)
    library.runtime_set_order.argtypes = items
    library.rt_list_buffers.restype = ctypes.c_uint32
    library.rt_list_buffers.argtypes = (*file, *arena, *items, *items)
    library.runtime_input.restype = ctypes.c_void_p
    library.runtime_output.restype = ctypes.c_void_p
    library.runtime_operator_count.restype = ctypes.c_uint32
    library.runtime_operator_name.restype = ctypes.c_char_p
    library.runtime_operator_name.argtypes = (ctypes.c_uint32,)
    return library


def _compiler() -> str:
    for name in _COMPILERS:
        if path := shutil.which(name):
            return path
    raise ToolError(
        "no C compiler on PATH to build the plain kernels for this machine; install gcc or clang"
    )


def _build(kernels: str) -> Path:
    """Compile the runtime once per content and compiler; later calls find it in the cache."""
    compiler, root = _compiler(), templates_dir()
    sources = (*runtime_sources(), root / "host" / "rt_list.c")
    flags = (*_FLAGS, *HOST_KERNELS[kernels])
    headers = sorted((*(root / "runtime").rglob("*.h"), *(root / "include").glob("*.h")))
    version = run([compiler, "--version"], timeout_s=_COMPILE_TIMEOUT_S).stdout
    # What the compiler takes this machine for: a cache may be shared by several.
    list_macros = [compiler, *flags, "-dM", "-E", "-x", "c", os.devnull]
    machine = run(list_macros, timeout_s=_COMPILE_TIMEOUT_S).stdout
    digest = hashlib.sha256("\0".join((version, machine, *flags)).encode())
    for path in (*sources, *headers):
        digest.update(f"\0{path.relative_to(root)}\0".encode() + path.read_bytes())
    folder = cache_dir() / "host-runtime"
    library = folder / f"{digest.hexdigest()[:32]}.so"
    if not library.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            built = Path(scratch) / "runtime.so"
            include = f"-I{root / 'include'}"
            run([compiler, *flags, include, "-o", built, *sources], timeout_s=_COMPILE_TIMEOUT_S)
            built.replace(library)  # atomic: another process may build the same one
    return library
