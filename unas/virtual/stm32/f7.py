# SPDX-License-Identifier: Apache-2.0
"""The STM32F74x. Addresses: ST CMSIS header stm32f746xx.h; clock choices: RM0385 5.3.26."""

from __future__ import annotations

from unicorn.arm_const import UC_CPU_ARM_CORTEX_M7

from unas.board import Board
from unas.virtual.bus.link import ByteLink
from unas.virtual.core.chip import Chip, Services
from unas.virtual.core.debug import Dwt, Itm
from unas.virtual.core.system_control import SystemControl
from unas.virtual.stm32.crc import Crc
from unas.virtual.stm32.dma_f7 import build_streams
from unas.virtual.stm32.gpio import Gpio, GpioFamily, PortReset
from unas.virtual.stm32.identity import IdentityPlaces, debug_mcu, system_memory
from unas.virtual.stm32.rcc_f7 import F7ClockControl
from unas.virtual.stm32.timers import F7_TIMERS, build_timers
from unas.virtual.stm32.uarts import UartPlace, UartWiring, build_uarts

_RESET_VECTORS = 0x00200000  # option byte BOOT_ADD0 = 0x0080: flash through its ITCM alias
_IDENTITY = IdentityPlaces(
    unique_id=0x1FF0F420,  # UID_BASE
    flash_size=0x1FF0F442,  # FLASHSIZE_BASE
    revision=0x1001,  # Z, RM0385 40.6.1
    freeze=("APB1_FZ", "APB2_FZ"),
)
_GPIO = GpioFamily(
    0x40020000,
    "ABCDEFGHIJK",
    "AHB1ENR",
    {
        "A": PortReset(0xA8000000, 0x0C000000, 0x64000000),
        "B": PortReset(0x00000280, 0x000000C0, 0x00000100),
    },
    PortReset(0),
)
_UARTS = tuple(
    UartPlace(name, base, enable, ("DCKCFGR2", choice), function, interrupt, bus)
    for name, base, enable, choice, function, interrupt, bus in (
        ("USART1", 0x40011000, ("APB2ENR", 4), 0, 7, 37, 2),
        ("USART2", 0x40004400, ("APB1ENR", 17), 2, 7, 38, 1),
        ("USART3", 0x40004800, ("APB1ENR", 18), 4, 7, 39, 1),
        ("UART4", 0x40004C00, ("APB1ENR", 19), 6, 8, 52, 1),
        ("UART5", 0x40005000, ("APB1ENR", 20), 8, 8, 53, 1),
        ("USART6", 0x40011400, ("APB2ENR", 5), 10, 8, 71, 2),
        ("UART7", 0x40007800, ("APB1ENR", 30), 12, 8, 82, 1),
        ("UART8", 0x40007C00, ("APB1ENR", 31), 14, 8, 83, 1),
    )
)


def build_stm32f7(board: Board, services: Services, link: ByteLink, instance: int) -> Chip:
    """See ``chip.ChipFactory``."""
    clock = F7ClockControl(board, services.rules)
    gpio = Gpio(_GPIO, clock.enabled, services.rules)
    control = SystemControl(
        board.cpu,
        _RESET_VECTORS,
        double_precision=not any("-sp-" in flag for flag in board.cpu_flags),
        services=services,
    )
    controllers = build_streams(clock, control.exceptions, services)

    def request(uart: str, direction: str, high: bool) -> None:
        for controller in controllers:
            controller.request(uart, direction, high)

    uarts = build_uarts(
        _UARTS, board, services, link, UartWiring(clock, gpio, control.exceptions, request)
    )
    timers = build_timers(F7_TIMERS, clock, control.exceptions, services)
    peripherals = (
        clock.rcc,
        clock.pwr,
        clock.flash,
        *gpio.ports.values(),
        Crc(lambda: clock.enabled("AHB1ENR", 12)),
        *controllers,
        *uarts,
        *timers,
        control,
        Dwt(lambda: control.trace_enabled, lambda: services.awake_cycles),
        Itm(services.mark_stage),
        debug_mcu(_IDENTITY, board.cpu.device_id),
    )
    fixed = system_memory(_IDENTITY, instance, board.flash_bytes)
    return Chip(
        UC_CPU_ARM_CORTEX_M7,
        control,
        peripherals,
        fixed,
        _RESET_VECTORS,
        clock.mark_software_reset,
        awaits_input=lambda: any(uart.awaits_byte for uart in uarts),
        core_clock_hz=lambda: clock.clocks().hclk_hz,
        timers=timers,
    )
