# SPDX-License-Identifier: Apache-2.0
"""Modes ``"pipeline"`` and ``"pipeline+memory"``: native/engine.c fed with decoded blocks."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from unicorn import UC_HOOK_BLOCK, UC_HOOK_CODE

from unas.board import Board
from unas.errors import ToolError
from unas.virtual.bus.memory_system import MemorySystem
from unas.virtual.native.library import add_native_hook, native_library, unicorn_functions
from unas.virtual.timing import layout
from unas.virtual.timing.addresses import entry_plan
from unas.virtual.timing.core_model import CoreModel, describe_block
from unas.virtual.timing.cores import core_model
from unas.virtual.timing.counters import NO_LIMIT, PIPELINE, PIPELINE_MEMORY, BlockObserver, Reader
from unas.virtual.timing.decode import Decoder
from unas.virtual.timing.instructions import MovableHook
from unas.virtual.timing.operations import Operation

_Learn = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_uint32, ctypes.c_uint32)
_Alert = ctypes.CFUNCTYPE(None, ctypes.c_uint32)
_Translate = ctypes.CFUNCTYPE(None, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_uint32)


def _declare(library: ctypes.CDLL) -> ctypes.CDLL:
    pointer, word = ctypes.c_void_p, ctypes.c_uint32
    for name, mirror in (
        ("engine_bytes", layout.EngineState),
        ("engine_block_bytes", layout.Block),
        ("engine_insn_bytes", layout.Instruction),
        ("engine_table_bytes", layout.Table),
    ):
        function: Any = getattr(library, name)
        function.restype = ctypes.c_size_t
        assert function() == ctypes.sizeof(mirror), f"{name}: C and layout.py disagree"
    library.engine_state_bytes.restype = ctypes.c_size_t
    library.engine_now.restype = ctypes.c_int64
    library.engine_now.argtypes = (pointer,)
    library.engine_pass.argtypes = (pointer, ctypes.c_int64)
    library.engine_open.argtypes = (pointer, pointer)
    library.engine_teach.argtypes = (pointer, pointer, pointer, pointer)
    library.engine_translated.argtypes = (pointer, word, word, word)
    library.engine_settle.argtypes = (pointer, word)
    library.engine_sync.argtypes = library.engine_close.argtypes = (pointer,)
    for name in ("pass", "sync", "settle", "close", "translated"):
        getattr(library, f"engine_{name}").restype = None
    return library


class PipelineCounter:
    """See ``counters.BlockCounter``.

    Args:
        engine: A Unicorn engine.
        read: Gives a block's code.
        board: Gives the core, and with ``memory`` what is around it.
        memory: Mode ``"pipeline+memory"``; else no access ever waits.
        watcher: Says which instructions to call back for.
        model: Facts about the core; by default those of the board's.

    Attributes:
        memory: The memory system, or None. It must follow the chip's registers to be switched on.

    Raises:
        EmulatorError: No timing is known of the core, or its memory system makes no sense.
        ToolError: The library cannot be built, or this Unicorn hides what it needs.
    """

    native = True
    watches = True

    def __init__(
        self,
        engine: Any,
        read: Reader,
        board: Board,
        *,
        memory: bool,
        observer: BlockObserver | None = None,
        model: CoreModel | None = None,
    ) -> None:
        self.timing = PIPELINE_MEMORY if memory else PIPELINE
        self.error: Exception | None = None
        self._read, self._observer = read, observer
        self._alerts: dict[int, Callable[[], None]] = {}
        self._model = core_model(board) if model is None else model
        self._decoder = Decoder()
        self._engine = engine
        self._library = _declare(native_library())
        self._table = self._model.table(board)
        self._state = layout.EngineState()
        self._self = ctypes.addressof(self._state)
        if self._library.engine_open(self._self, ctypes.addressof(self._table)) != 0:
            raise ToolError("the native engine got no memory; free some")
        self.memory = MemorySystem(self._library, board) if memory else None
        if self.memory is not None:
            self._table.piece_shift = self.memory.fetch_bytes.bit_length() - 1
        self._state.bus = None if self.memory is None else self.memory.handle
        self._state.limit = self._state.cycle_limit = NO_LIMIT
        self._to_translate: list[tuple[int, int, bool]] = []  # address, bytes, light
        self._light: set[tuple[int, int]] = set()
        # C keeps bare pointers to them.
        self._callbacks = (
            _Learn(self._learn),
            _Alert(self._alert),
            _Translate(self._note_translation),
        )
        functions = unicorn_functions()
        self._state.stop, self._state.read = functions.stop, functions.reg_read
        self._state.read_all, self._state.peek = functions.reg_read_batch, functions.mem_read
        self._state.uc = engine._uch
        learn, alert, translate = (ctypes.cast(c, ctypes.c_void_p) for c in self._callbacks)
        self._state.learn, self._state.alert = learn, alert
        add_native_hook(engine, UC_HOOK_BLOCK, self._library.engine_on_block, self._self)
        self._hook = MovableHook(engine, UC_HOOK_CODE, self._library.engine_on_code, self._self)
        self._state.translate = translate if self._hook.movable else None

    def _learn(self, address: int, size: int) -> int:
        try:
            code = self._read(address, size)
            if code is None:
                return -1
            operations = tuple(self._decoder.block(code))
            block = describe_block(self._model, operations, address)
            watched = self._watch(block, code)
            facts = layout.Block(address=address, size=size, count=len(block))
            places = _plan(facts, operations, light=not watched)
            array = (layout.Instruction * len(block))(*block)
            return int(self._library.engine_teach(self._self, ctypes.byref(facts), array, places))
        except Exception as error:  # the caller is C and would drop it
            self.error = error
            return -1

    def _watch(self, block: tuple[layout.Instruction, ...], code: bytes) -> bool:
        if self._observer is None:
            return False
        position, any_watched = 0, False
        for instruction in block:
            call = self._observer(code[position : position + instruction.bytes])
            if call is not None:
                instruction.attributes |= layout.WATCHED
                self._alerts[instruction.address] = call
                any_watched = True
            position += instruction.bytes
        return any_watched

    def _alert(self, address: int) -> None:
        try:
            self._alerts[address]()
        except Exception as error:  # the caller is C and would drop it
            self.error = error
            self._state.limit = 0

    def _note_translation(self, address: int, size: int, light: int) -> None:
        self._to_translate.append((address, size, bool(light)))

    def _translate(self) -> None:
        """Have Unicorn translate blocks anew. It must stand still."""
        for address, size, light in self._to_translate:
            end = address + size
            (self._light.add if light else self._light.discard)((address, size))
            self._engine.ctl_remove_cache(address, end)
            # Light ones that overlap it went with it.
            overlapping = {b for b in self._light if b[0] < end and address < b[0] + b[1]}
            self._hook.nowhere()
            translated = {b for b in overlapping if self._translate_light(*b)}
            self._hook.everywhere()
            self._light -= overlapping - translated
            for block in overlapping - translated:
                self._library.engine_translated(self._self, *block, 0)
            is_light = light and (address, size) in translated
            self._library.engine_translated(self._self, address, size, is_light)
        self._to_translate.clear()

    def _translate_light(self, address: int, size: int) -> bool:
        """False if that gives another block: more instructions fit into one without calls."""
        _, _, translated_size = self._engine.ctl_request_cache(address)
        if translated_size == size:
            return True
        self._engine.ctl_remove_cache(address, address + max(size, translated_size))
        return False

    @property
    def instructions(self) -> int:
        """Executed instructions."""
        return int(self._state.instructions)

    @property
    def cycles(self) -> int:
        """Core clock cycles, up to the instruction that is executed now."""
        return int(self._library.engine_now(self._self))

    @cycles.setter
    def cycles(self, value: int) -> None:
        self._library.engine_pass(self._self, value - self.cycles)

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
        return int(self._state.visit_address), int(self._state.visit_size)

    def settle(self, pc: int) -> None:
        """See ``BlockCounter.settle``."""
        self._library.engine_settle(self._self, pc)

    def pause(self, pc: int) -> None:
        """See ``BlockCounter.pause``."""
        self._library.engine_settle(self._self, pc)
        if self._to_translate:
            self._translate()

    def snapshot(self) -> object:
        """See ``BlockCounter.snapshot``."""
        cycles = self.cycles
        core = ctypes.string_at(self._state.state, self._library.engine_state_bytes())
        memory = None if self.memory is None else self.memory.save()
        return self.instructions, cycles, core, memory

    def rewind(self, moment: object) -> None:
        """See ``BlockCounter.rewind``."""
        assert isinstance(moment, tuple)
        instructions, cycles, core, memory = moment
        self._library.engine_sync(self._self)
        self._state.instructions = instructions
        ctypes.memmove(self._state.state, core, len(core))
        if self.memory is not None:
            self.memory.restore(memory)
        assert self.cycles == cycles, "time went on between two syncs"

    def close(self) -> None:
        """See ``BlockCounter.close``."""
        self._library.engine_close(self._self)
        if self.memory is not None:
            self.memory.close()


def _plan(facts: layout.Block, operations: tuple[Operation, ...], *, light: bool) -> Any:
    """Fill in the registers on entry; gives the places."""
    plan = entry_plan(operations, facts.address) if light else None
    places = (layout.EnginePlace * len(operations))()
    facts.entry_count = layout.HEAVY
    if plan is None:
        return places
    facts.entry_count = len(plan.registers)
    for i, register in enumerate(plan.registers):
        facts.entry[i] = layout.unicorn_register(register)
    for target, place in zip(places, plan.places, strict=True):
        target.base = layout.NOWHERE if place.base is None else place.base
        target.index = layout.NOWHERE if place.index is None else place.index
        target.offset = (place.offset + 0x80000000 & 0xFFFFFFFF) - 0x80000000
    return places
