# SPDX-License-Identifier: Apache-2.0
"""The block counter in machine code: hook.c, compiled at first use and kept in the cache."""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import platform
import sys
from pathlib import Path
from typing import Any

from filelock import FileLock
from unicorn import UC_HOOK_BLOCK

from unas._process import find_program, run
from unas._resources import cache_dir
from unas.errors import ToolError
from unas.virtual.counters import NO_LIMIT, BlockCounter, Pricer, PythonCounter, Visit
from unas.virtual.cycles import BlockCost

_LOG = logging.getLogger(__name__)
_SOURCE = Path(__file__).with_name("hook.c")
_FLAGS = (
    "-std=c11",
    "-O2",
    "-fPIC",
    "-shared",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wshadow",
    "-Wundef",
)
_COMPILE_TIMEOUT_S = 60.0

_Stop = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
_Price = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_uint64,
    ctypes.c_uint32,
    ctypes.POINTER(ctypes.c_uint32),
    ctypes.POINTER(ctypes.c_uint32),
)


class _Cost(ctypes.Structure):
    """Mirror of ``block_cost`` in hook.c."""

    _fields_ = (
        ("address", ctypes.c_uint32),
        ("size", ctypes.c_uint32),
        ("instructions", ctypes.c_uint32),
        ("cycles", ctypes.c_uint32),
    )


class _State(ctypes.Structure):
    """Mirror of ``counter`` in hook.c."""

    _fields_ = (
        ("instructions", ctypes.c_uint64),
        ("cycles", ctypes.c_uint64),
        ("limit", ctypes.c_uint64),
        ("last", ctypes.POINTER(_Cost)),
        ("stop", ctypes.c_void_p),
        ("price", ctypes.c_void_p),
        ("table", ctypes.c_void_p),
        ("mask", ctypes.c_uint32),
        ("used", ctypes.c_uint32),
    )


def build_hook() -> Path:
    """The compiled hook; compiles it if the cache does not hold it.

    Raises:
        ToolError: There is no C compiler, or it failed.
    """
    compiler = find_program(
        os.environ.get("CC", "cc"), "install a C compiler, e.g. apt install gcc"
    )
    source = _SOURCE.read_bytes()
    what = "\n".join((compiler, *_FLAGS, sys.platform, platform.machine())).encode()
    folder = cache_dir() / "native" / hashlib.sha256(what + b"\n" + source).hexdigest()[:16]
    library = folder / "hook.so"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        if not library.exists():
            fresh = folder / f"hook-{os.getpid()}.so"
            run([compiler, *_FLAGS, "-o", fresh, _SOURCE], timeout_s=_COMPILE_TIMEOUT_S)
            fresh.replace(library)
    return library


class NativeCounter:
    """Block counter in C; see ``counters.BlockCounter``."""

    native = True

    def __init__(self, engine: Any, price: Pricer) -> None:
        """Attach to a Unicorn engine.

        Raises:
            ToolError: The hook cannot be compiled or loaded, or this Unicorn hides what it needs.
        """
        try:
            # Unicorn's Python layer has no call for a native callback: it takes the library's own.
            from unicorn.unicorn_py3.unicorn import uclib

            self._library = ctypes.CDLL(str(build_hook()))
            self._state = _State()
            stop = ctypes.cast(uclib.uc_emu_stop, ctypes.c_void_p)
            handle = engine._uch
        except (ImportError, AttributeError, OSError) as error:
            raise ToolError(
                f"the native block hook cannot be used: {error}; reinstall unicorn"
            ) from error
        self._price = price
        self._answer_reference = _Price(self._answer)  # the C side keeps a bare pointer to it
        self._open(stop)
        self._attach(uclib, handle)

    def _open(self, stop: ctypes.c_void_p) -> None:
        open_counter = self._library.counter_open
        open_counter.argtypes = (ctypes.POINTER(_State), ctypes.c_void_p, ctypes.c_void_p)
        self._library.counter_bytes.restype = ctypes.c_size_t
        assert self._library.counter_bytes() == ctypes.sizeof(_State), (
            "hook.c and native.py disagree"
        )
        price = ctypes.cast(self._answer_reference, ctypes.c_void_p)
        if open_counter(ctypes.byref(self._state), stop, price) != 0:
            raise ToolError("the native block hook got no memory; free some")
        self._state.limit = NO_LIMIT

    def _attach(self, uclib: Any, handle: Any) -> None:
        hook = ctypes.c_size_t()
        status = uclib.uc_hook_add(
            handle,
            ctypes.byref(hook),
            UC_HOOK_BLOCK,
            ctypes.cast(self._library.counter_block, ctypes.c_void_p),
            ctypes.cast(ctypes.byref(self._state), ctypes.c_void_p),
            ctypes.c_uint64(1),  # begin after end: everywhere
            ctypes.c_uint64(0),
        )
        if status != 0:
            raise ToolError(
                f"Unicorn refused the native block hook (error {status}); reinstall unicorn"
            )

    def _answer(self, address: int, size: int, instructions: Any, cycles: Any) -> int:
        cost = self._price(address, size)
        if cost is None:
            return -1
        instructions[0], cycles[0] = cost.instructions, cost.cycles
        return 0

    @property
    def instructions(self) -> int:
        """Executed instructions."""
        return int(self._state.instructions)

    @instructions.setter
    def instructions(self, value: int) -> None:
        self._state.instructions = value

    @property
    def cycles(self) -> int:
        """Core clock cycles."""
        return int(self._state.cycles)

    @cycles.setter
    def cycles(self, value: int) -> None:
        self._state.cycles = value

    @property
    def limit(self) -> int:
        """See ``BlockCounter``."""
        return int(self._state.limit)

    @limit.setter
    def limit(self, value: int) -> None:
        self._state.limit = value

    @property
    def visit(self) -> Visit:
        """See ``BlockCounter.visit``."""
        last = self._state.last.contents
        return Visit(last.address, last.size, BlockCost(last.instructions, last.cycles))

    def close(self) -> None:
        """See ``BlockCounter.close``."""
        self._library.counter_close(ctypes.byref(self._state))


def open_counter(engine: Any, price: Pricer, *, native: bool | None = None) -> BlockCounter:
    """The fastest counter there is.

    Args:
        engine: A Unicorn engine.
        price: Asked once for each block.
        native: True: the native one or an error. False: the Python one. None: native if possible.

    Raises:
        ToolError: ``native`` is True and there is no compiler, or it failed.
    """
    if native is False:
        return PythonCounter(engine, price)
    try:
        return NativeCounter(engine, price)
    except ToolError as error:
        if native:
            raise
        reason = str(error).splitlines()[0]
        _LOG.warning(
            "the virtual board runs some 100 times slower, with the same counts: %s", reason
        )
        return PythonCounter(engine, price)
