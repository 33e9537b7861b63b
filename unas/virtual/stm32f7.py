# SPDX-License-Identifier: Apache-2.0
"""The STM32F7 of a Nucleo-144: USART3, PD8 and PD9, is the ST-LINK's virtual COM port (UM1974)."""

from __future__ import annotations

from unicorn.arm_const import UC_CPU_ARM_CORTEX_M7

from unas.board import Board
from unas.errors import EmulatorError
from unas.virtual.chip import Chip, Services
from unas.virtual.clocks import HSI_HZ
from unas.virtual.core import SystemControl
from unas.virtual.debug import Dwt, Itm
from unas.virtual.gpio import Gpio
from unas.virtual.identity import debug_mcu, system_memory
from unas.virtual.link import ByteLink
from unas.virtual.rcc import ClockControl
from unas.virtual.usart import Usart, Wiring

_RESET_VECTORS = 0x00200000  # option byte BOOT_ADD0 = 0x0080: flash through its ITCM alias
_USART3 = 0x40004800
_USART3_ENABLE = 18  # RCC_APB1ENR
_UART_FUNCTION = 7


def _usart3(
    board: Board, services: Services, link: ByteLink, clock: ClockControl, gpio: Gpio
) -> Usart:
    def kernel_clock_hz() -> int:
        clocks = clock.clocks()
        choice = clock.rcc.value("DCKCFGR2") >> 4 & 3  # RM0385 5.3.26, USART3SEL
        if choice == 3:
            raise EmulatorError(
                "USART3 rule broken: it is clocked by the LSE, 32768 Hz; select another"
            )
        return (clocks.pclk1_hz, clocks.sysclk_hz, HSI_HZ)[choice]

    wiring = Wiring(
        board.baud,
        kernel_clock_hz,
        clocked=lambda: clock.enabled("APB1ENR", _USART3_ENABLE),
        transmits=lambda: gpio.routes("D", 8, _UART_FUNCTION),
        receives=lambda: gpio.routes("D", 9, _UART_FUNCTION),
    )
    return Usart("USART3", _USART3, wiring, link, services)


def build_stm32f7(board: Board, services: Services, link: ByteLink, instance: int) -> Chip:
    """See ``chip.ChipFactory``."""
    clock = ClockControl()
    gpio = Gpio(clock)
    control = SystemControl(
        board.cpu,
        _RESET_VECTORS,
        double_precision=not any("-sp-" in flag for flag in board.cpu_flags),
        active_exception=services.active_exception,
        request_reset=services.request_reset,
    )
    peripherals = (
        clock.rcc,
        clock.pwr,
        clock.flash,
        *gpio.ports.values(),
        _usart3(board, services, link, clock, gpio),
        control,
        Dwt(lambda: control.trace_enabled, lambda: services.cycles),
        Itm(services.mark_stage),
        debug_mcu(board.cpu.device_id),
    )
    fixed = system_memory(instance, board.flash_bytes)
    return Chip(
        UC_CPU_ARM_CORTEX_M7, control, peripherals, fixed, _RESET_VECTORS, clock.mark_software_reset
    )
