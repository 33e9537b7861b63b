# SPDX-License-Identifier: Apache-2.0
"""A board's memory system as native/memory.h takes it."""

from __future__ import annotations

import ctypes

from unas.board import Board, MemoryRegion
from unas.errors import EmulatorError
from unas.virtual.memory_protection import default_policy

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
    """Mirror of ``memory_cache``."""

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
