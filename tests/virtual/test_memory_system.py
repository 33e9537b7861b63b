# SPDX-License-Identifier: Apache-2.0
"""The memory system alone, without a core: what its caches hold, and what accesses cost.

"G474": measured on an STM32G474RE, 170 MHz, 4 wait states, 64-bit flash lines (gem5 fork studyztp,
microbenchmarks/art_vs_noart_comparison.md); the same accelerator as the L4's.
"""

from __future__ import annotations

import ctypes
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.virtual.cache_oracle import LruCache
from unas._process import run
from unas.board import Board, load_board
from unas.errors import EmulatorError
from unas.virtual.bus.memory_system import (
    ART_CODE,
    ART_DATA,
    L1_CODE,
    L1_DATA,
    PREFETCH,
    MemorySystem,
)
from unas.virtual.bus.registers import Bus, Peripheral, Register

_SOURCES = Path(__file__).parents[2] / "unas" / "virtual" / "native"
_FILES = ("memory.c", "cache.c", "accelerator.c", "l1.c")
_FLAGS = ("-std=c11", "-O2", "-fPIC", "-shared", "-Wall", "-Wextra", "-Werror", "-Wshadow")
_FLASH = 0x08000000
_G474_WAIT_STATES = 4
_F746_WAIT_STATES = 7
_LINE = 32

Maker = Callable[..., MemorySystem]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    target = tmp_path_factory.mktemp("memory") / "memory.so"
    run(["cc", *_FLAGS, "-o", target, *(_SOURCES / name for name in _FILES)], timeout_s=60.0)
    return ctypes.CDLL(str(target))


@pytest.fixture
def make(library: ctypes.CDLL) -> Iterator[Maker]:
    opened = []

    def maker(board: Board | str, on: int, wait_states: int) -> MemorySystem:
        system = MemorySystem(library, load_board(board) if isinstance(board, str) else board)
        system.switch(on, wait_states)
        opened.append(system)
        return system

    yield maker
    for system in opened:
        system.close()


def straight(system: MemorySystem, bytes_each: int, count: int, now: int = 0) -> int:
    """Cycles of ``count`` instructions of one cycle each, one behind the other, from flash."""
    begin = now
    for index in range(count):
        now += system.fetch(_FLASH + index * bytes_each, now) + 1
    return now - begin


# What the caches hold -----------------------------------------------------------------------------

_lines = st.lists(st.tuples(st.integers(0, 400), st.booleans()), min_size=1, max_size=400)


@settings(deadline=None, max_examples=60)
@given(_lines)
def test_l1_data_cache_holds_what_an_lru_cache_holds(
    library: ctypes.CDLL, accesses: list[tuple[int, bool]]
) -> None:
    system = MemorySystem(library, load_board("f746"))
    system.switch(L1_DATA, _F746_WAIT_STATES)
    oracle = LruCache(sets=32, ways=4, line_bytes=_LINE)  # 4 KiB, 4 ways: DS10916, DDI 0489 5.9
    base = 0x20010000  # SRAM1: write-back, write-allocate
    now = 0
    for line, write in accesses:
        address = base + line * _LINE
        hit = oracle.touch(address, write=write)
        wait = (system.store if write else system.load)(address, 4, now)
        assert write or (wait == 0) == hit
        now += 1000  # each refill is over before the next access
    assert system.counts.load_misses + system.counts.store_misses == oracle.misses
    assert system.counts.write_backs == oracle.write_backs
    system.close()


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=400), st.sampled_from([8, 32]))
def test_accelerators_lines_are_those_of_a_fully_associative_lru_cache(
    library: ctypes.CDLL, lines: list[int], held: int
) -> None:
    system = MemorySystem(library, load_board("l4r5"))
    system.switch(ART_CODE | ART_DATA, _G474_WAIT_STATES)
    oracle = LruCache(sets=1, ways=held, line_bytes=_LINE)
    now = 0
    for line in lines:
        address = _FLASH + line * _LINE
        wait = system.load(address, 4, now) if held == 8 else system.fetch(address, now)
        assert (wait == 0) == oracle.touch(address)
        now += 1000
    counts = system.counts
    assert counts.load_misses + counts.fetch_misses == oracle.misses
    system.close()


