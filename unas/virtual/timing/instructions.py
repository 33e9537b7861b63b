# SPDX-License-Identifier: Apache-2.0
"""Mode ``"instructions"`` in machine code: native/count.c.

Moving the bounds of a Unicorn hook: which instructions are translated with a call before them.

Unicorn has no call for it. Taking the hook away and adding it again would have all its blocks
translated anew, and of several hooks none is called directly. The handle is the address of the
hook's structure, which holds the bounds as they were given; they are found there by their values.
"""

from __future__ import annotations

import ctypes
from typing import Any

from unicorn import UC_HOOK_BLOCK

from unas.errors import ToolError
from unas.virtual.core.instruction_hooks import instruction_sizes
from unas.virtual.native.library import (
    EVERYWHERE,
    add_native_hook,
    native_library,
    unicorn_functions,
)
from unas.virtual.timing.counters import INSTRUCTIONS, NO_LIMIT, Reader, instructions_from

_Count = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_uint32, ctypes.c_uint32)


class _Cost(ctypes.Structure):
    """Mirror of ``block_cost``."""

    _fields_ = (
        ("address", ctypes.c_uint32),
        ("size", ctypes.c_uint32),
        ("instructions", ctypes.c_uint32),
    )


class _State(ctypes.Structure):
    """Mirror of ``counter``."""

    _fields_ = (
        ("instructions", ctypes.c_uint64),
        ("cycles", ctypes.c_uint64),
        ("limit", ctypes.c_uint64),
        ("cycle_limit", ctypes.c_uint64),
        ("last", ctypes.POINTER(_Cost)),
        ("stop", ctypes.c_void_p),
        ("count", ctypes.c_void_p),
        ("table", ctypes.c_void_p),
        ("mask", ctypes.c_uint32),
        ("used", ctypes.c_uint32),
    )


class InstructionCounter:
    """See ``counters.BlockCounter``."""

    native = True
    timing = INSTRUCTIONS
    watches = False

    def __init__(self, engine: Any, read: Reader) -> None:
        """Attach to a Unicorn engine.

        Raises:
            ToolError: The library cannot be built, or this Unicorn hides what it needs.
        """
        self.error: Exception | None = None
        self._read = read
        self._sizes: dict[tuple[int, int], tuple[int, ...]] = {}
        self._library = native_library()
        self._state = _State()
        self._library.counter_bytes.restype = ctypes.c_size_t
        assert self._library.counter_bytes() == ctypes.sizeof(_State), "count.c and python disagree"
        self._answer_reference = _Count(self._answer)  # the C side keeps a bare pointer to it
        count = ctypes.cast(self._answer_reference, ctypes.c_void_p)
        if self._library.counter_open(ctypes.byref(self._state), unicorn_functions().stop, count):
            raise ToolError("the native counter got no memory; free some")
        self._state.limit = self._state.cycle_limit = NO_LIMIT
        add_native_hook(
            engine, UC_HOOK_BLOCK, self._library.counter_block, ctypes.byref(self._state)
        )

    def _answer(self, address: int, size: int) -> int:
        try:
            code = self._read(address, size)
        except Exception as error:  # the caller is C and would drop it
            self.error = error
            return -1
        if code is None:
            return -1
        sizes = self._sizes[address, size] = tuple(instruction_sizes(code))
        return len(sizes)

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
    def cycle_limit(self) -> int:
        """See ``BlockCounter``."""
        return int(self._state.cycle_limit)

    @cycle_limit.setter
    def cycle_limit(self, value: int) -> None:
        self._state.cycle_limit = value

    @property
    def visit(self) -> tuple[int, int]:
        """See ``BlockCounter.visit``."""
        last = self._state.last.contents
        return last.address, last.size

    def settle(self, pc: int) -> None:
        """See ``BlockCounter.settle``."""
        undone = instructions_from(pc, self.visit, self._sizes.get(self.visit, ()))
        self._state.instructions -= undone
        self._state.cycles -= undone

    def pause(self, pc: int) -> None:
        """See ``BlockCounter.pause``."""

    def snapshot(self) -> object:
        """See ``BlockCounter.snapshot``."""
        return self.instructions, self.cycles

    def rewind(self, moment: object) -> None:
        """See ``BlockCounter.rewind``."""
        assert isinstance(moment, tuple)
        self.instructions, self.cycles = moment

    def close(self) -> None:
        """See ``BlockCounter.close``."""
        self._library.counter_close(ctypes.byref(self._state))


_MARKS = (0x5EED_0000_B0B0_0001, 0x5EED_0000_B0B0_0002)
_SEARCHED_WORDS = 8  # struct hook of Unicorn 2 has the bounds behind 24 bytes, and 72 in all
_NOWHERE = (0xFFFF_FFFF_FFFF_FFFE, 0xFFFF_FFFF_FFFF_FFFF)


class MovableHook:
    """A native hook, everywhere until ``nowhere`` is asked for.

    Attributes:
        movable: This Unicorn's structure was recognised; else the hook stays where it is.
    """

    def __init__(self, engine: Any, kind: int, callback: Any, user: Any) -> None:
        handle = add_native_hook(engine, kind, callback, user, _MARKS)
        words = (ctypes.c_uint64 * _SEARCHED_WORDS).from_address(handle)
        result = [i for i in range(_SEARCHED_WORDS - 1) if tuple(words[i : i + 2]) == _MARKS]
        self.movable = len(result) == 1
        if self.movable:
            self._words, self._at = words, result[0]
            self.everywhere()
        else:  # one more, and slower: the first one matches no address
            add_native_hook(engine, kind, callback, user)

    def everywhere(self) -> None:
        """From now on, translate with calls."""
        self._words[self._at : self._at + 2] = list(EVERYWHERE)

    def nowhere(self) -> None:
        """From now on, translate without."""
        self._words[self._at : self._at + 2] = list(_NOWHERE)
