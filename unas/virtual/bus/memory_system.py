# SPDX-License-Identifier: Apache-2.0
"""The memory system of a machine: native/memory.c, described by the board, switched by firmware.

What the firmware writes to FLASH_ACR, SCB_CCR, the cache maintenance registers and the MPU takes
effect here.

A board's memory system as native/memory.h takes it.
"""

from __future__ import annotations

import ctypes
from typing import Any

from unas.board import Board, MemoryRegion
from unas.errors import EmulatorError
from unas.virtual.bus.memory_protection import MemoryProtection, default_policy
from unas.virtual.bus.registers import Bus

# native/memory.h: what is switched on, and what is forgotten
PREFETCH, ART_CODE, ART_DATA, L1_CODE, L1_DATA = (1 << bit for bit in range(5))

_CCR = 0xE000ED14  # ARMv7-M ARM B3.2.8; bits of the M7: DDI 0489 3.3
_CCR_DC, _CCR_IC = 1 << 16, 1 << 17
# FLASH_ACR, the same places in F4, F7 and L4 (RM0090 3.9.1, RM0385 3.7.1, RM0432 3.7.1): LATENCY,
# PRFTEN, ICEN or ARTEN, DCEN, and the bits that empty the lines.
_ACR_LATENCY, _ACR_PREFETCH, _ACR_CODE, _ACR_DATA = 0xF, 1 << 8, 1 << 9, 1 << 10
_ACR_FORGET_CODE, _ACR_FORGET_DATA = 1 << 11, 1 << 12
# Cache maintenance, ARMv7-M ARM B2.2.7. By set and way: the whole cache, as CMSIS does in a loop.
_FORGET_CODE = (0xE000EF50, 0xE000EF58)  # ICIALLU, ICIMVAU
_FORGET_DATA = (0xE000EF60, 0xE000EF74)  # DCISW, DCCISW
_FORGET_LINE = (0xE000EF5C, 0xE000EF70)  # DCIMVAC, DCCIMVAC
_CLEAN_LINE = (0xE000EF64, 0xE000EF68)  # DCCMVAU, DCCMVAC