def test_two_runs_give_the_same_cycles(make: Maker) -> None:
    def walk() -> list[int]:
        system = make("f746", L1_CODE | L1_DATA, _F746_WAIT_STATES)
        now, seed, seen = 0, 1, []
        for _ in range(5000):
            seed = seed * 1103515245 + 12345 & 0x7FFFFFFF
            address = (0x20010000 if seed & 1 else _FLASH) + (seed >> 8) % 16384
            seen.append(
                system.load(address, 4, now)
                if seed & 6
                else system.store(0x20010000 + address % 8192, 1, now)
            )
            seen.append(system.fetch(_FLASH + (seed >> 4) % 8192, now))
            now += 1 + sum(seen[-2:])
        return seen

    first = walk()
    assert walk() == first
    assert len(set(first)) > 3


# Fetches through ST's accelerator: G474 -----------------------------------------------------------


def test_straight_code_without_cache_or_prefetch(make: Maker) -> None:
    # G474: 6 cycles per 8-byte line, whatever is in it: 100 nop, 25 lines, 167 with the harness;
    # 100 add.w, 50 lines, 323.
    assert straight(make("l4r5", 0, _G474_WAIT_STATES), 2, 100) == pytest.approx(25 * 6, abs=6)
    assert straight(make("l4r5", 0, _G474_WAIT_STATES), 4, 100) == pytest.approx(50 * 6, abs=6)


def test_code_that_fits_runs_at_one_cycle_each_from_the_second_time_on(make: Maker) -> None:
    for on in (ART_CODE, ART_CODE | PREFETCH):
        system = make("l4r5", on, _G474_WAIT_STATES)
        cold = straight(system, 2, 400)
        assert straight(system, 2, 400, now=cold) == 400
        assert cold > 450


@pytest.mark.parametrize(("on", "per_line"), [(ART_CODE | PREFETCH, 5.07), (ART_CODE, 6.07)])
def test_code_larger_than_the_cache_waits_for_each_line(
    make: Maker, on: int, per_line: float
) -> None:
    # G474: 4 x 1024 nop: 5195 cycles with prefetch, 6220 without: 5.07 and 6.07 per 8 bytes; the
    # loop's own instructions are part of that: 2 % of room.
    system = make("l4r5", on, _G474_WAIT_STATES)
    now = 0
    for _ in range(4):
        now += straight(system, 2, 1024, now=now) + 1
    assert now / 1024 == pytest.approx(per_line, rel=0.02)


def test_a_wider_flash_waits_half_as_often(make: Maker) -> None:
    board = load_board("l4r5")
    wide = dataclasses.replace(
        board,
        memory=tuple(
            dataclasses.replace(r, line_bytes=16) if r.name == "flash" else r for r in board.memory
        ),
    )
    narrow = straight(make(board, PREFETCH, 5), 4, 256)
    assert straight(make(wide, PREFETCH, 5), 4, 256) == pytest.approx(narrow / 2, rel=0.02)


def test_a_load_that_misses_brings_its_whole_line_the_wanted_piece_first(make: Maker) -> None:
    system = make("l4r5", ART_DATA, 5)  # four reads of 8 bytes, 6 cycles each, make a line
    assert system.load(_FLASH + 16, 4, 0) == 6
    assert system.load(_FLASH + 24, 4, 6) == 6
    assert system.load(_FLASH, 4, 6) == 2 * 6
    assert system.load(_FLASH + 64, 4, 6) == 4 * 6  # another line waits for all of it


def test_prefetch_takes_the_flash_from_loads(make: Maker) -> None:
    system = make("l4r5", PREFETCH | ART_DATA, 5)
    begin = system.fetch(_FLASH, 0)
    waits = system.load(_FLASH + 0x1000, 4, begin)
    assert waits == 2 * 6  # the read of the next line must end first
    assert system.load(_FLASH + 0x1000, 4, begin + waits) == 0


# Behind the L1 caches ----------------------------------------------------------------------------


def _refill(name: str) -> int:
    return load_board("f746").region(name).bus_cycles


