# SPDX-License-Identifier: Apache-2.0
"""The built-in runtime, compiled for this machine and called in-process."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from unas._paths import cache_dir, templates_dir
from unas._process import run
from unas.errors import (
    ArenaTooSmallError,
    DeviceError,
    ModelError,
    ToolError,
    UnsupportedOperatorError,
)

_FLAGS = ("-std=c11", "-O2", "-DNDEBUG", "-fPIC", "-shared")
# The kernels, as the runtime names them, and the flags that choose them.
# "fast" is "plain" for this very machine: three times as fast, and the same bytes as long as the
# compiler does not fuse the few multiplications and additions of floats.
_KERNELS = {
    "plain": ("-DRT_PLAIN_KERNELS",),
    "dsp": ("-DRT_DSP_EMULATION",),
    "fast": ("-DRT_PLAIN_KERNELS", "-O3", "-march=native", "-ffp-contract=off"),
}
_COMPILERS = ("cc", "gcc", "clang")
_COMPILE_TIMEOUT_S = 120.0
_ALIGNMENT = 16
_MAX_BUFFERS = 1 << 15  # tensors and operators; the runtime takes no more
_LOCK = threading.Lock()  # the runtime has one open model at a time


class _Error(ctypes.Structure):
    """``runtime_error`` of runtime_api.h."""

    _fields_ = (
        ("status", ctypes.c_int),
        ("operator_index", ctypes.c_int32),
        ("needed_bytes", ctypes.c_uint32),
        ("text", ctypes.c_char * 96),
    )


class _ArenaUse(ctypes.Structure):
    """``runtime_arena`` of runtime_api.h."""

    _fields_ = (
        *((name, ctypes.c_uint32) for name in ("used", "tensor", "scratch", "persistent", "bound")),
        ("plan", ctypes.c_char_p),
        ("exact", ctypes.c_bool),
    )


class _Listed(ctypes.Structure):
    """``rt_listed`` of rt_list.c."""

    _fields_ = tuple(
        (name, ctypes.c_uint32) for name in ("bytes", "at", "owner", "first", "last", "in_arena")
    )


@dataclass(frozen=True, slots=True)
class HostBuffer:
    """A tensor or an operator's working memory in the arena.

    Attributes:
        index: Its number in the runtime.
        owner: The buffer whose place it has; its own number if it shares no other's.
        bytes: Size, aligned as in the arena.
        first: Operator that writes it first.
        last: Operator that reads it last; the number of operators for the model's output.
        at: Offset in the arena.
    """

    index: int
    owner: int
    bytes: int
    first: int
    last: int
    at: int


@dataclass(frozen=True, slots=True)
class HostRun:
    """One inference on the host.

    Attributes:
        output: Bytes of the output tensor.
        operators: TFLite's names of the operators, in execution order.
        arena_used_bytes: As on the device: the runtime keeps offsets, not pointers.
        tensor_bytes: Activations, after planning.
        scratch_bytes: What the kernels' working memory adds.
        persistent_bytes: Prepared operators and the tensors' descriptions.
        bound_bytes: The most that lives at once: no plan has less for tensors and scratch.
        plan: How they were placed: "greedy", or "offline" in an order that was given.
    """

    output: bytes
    operators: tuple[str, ...]
    arena_used_bytes: int
    tensor_bytes: int
    scratch_bytes: int
    persistent_bytes: int
    bound_bytes: int
    plan: str


def run_on_host(
    model: bytes,
    input_bytes: bytes,
    *,
    arena_bytes: int,
    kernels: str = "plain",
    order: Sequence[int] = (),
) -> HostRun:
    """Run one inference.

    Args:
        model: An int8 .tflite file.
        input_bytes: The int8 input tensor.
        arena_bytes: Size of the tensor arena.
        kernels: "plain"; "fast": the same, compiled for this machine; or "dsp": those for
            Armv7E-M, their instructions emulated in C.
        order: Buffers in the order in which to place them; see ``unas.hil.offline_plan``.

    Raises:
        ModelError: The runtime cannot read the model, or the input has another size.
        UnsupportedOperatorError: It has no kernel for an operator.
        ArenaTooSmallError: The arena is too small.
        ToolError: There is no C compiler, or it failed.
    """
    with open_on_host(model, arena_bytes=arena_bytes, kernels=kernels, order=order) as library:
        output = infer_on_host(library, input_bytes)
        use = _ArenaUse()
        library.runtime_arena_use(ctypes.byref(use))
        names = [library.runtime_operator_name(i) for i in range(library.runtime_operator_count())]
    return HostRun(
        output=output,
        operators=tuple(name.decode() for name in names),
        arena_used_bytes=use.used,
        tensor_bytes=use.tensor,
        scratch_bytes=use.scratch,
        persistent_bytes=use.persistent,
        bound_bytes=use.bound,
        plan=use.plan.decode(),
    )


@contextmanager
def open_on_host(
    model: bytes, *, arena_bytes: int, kernels: str = "plain", order: Sequence[int] = ()
) -> Iterator[ctypes.CDLL]:
    """Open a model for as many inferences as one likes; nothing else runs meanwhile.

    Args:
        model: An int8 .tflite file.
        arena_bytes: Size of the tensor arena.
        kernels: As in ``run_on_host``.
        order: As in ``run_on_host``.

    Raises:
        ModelError: The runtime cannot read the model.
        UnsupportedOperatorError: It has no kernel for an operator.
        ArenaTooSmallError: The arena is too small.
        ToolError: There is no C compiler, or it failed.
    """
    library = host_library(kernels)
    # Kept alive until the end: the runtime reads the file where it lies.
    file = ctypes.create_string_buffer(model, max(len(model), 1))
    arena = ctypes.create_string_buffer(arena_bytes + _ALIGNMENT)
    base = -(-ctypes.addressof(arena) // _ALIGNMENT) * _ALIGNMENT
    error, hint = _Error(), (ctypes.c_uint16 * len(order))(*order)
    with _LOCK:
        library.runtime_set_order(hint, len(order))
        library.runtime_open(
            file, len(model), ctypes.c_void_p(base), arena_bytes, ctypes.byref(error)
        )
        _check(error)
        yield library


def infer_on_host(library: ctypes.CDLL, input_bytes: bytes) -> bytes:
    """One inference of the model that is open; the output's bytes.

    Raises:
        ModelError: The input has another size.
        DeviceError: A kernel failed.
    """
    error, size = _Error(), ctypes.c_size_t()
    place = library.runtime_input(ctypes.byref(size))
    if size.value != len(input_bytes):
        raise ModelError(
            f"the model's input has {size.value} bytes, {len(input_bytes)} were given; "
            "give one int8 value per element"
        )
    ctypes.memmove(place, input_bytes, len(input_bytes))
    library.runtime_invoke(None, None, ctypes.byref(error))
    _check(error)
    return ctypes.string_at(library.runtime_output(ctypes.byref(size)), size.value)


def list_buffers(
    model: bytes, *, arena_bytes: int, kernels: str = "plain", order: Sequence[int] = ()
) -> tuple[HostBuffer, ...]:
    """The buffers that take part in the plan of a model's arena, and their places.

    Args:
        model: An int8 .tflite file.
        arena_bytes: Size of the tensor arena.
        kernels: As in ``run_on_host``: the working memory depends on them.
        order: As in ``run_on_host``.

    Raises:
        ModelError: The runtime cannot open the model in this arena.
        ToolError: There is no C compiler, or it failed.
    """
    library = host_library(kernels)
    file = ctypes.create_string_buffer(model, max(len(model), 1))
    arena = ctypes.create_string_buffer(arena_bytes + _ALIGNMENT)
    base = -(-ctypes.addressof(arena) // _ALIGNMENT) * _ALIGNMENT
    listed = (_Listed * _MAX_BUFFERS)()
    hint = (ctypes.c_uint16 * len(order))(*order)
    count = library.rt_list_buffers(
        file, len(model), ctypes.c_void_p(base), arena_bytes, hint, len(order),
        listed, _MAX_BUFFERS,
    )  # fmt: skip
    if count == 0:
        raise ModelError("the runtime cannot open the model on the host; export it again")
    return tuple(
        HostBuffer(index, one.owner, one.bytes, one.first, one.last, one.at)
        for index, one in enumerate(listed[:count])
        if one.in_arena
    )


def runtime_sources() -> tuple[Path, ...]:
    """The C files of the built-in runtime, sorted."""
    return tuple(sorted((templates_dir() / "runtime").rglob("*.c")))


def _check(error: _Error) -> None:
    text = error.text.decode(errors="replace")
    match error.status:
        case 0:
            return
        case 1:
            raise ModelError(f"the runtime cannot read the model: {text}; export it again")
        case 2:
            raise UnsupportedOperatorError(
                f"the runtime cannot run the model: {text}; export it as int8 with known operators"
            )
        case 3:
            raise ArenaTooSmallError(f"{text}; give a larger arena or a smaller model")
        case _:
            raise DeviceError(f"the runtime failed on the host: {text}; report it with the model")


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
    flags = (*_FLAGS, *_KERNELS[kernels])
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


@functools.cache
def host_library(kernels: str = "plain") -> ctypes.CDLL:
    """The runtime as a library of this machine.

    Args:
        kernels: As in ``run_on_host``.

    Raises:
        ToolError: There is no C compiler, or it failed.
    """
    library = ctypes.CDLL(str(_build(kernels)))
    library.runtime_open.argtypes = (
        ctypes.c_char_p,
        ctypes.c_size_t,
        ctypes.c_void_p,
        ctypes.c_size_t,
        ctypes.c_void_p,
    )
    library.runtime_set_order.argtypes = (ctypes.c_void_p, ctypes.c_uint32)
    library.rt_list_buffers.restype = ctypes.c_uint32
    library.rt_list_buffers.argtypes = (
        ctypes.c_char_p,
        ctypes.c_size_t,
        ctypes.c_void_p,
        ctypes.c_size_t,
        ctypes.c_void_p,
        ctypes.c_uint32,
        ctypes.c_void_p,
        ctypes.c_uint32,
    )
    library.runtime_input.restype = ctypes.c_void_p
    library.runtime_output.restype = ctypes.c_void_p
    library.runtime_operator_count.restype = ctypes.c_uint32
    library.runtime_operator_name.restype = ctypes.c_char_p
    library.runtime_operator_name.argtypes = (ctypes.c_uint32,)
    return library