class MemorySystem:
    """What fetches, loads and stores of one machine cost beyond zero wait states.

    Args:
        library: The shared object that memory.c was compiled into.
        board: Gives regions, buses and caches.

    Attributes:
        handle: The ``memory *`` for native code.

    Raises:
        EmulatorError: The board file describes a memory system that cannot be.
    """

    def __init__(self, library: ctypes.CDLL, board: Board) -> None:
        self._library = _declare(library)
        self._board = board
        self._bus: Bus | None = None
        self._acr: int | None = None
        self._protection = MemoryProtection(self._attribute)
        config = memory_config(board)
        self.handle = library.memory_open(ctypes.byref(config))
        if not self.handle:
            raise EmulatorError(
                f"board {board.id}: caches, buses or flash make no sense together; "
                "correct [accelerator], [cpu] and the buses of [[memory]]"
            )

    def close(self) -> None:
        """Free it; nothing may use the handle afterwards."""
        self._library.memory_close(self.handle)
        self.handle = None

    def follow(self, bus: Bus) -> None:
        """From now on, let what is written to the registers take effect."""
        self._bus = bus
        self._acr = bus.address_of("FLASH", "ACR")
        if self._acr is not None:
            bus.watch(self._acr, lambda _: self.synchronise())
        bus.watch(_CCR, lambda _: self.synchronise())
        for addresses, reported in (
            (_FORGET_CODE, lambda _: self.invalidate(L1_CODE)),
            (_FORGET_DATA, lambda _: self.invalidate(L1_DATA)),
            (_FORGET_LINE, lambda line: self._clean(line, True)),
            (_CLEAN_LINE, lambda line: self._clean(line, False)),
        ):
            for address in addresses:
                bus.watch(address, reported)
        if self._board.core == "cortex-m7":
            self._protection.follow(bus)
        self.reset()

    def reset(self) -> None:
        """What a reset does: nothing is cached, all switches as the registers' reset values say."""
        self._library.memory_reset(self.handle)
        self._protection.reset()
        self.synchronise()

    def synchronise(self) -> None:
        """Take over what the registers say now."""
        assert self._bus is not None, "follow() comes first"
        acr = 0 if self._acr is None else self._bus.peek(self._acr)
        ccr = self._bus.peek(_CCR)
        self.switch(
            (PREFETCH if acr & _ACR_PREFETCH else 0)
            | (ART_CODE if acr & _ACR_CODE else 0)
            | (ART_DATA if acr & _ACR_DATA else 0)
            | (L1_CODE if ccr & _CCR_IC else 0)
            | (L1_DATA if ccr & _CCR_DC else 0),
            acr & _ACR_LATENCY,
        )
        self.invalidate(
            (ART_CODE if acr & _ACR_FORGET_CODE else 0)
            | (ART_DATA if acr & _ACR_FORGET_DATA else 0)
        )

    def switch(self, on: int, wait_states: int) -> None:
        """Switch caches and prefetch, and set the flash's wait states."""
        self._library.memory_switch(self.handle, on, wait_states)

    def invalidate(self, what: int) -> None:
        """Forget the contents of caches."""
        self._library.memory_invalidate(self.handle, what)

    def fetch(self, address: int, now: int) -> int:
        """Cycles that the core waits for its code at ``address``, entered at cycle ``now``."""
        return int(self._library.memory_fetch(self.handle, address, now))

    def load(self, address: int, size: int, now: int) -> int:
        """Cycles by which the data come later than from a memory without wait states."""
        return int(self._library.memory_load(self.handle, address, size, now))

    def store(self, address: int, size: int, now: int) -> int:
        """Cycles by which a store holds up the core."""
        return int(self._library.memory_store(self.handle, address, size, now))

    @property
    def fetch_bytes(self) -> int:
        """The pieces in which code is fetched."""
        return int(self._library.memory_fetch_bytes(self.handle))

    @property
    def counts(self) -> Counts:
        """What was counted since power-on."""
        counts = Counts()
        self._library.memory_read_counts(self.handle, ctypes.byref(counts))
        return counts

    def save(self) -> bytes:
        """All that it remembers."""
        state = ctypes.create_string_buffer(self._library.memory_state_bytes(self.handle))
        self._library.memory_save(self.handle, state)
        return state.raw

    def restore(self, state: bytes) -> None:
        """Put back what ``save`` gave."""
        self._library.memory_restore(self.handle, state)

    def _clean(self, address: int, forget: bool) -> None:
        self._library.memory_clean_line(self.handle, address, forget)

    def _attribute(self, slot: int, start: int, last: int, policy: int) -> None:
        self._library.memory_attribute(self.handle, slot, start, last, policy)


def _declare(library: ctypes.CDLL) -> ctypes.CDLL:
    handle, word, time = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint64
    library.memory_config_bytes.restype = ctypes.c_size_t
    assert library.memory_config_bytes() == ctypes.sizeof(Config), "memory.h and python disagree"
    library.memory_open.restype = handle
    for name, arguments, result in (
        ("memory_close", (handle,), None),
        ("memory_reset", (handle,), None),
        ("memory_switch", (handle, word, word), None),
        ("memory_invalidate", (handle, word), None),
        ("memory_clean_line", (handle, word, word), None),
        ("memory_attribute", (handle, word, word, word, word), ctypes.c_int),
        ("memory_fetch_bytes", (handle,), word),
        ("memory_fetch", (handle, word, time), word),
        ("memory_load", (handle, word, word, time), word),
        ("memory_store", (handle, word, word, time), word),
        ("memory_state_bytes", (handle,), ctypes.c_size_t),
        ("memory_save", (handle, ctypes.c_void_p), None),
        ("memory_restore", (handle, ctypes.c_char_p), None),
        ("memory_read_counts", (handle, ctypes.POINTER(Counts)), None),
    ):
        function: Any = getattr(library, name)
        function.argtypes, function.restype = arguments, result
    return library


_MOST_REGIONS = 16
_DIRECT, _ACCELERATED, _FLASH, _BUS = range(4)  # memory_region.path
_L1_WAYS = (2, 4)  # instruction, data: DDI 0489 5.9
# How far fetch runs ahead of execution. M4: three words (DDI 0337 1.4, the same unit);
# M7: 4 x 64 bits (DDI 0489, PFU).
_RUN_AHEAD_BYTES = {"cortex-m4": 12, "cortex-m7": 32}
_M7_FETCH_BYTES = 8
# Whether a miss in ST's accelerator reads the whole line or one read of the flash: not documented.
# Fetches: one read (G474: 6.07 cycles per 8 bytes without prefetch). Loads: two MLPerf Tiny results
# tell, HALE v1.2 ad on the L4R5 with its weights in flash, 5.835 ms, and with the same code and the
# weights in RAM, 4.728 ms: the difference of 1.107 ms is 1.14 with whole lines, 1.71 without.
_WHOLE_DATA_LINES = 1