def test_the_wanted_word_of_a_line_comes_first_the_others_follow(make: Maker) -> None:
    system = make("f746", L1_DATA, _F746_WAIT_STATES)
    first = _refill("flash") + _F746_WAIT_STATES + 1
    assert system.load(_FLASH + 16, 4, 100) == first
    assert system.load(_FLASH + 20, 4, 100) == first  # the same 64-bit beat
    assert system.load(_FLASH + 24, 4, 100) == first + 1
    assert system.load(_FLASH, 4, 100) == first + 2  # round to the line's start
    assert system.load(_FLASH + 8, 4, 100) == first + 3
    assert system.load(_FLASH + 8, 4, 100 + first + 3) == 0


def test_a_second_miss_waits_for_the_first(make: Maker) -> None:
    system = make("f746", L1_DATA, _F746_WAIT_STATES)
    first = system.load(_FLASH, 4, 0)
    assert system.load(_FLASH + 4096, 4, 0) == first + 3 + first


def test_sequential_code_is_asked_for_ahead_of_its_execution(make: Maker) -> None:
    system = make("f746", L1_CODE, _F746_WAIT_STATES)
    now = system.fetch(_FLASH, 0)
    waits = []
    for address in range(_FLASH + 8, _FLASH + 1024, 8):
        now += 2  # four instructions, two a cycle
        waits.append(system.fetch(address, now))
        now += waits[-1]
    line = _refill("flash") + _F746_WAIT_STATES + 1
    # Refills follow each other at once, the last beat 3 cycles behind the first; 8 of them it runs.
    assert sum(waits) == 31 * (line + 3 - 8)
    jump = system.fetch(_FLASH + 8192, now + 100)
    assert jump == line


def test_without_caches_each_access_goes_over_the_bus(make: Maker) -> None:
    system = make("f746", 0, _F746_WAIT_STATES)
    line = _refill("flash") + _F746_WAIT_STATES + 1
    assert system.load(_FLASH, 4, 0) == line
    assert system.load(_FLASH, 4, 100) == line - _F746_WAIT_STATES  # the flash still holds the line
    assert system.load(0x20010000, 4, 100) == _refill("sram1")


def test_tightly_coupled_memory_and_an_m4s_sram_cost_nothing(make: Maker) -> None:
    f746, l4r5 = make("f746", 0, _F746_WAIT_STATES), make("l4r5", 0, 5)
    for system, address in ((f746, 0x20000000), (f746, 0), (l4r5, 0x20000000), (l4r5, 0x10000000)):
        assert system.fetch(address, 0) == system.load(address, 4, 0) == 0
        assert system.store(address, 4, 0) == 0


def test_a_store_that_misses_holds_up_the_core_only_when_many_follow(make: Maker) -> None:
    system = make("f746", L1_DATA, _F746_WAIT_STATES)
    assert system.store(0x20010000, 4, 0) == 0
    waits = [system.store(0x20010000 + _LINE * n, 4, n) for n in range(1, 40)]
    assert sum(waits) > 0


def test_what_is_cleaned_is_not_written_back_and_what_is_forgotten_is_read_again(
    make: Maker,
) -> None:
    system = make("f746", L1_DATA, _F746_WAIT_STATES)
    for now, way in enumerate(range(5)):  # one more than there are ways
        system.store(0x20010000 + 1024 * way, 4, 1000 * now)
    assert system.counts.write_backs == 1
    system.invalidate(L1_DATA)
    misses = system.counts.load_misses
    assert system.load(0x20010000, 4, 100_000) > 0
    assert system.counts.load_misses == misses + 1


def test_the_flash_seen_through_its_accelerator_on_an_f7(make: Maker) -> None:
    system = make("f746", PREFETCH | ART_CODE, _F746_WAIT_STATES)
    assert system.fetch(0x00200000, 0) == _F746_WAIT_STATES + 1
    assert system.load(0x00200000, 4, 1000) == 0  # loads share its lines
    assert system.fetch(0x00200020, 1000) == 0  # prefetched


