# SPDX-License-Identifier: Apache-2.0
"""Each real port on its virtual board: what it leaves in the registers, and what it says."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.virtual.port_board import PortBoard, compile_port
from tests.virtual.probe_board import word, words
from unas.board import Board, load_board
from unas.firmware.recipe import STACK_BYTES
from unas.firmware.render import code_and_data
from unas.virtual.bus.rules import Strictness
from unas.virtual.machine.events import FaultEvent, StageEvent
from unas.virtual.stm32.identity import unique_id

BOARDS = ("f746", "l4r5")
# (address, mask, value) once the board is up: ../shared/design/stm32-ports.md, 2.1, 2.4, 3 and 5.
SET_UP = {
    "f746": (
        (0x40023800, 0x03070000, 0x03070000),  # RCC_CR: HSE by bypass and PLL, on and ready
        (0x40023804, 0xFFFFFFFF, 0x29403604),  # RCC_PLLCFGR
        (0x40023808, 0xFFFFFFFF, 0x0000940A),  # RCC_CFGR
        (0x40007004, 0x00030000, 0x00030000),  # PWR_CSR1: over-drive
        (0x40023C00, 0xFFFFFFFF, 0x00000307),  # FLASH_ACR
        (0x40020C24, 0x000000FF, 0x00000077),  # GPIOD_AFRH
        (0x40020C00, 0x000F0000, 0x000A0000),  # GPIOD_MODER
        (0x4000480C, 0xFFFFFFFF, 0x000001D5),  # USART3_BRR
        (0x40004800, 0xFFFFFFFF, 0x0000000D),  # USART3_CR1
        (0xE000ED14, 0x00030000, 0x00030000),  # CCR: both caches
        (0xE0001000, 0x02000001, 0x00000001),  # DWT_CTRL
    ),
    "l4r5": (
        (0x40021000, 0x03000500, 0x03000500),  # RCC_CR: HSI16 and PLL, on and ready
        (0x4002100C, 0xFFFFFFFF, 0x01001E12),  # RCC_PLLCFGR
        (0x40021008, 0xFFFFFFFF, 0x0000000F),  # RCC_CFGR
        (0x40007000, 0x00000600, 0x00000200),  # PWR_CR1: range 1
        (0x40007004, 0x00000200, 0x00000200),  # PWR_CR2.IOSV
        (0x40007080, 0x00000100, 0x00000000),  # PWR_CR5.R1MODE: boost
        (0x40022000, 0xFFFFFFFF, 0x00000705),  # FLASH_ACR
        (0x48001820, 0xF0000000, 0x80000000),  # GPIOG_AFRL
        (0x48001824, 0x0000000F, 0x00000008),  # GPIOG_AFRH
        (0x48001800, 0x0003C000, 0x00028000),  # GPIOG_MODER
        (0x4000800C, 0xFFFFFFFF, 0x000411AB),  # LPUART1_BRR
        (0x40008000, 0xFFFFFFFF, 0x0000000D),  # LPUART1_CR1
        (0x40021088, 0x00000C00, 0x00000000),  # RCC_CCIPR: LPUART1 from PCLK1
        (0xE0001000, 0x02000001, 0x00000001),  # DWT_CTRL
    ),
}
# Section 8: RCC_CSR after power-on, and what SYSRESETREQ adds (SFT, PIN).
CAUSES = {"f746": (0x0E000000, 0x14000000), "l4r5": (0x0C000000, 0x14000000)}
# Section 4: bit 0 prefetch, bit 1 ART or instruction cache, bit 2 data cache.
ACCELERATORS = {"f746": 0b011, "l4r5": 0b111}


@pytest.fixture(scope="module")
def elf(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("ports")
    built: dict[str, Path] = {}

    def build(name: str) -> Path:
        if name not in built:
            built[name] = compile_port(folder, load_board(name))
        return built[name]

    return build


@pytest.fixture(params=BOARDS)
def board(request: pytest.FixtureRequest) -> Board:
    return load_board(str(request.param))


@pytest.fixture
def port(board: Board, elf: Callable[[str], Path]) -> Iterator[PortBoard]:
    up = PortBoard(board, elf(board.id))
    assert up.ask(b"") == b"!"
    yield up
    up.machine.close()


def test_registers_once_the_board_is_up(port: PortBoard, board: Board) -> None:
    found = {f"0x{a:08X}": hex(port.read(a) & mask) for a, mask, _ in SET_UP[board.id]}
    assert found == {f"0x{a:08X}": hex(value) for a, _, value in SET_UP[board.id]}


def test_the_port_says_what_the_board_file_says(port: PortBoard, board: Board) -> None:
    info = port.info()
    assert info.core_clock_hz == board.core_clock_hz
    assert info.cpuid == board.cpu.cpuid
    assert info.device_id & 0xFFF == board.cpu.device_id
    assert info.uid == unique_id(0)
    assert (info.icache, info.dcache) == (board.cpu.icache_bytes > 0, board.cpu.dcache_bytes > 0)
    assert info.flash_wait_states == board.region("flash").wait_states
    assert info.flash_accelerator == ACCELERATORS[board.id]
    assert info.clock_source == (board.hse_hz > 0)


def test_causes_of_resets(port: PortBoard, board: Board) -> None:
    power_on, software = CAUSES[board.id]
    assert port.info().reset_cause == power_on
    assert port.ask(b"Q") == b"!"
    assert port.info().reset_cause == software


def test_the_line_carries_every_byte(port: PortBoard) -> None:
    data = bytes(range(256)) * 2
    assert port.ask(b"E" + word(len(data)) + data) == data


def test_cycles_go_on(port: PortBoard) -> None:
    first, second = struct.unpack("<2Q", port.ask(b"C"))
    assert 0 < first < second


def test_all_ram_but_a_little_is_the_arena(port: PortBoard, board: Board) -> None:
    start, size = port.arena()
    _, data = code_and_data(board)
    assert start + size == data.end
    assert board.ram_bytes - STACK_BYTES - 2048 < size < board.ram_bytes - STACK_BYTES


def test_ram_has_no_gap_and_ends_where_the_board_file_says(port: PortBoard, board: Board) -> None:
    seams = [r.start for r in board.memory if r.use == "data"][1:]
    assert seams
    for seam in seams:
        for address in (seam - 4, seam):
            port.write(address, address)
            assert port.read(address) == address
    _, data = code_and_data(board)
    assert port.ask(b"W" + word(data.end) + word(0)) == b"!"  # a fault, and its reset
    (fault,) = [event for event in port.events if isinstance(event, FaultEvent)]
    assert fault.address == data.end


def test_aliases_show_the_same_memory(port: PortBoard, board: Board) -> None:
    aliases = [r for r in board.memory if r.alias_of]
    assert aliases
    for alias in aliases:
        shown = board.region(str(alias.alias_of))
        if shown.kind == "ram":
            port.write(shown.start + 64, 0xC0FFEE)
            assert port.read(alias.start + 64) == 0xC0FFEE
        assert port.read(alias.start + 4) == port.read(shown.start + 4)


def test_a_fault_is_told_after_the_reset(port: PortBoard, board: Board) -> None:
    assert port.ask(b"T") == word(0)
    port.ask(b"S" + word(7))
    nowhere = 0x60000000
    assert port.ask(b"R" + word(nowhere)) == b"!"
    there, magic, pc, _, status, _, address, stage = words(port.ask(b"T"))
    (fault,) = [event for event in port.events if isinstance(event, FaultEvent)]
    assert (there, magic, stage) == (1, 0xFA17C0DE, 7)
    assert (pc, address) == (fault.pc, nowhere)
    assert status == 1 << 15 | 1 << 9  # BFARVALID, PRECISERR
    assert port.ask(b"T") == word(0)
    assert [e.stage for e in port.events if isinstance(e, StageEvent)] == [7]


def test_a_stack_that_overflows_faults_and_spoils_nothing(port: PortBoard) -> None:
    start, _ = port.arena()
    port.write(start, 0x12345678)
    assert port.ask(b"D" + word(4)) != b"!"
    # The frame cannot be stacked where there is no RAM: lock-up, or a fault told by the handler.
    with pytest.raises(Exception, match="outside"):
        port.ask(b"D" + word(1000))


def test_it_state_does_not_outlive_its_block(port: PortBoard) -> None:
    """Unicorn leaves it behind when a hook is called within an IT block; see diagnosis.py."""
    start, size = port.arena()
    for page in range(8):  # untouched so far: the store is looked up, from within the IT block
        place = start + size - 4096 * (page + 1)
        assert words(port.ask(b"X" + word(place))) == (42,)


def test_stores_to_flash_are_lost_where_other_firmware_runs(
    board: Board, elf: Callable[[str], Path]
) -> None:
    reported: list[str] = []
    up = PortBoard(board, elf(board.id), strictness=Strictness(tell=reported.append))
    assert up.ask(b"") == b"!"
    places = [board.region("flash").start + offset for offset in (0, 0x400, 0x40000)]
    before = [up.read(place) for place in places]
    for place in places:
        up.write(place, 0x12345678)
    assert [up.read(place) for place in places] == before
    assert up.events == []
    assert [text for text in reported if "writes to flash" in text] == reported
    assert len(reported) == 1
    up.machine.close()


def test_units_differ(board: Board, elf: Callable[[str], Path]) -> None:
    found = set()
    for instance in range(2):
        up = PortBoard(board, elf(board.id), instance=instance)
        up.ask(b"")
        found.add(up.info().uid)
        up.machine.close()
    assert len(found) == 2