class Region(ctypes.Structure):
    """Mirror of ``memory_region``."""

    _fields_ = tuple(
        (name, ctypes.c_uint32)
        for name in ("start", "last", "path", "cacheable", "beat_bytes", "latency")
    )


class Cache(ctypes.Structure):
    """Mirror of ``cache_shape``."""

    _fields_ = tuple((name, ctypes.c_uint32) for name in ("lines", "ways", "line_bytes", "random"))


class Config(ctypes.Structure):
    """Mirror of ``memory_config``."""

    _fields_ = (
        ("regions", Region * _MOST_REGIONS),
        ("region_count", ctypes.c_uint32),
        ("fetch_bytes", ctypes.c_uint32),
        ("run_ahead_bytes", ctypes.c_uint32),
        ("flash_bytes", ctypes.c_uint32),
        ("art_code", Cache),
        ("art_data", Cache),
        ("art_unified", ctypes.c_uint32),
        ("art_whole_data_lines", ctypes.c_uint32),
        ("l1_code", Cache),
        ("l1_data", Cache),
    )


class Counts(ctypes.Structure):
    """Mirror of ``memory_counts``."""

    _fields_ = tuple(
        (name, ctypes.c_uint64)
        for name in (
            "fetches",
            "fetch_misses",
            "fetch_stall",
            "loads",
            "load_misses",
            "load_delay",
            "stores",
            "store_misses",
            "store_stall",
            "flash_reads",
            "prefetches",
            "write_backs",
        )
    )


def _region(region: MemoryRegion) -> Region:
    path = _DIRECT
    if region.bus == "accelerator":
        path = _ACCELERATED
    elif region.bus == "axi":
        path = _FLASH if region.kind == "flash" else _BUS
    cacheable = default_policy(region.start) if region.bus == "axi" else 0
    return Region(
        region.start, region.end - 1, path, cacheable, region.bus_bytes, region.bus_cycles
    )


def _l1(size_bytes: int, line_bytes: int, ways: int) -> Cache:
    return Cache(size_bytes // line_bytes, ways, line_bytes, 0)


def memory_config(board: Board) -> Config:
    """The memory system that a board file describes.

    Raises:
        EmulatorError: It has more regions than memory.h takes, or a core without fetch unit data.
    """
    if board.core not in _RUN_AHEAD_BYTES:
        raise EmulatorError(
            f"board {board.id}: nothing is known of how a {board.core} fetches; "
            f"known: {', '.join(sorted(_RUN_AHEAD_BYTES))}"
        )
    regions = [_region(r) for r in sorted(board.memory, key=lambda r: r.start) if r.bus != "direct"]
    if len(regions) > _MOST_REGIONS:
        raise EmulatorError(
            f"board {board.id}: more than {_MOST_REGIONS} regions; raise MEMORY_REGIONS in memory.h"
        )
    flash_bytes = next((r.line_bytes for r in board.memory if r.line_bytes is not None), 4)
    config = Config(
        region_count=len(regions),
        fetch_bytes=_M7_FETCH_BYTES if board.core == "cortex-m7" else flash_bytes,
        run_ahead_bytes=_RUN_AHEAD_BYTES[board.core],
        flash_bytes=flash_bytes,
    )
    for index, region in enumerate(regions):
        config.regions[index] = region
    if board.accelerator is not None:
        art = board.accelerator
        config.art_code = Cache(art.code_lines, art.code_lines, art.line_bytes, 0)
        config.art_data = Cache(art.data_lines, art.data_lines, art.line_bytes, 0)
        config.art_unified = art.unified
        config.art_whole_data_lines = _WHOLE_DATA_LINES
    if board.core == "cortex-m7":
        line = board.cpu.cache_line_bytes
        config.l1_code = _l1(board.cpu.icache_bytes, line, _L1_WAYS[0])
        config.l1_data = _l1(board.cpu.dcache_bytes, line, _L1_WAYS[1])
    return config