def test_a_board_that_makes_no_sense_is_refused(library: ctypes.CDLL) -> None:
    board = load_board("f746")
    odd = dataclasses.replace(board, cpu=dataclasses.replace(board.cpu, dcache_bytes=3000))
    with pytest.raises(EmulatorError, match="make no sense together"):
        MemorySystem(library, odd)


# What the firmware switches -----------------------------------------------------------------------


def _bus() -> Bus:
    flash = Peripheral("FLASH", 0x40023C00, 0x400, (Register(0x00, "ACR"),))
    core = Peripheral(
        "SCS",
        0xE000E000,
        0x1000,
        (Register(offset, f"R{offset:X}") for offset in range(0, 4096, 4)),
    )
    return Bus((flash, core))


@pytest.fixture
def followed(make: Maker) -> tuple[MemorySystem, Bus]:
    """The F746's memory system behind the registers that its firmware writes."""
    system, bus = make("f746", 0, 0), _bus()
    system.follow(bus)
    return system, bus


def test_wait_states_and_prefetch_follow_flash_acr(followed: tuple[MemorySystem, Bus]) -> None:
    system, bus = followed
    assert system.fetch(0x00200000, 0) == 1  # after reset: no wait states, a read is one cycle
    bus.write(0x40023C00, 4, 0x307)  # LATENCY = 7, PRFTEN, ARTEN
    assert system.fetch(0x00200400, 100) == 8
    assert system.fetch(0x00200420, 200) == 0  # prefetched
    assert system.load(0x00200400, 4, 300) == 0  # kept
    bus.write(0x40023C00, 4, 0x907)  # ARTEN off with ARTRST
    assert system.load(0x00200400, 4, 400) == 8


def test_caches_follow_ccr_and_the_maintenance_registers(
    followed: tuple[MemorySystem, Bus],
) -> None:
    system, bus = followed
    bus.write(0x40023C00, 4, 7)
    bus.write(0xE000ED14, 4, 1 << 16)
    miss = system.load(_FLASH, 4, 0)
    assert miss > 0
    assert system.load(_FLASH, 4, 100) == 0
    bus.write(0xE000EF5C, 4, _FLASH)  # DCIMVAC
    assert system.load(_FLASH, 4, 200) > 0
    assert system.load(_FLASH, 4, 300) == 0
    bus.write(0xE000EF60, 4, 0)  # DCISW
    assert system.load(_FLASH, 4, 400) > 0
    bus.write(0xE000ED14, 4, 0)
    assert system.load(_FLASH, 4, 500) > 0


@pytest.mark.parametrize(
    ("attributes", "cached"),
    [
        (0b000_0_0_1 << 16, False),  # device
        (0b000_0_1_0 << 16, True),  # write-through
        (0b000_1_1_1 << 16, False),  # shared: an M7 does not cache it
        (0b001_0_1_1 << 16, True),  # write-back, write-allocate
        (0b001_0_0_0 << 16, False),  # normal, not cacheable
    ],
)
def test_the_mpu_says_what_is_cacheable(
    followed: tuple[MemorySystem, Bus], attributes: int, cached: bool
) -> None:
    system, bus = followed
    bus.write(0xE000ED14, 4, 1 << 16)
    bus.write(0xE000ED98, 4, 1)  # RNR
    bus.write(0xE000ED9C, 4, 0x20010000)
    bus.write(0xE000EDA0, 4, attributes | 13 << 1 | 1)  # 16 KiB
    bus.write(0xE000ED94, 4, 5)  # ENABLE, PRIVDEFENA
    now = 0
    for address, expected in ((0x20010000, cached), (0x20014000, True)):
        system.load(address, 4, now)
        assert (system.load(address, 4, now + 100) == 0) == expected
        now += 1000


def test_a_reset_forgets_it_all(followed: tuple[MemorySystem, Bus]) -> None:
    system, bus = followed
    bus.write(0xE000ED14, 4, 1 << 16)
    system.load(_FLASH, 4, 0)
    assert system.load(_FLASH, 4, 100) == 0
    bus.reset()
    system.reset()
    assert system.load(_FLASH, 4, 200) > 0
    assert system.load(_FLASH, 4, 300) > 0
