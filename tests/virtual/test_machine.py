# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from tests.virtual.machine_memory import read_memory
from tests.virtual.probe_board import BOARD, ProbeBoard, word, words
from unas.board import Board
from unas.errors import EmulatorError
from unas.virtual.machine.machine import Machine, Stop
from unas.virtual.stm32.identity import unique_id

RCC_CSR = 0x40023874


def with_region(name: str, **changes: object) -> Board:
    regions = tuple(
        dataclasses.replace(r, **changes) if r.name == name else r  # type: ignore[arg-type]
        for r in BOARD.memory
    )
    return dataclasses.replace(BOARD, memory=regions)


def test_the_chip_says_what_the_board_file_says(probe: ProbeBoard) -> None:
    answers = words(probe.ask(b"I"))
    cpuid, device = answers[:2]
    flash_size = answers[5] >> 16
    assert cpuid == BOARD.cpu.cpuid
    assert device & 0xFFF == BOARD.cpu.device_id
    assert b"".join(map(word, answers[2:5])) == unique_id(0)
    assert flash_size * 1024 == BOARD.region("flash").size_bytes


def test_firmware_reaches_its_clocks_and_caches(probe: ProbeBoard) -> None:
    configuration, flash, control = words(probe.ask(b"I"))[6:9]
    assert configuration == 0x0000940A  # SW and SWS = PLL, PPRE1 = /4, PPRE2 = /2
    assert flash == 0x307  # 7 wait states, prefetch, ART
    assert control >> 16 & 3 == 3  # both caches are on


def test_cache_geometry_is_that_of_the_board_file(probe: ProbeBoard) -> None:
    size = words(probe.ask(b"I"))[9]
    sets, ways, line = (size >> 13 & 0x7FFF) + 1, (size >> 3 & 0x3FF) + 1, 1 << (size & 7) + 4
    assert sets * ways * line == BOARD.cpu.dcache_bytes
    assert line == BOARD.cpu.cache_line_bytes


def test_alias_shows_the_same_flash(probe: ProbeBoard, firmware: Callable[..., Path]) -> None:
    flash, alias = BOARD.region("flash"), BOARD.region("flash_itcm")
    assert alias.alias_of == flash.name
    with firmware().open("rb") as file:
        text = ELFFile(file).get_section_by_name(".text")
        address, content = text["sh_addr"], text.data()
    offset = address - flash.start
    assert read_memory(probe.machine, address, len(content)) == content
    assert read_memory(probe.machine, alias.start + offset, len(content)) == content
    assert probe.register(alias.start) == probe.register(flash.start)


def test_unprogrammed_flash_reads_erased(probe: ProbeBoard) -> None:
    assert probe.register(BOARD.region("flash").end - 4) == 0xFFFFFFFF


def test_memory_ends_where_the_board_file_says(firmware: Callable[..., Path]) -> None:
    # The firmware's stack is at the end of RAM: take the last region away, and it is outside.
    smaller = dataclasses.replace(BOARD, memory=tuple(r for r in BOARD.memory if r.name != "sram2"))
    with (
        Machine(smaller, firmware()) as machine,
        pytest.raises(EmulatorError, match=r"lockup: write of .* outside the board's memory"),
    ):
        machine.run(max_instructions=10_000)


def test_firmware_for_another_board_is_refused(firmware: Callable[..., Path]) -> None:
    elsewhere = with_region("flash", start=0x09000000)
    with pytest.raises(EmulatorError, match="outside the board's memory"):
        Machine(elsewhere, firmware())


def test_an_alias_is_no_larger_than_what_it_shows(firmware: Callable[..., Path]) -> None:
    too_large = with_region("flash_itcm", size_bytes=2 << 20)
    with pytest.raises(EmulatorError, match="larger than flash"):
        Machine(too_large, firmware())


def test_a_board_without_machine_or_with_an_unknown_one(firmware: Callable[..., Path]) -> None:
    with pytest.raises(EmulatorError, match="no virtual machine; plug in"):
        Machine(dataclasses.replace(BOARD, virtual_machine=None), firmware())
    with pytest.raises(EmulatorError, match=r"known: .*stm32f7, stm32l4"):
        Machine(dataclasses.replace(BOARD, virtual_machine="z80"), firmware())


def test_what_is_no_firmware_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "firmware.elf"
    text.write_text("not an ELF file, but long enough to look for a header in it. " * 4)
    with pytest.raises(EmulatorError, match="is no ELF file"):
        Machine(BOARD, text)
    with pytest.raises(EmulatorError, match="cannot read"):
        Machine(BOARD, tmp_path / "missing.elf")


def test_instances_differ_in_their_unique_id(firmware: Callable[..., Path]) -> None:
    ids = set()
    for instance in range(3):
        board = ProbeBoard(firmware(), instance=instance)
        board.boot()
        ids.add(words(board.ask(b"I"))[2:5])
        board.machine.close()
    assert len(ids) == 3


def test_unmodelled_peripheral_stops_the_machine(probe: ProbeBoard) -> None:
    with pytest.raises(EmulatorError, match=r"\(app_main\+.*read of 0x40012C00, where no periph"):
        probe.ask(b"F" + word(5))
    with pytest.raises(EmulatorError, match="0x40012C00"):  # and it stays dead
        probe.machine.run()


@pytest.mark.parametrize(("kind", "message"), [(6, "WFI"), (7, "SVC")])
def test_what_needs_interrupts_is_refused(probe: ProbeBoard, kind: int, message: str) -> None:
    with pytest.raises(EmulatorError, match=message):
        probe.ask(b"F" + word(kind))


def test_software_reset_keeps_ram_and_tells_its_cause(probe: ProbeBoard) -> None:
    address = BOARD.region("sram1").start  # nothing of the firmware is there
    noise = probe.register(address)
    assert probe.register(RCC_CSR) >> 24 == 0x0E  # power-on: PORRSTF, PINRSTF, BORRSTF
    assert probe.ask(b"Q") == b"!"
    assert probe.register(RCC_CSR) >> 24 & 0x14 == 0x14  # SFTRSTF, PINRSTF
    assert probe.register(address) == noise
    assert probe.register(0x4002380C) == 0  # RCC_CIR is back at its reset value


def test_ram_wakes_up_with_noise(probe: ProbeBoard) -> None:
    assert probe.register(BOARD.region("sram1").start) not in (0, 0xFFFFFFFF)


def test_serial_line_carries_every_byte_value(probe: ProbeBoard) -> None:
    data = bytes(range(256)) * 3
    assert probe.ask(b"E" + word(len(data)) + data) == data


def test_code_runs_from_ram(probe: ProbeBoard) -> None:
    for count in (41, 42, 43):
        assert words(probe.ask(b"X")) == (count,)
    assert probe.ask(b"Q") == b"!"
    assert words(probe.ask(b"X")) == (41,)


def test_request_stop_ends_a_run_that_would_not(probe: ProbeBoard) -> None:
    probe.machine.request_stop()
    assert probe.machine.run() is Stop.REQUESTED
    assert probe.ask(b"?") == b"?"


def test_peripheral_without_clock_reads_zero_and_ignores_writes(probe: ProbeBoard) -> None:
    assert probe.register(0x40020000) == 0  # GPIOA_MODER would be 0xA8000000
