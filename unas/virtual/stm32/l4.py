# SPDX-License-Identifier: Apache-2.0
"""The STM32L4R5. Addresses: ST CMSIS header stm32l4r5xx.h; clock choices: RM0432 6.4.27."""

from __future__ import annotations

from unicorn.arm_const import UC_CPU_ARM_CORTEX_M4

from unas.board import Board
from unas.virtual.bus.link import ByteLink
from unas.virtual.core.chip import Chip, Services
from unas.virtual.core.debug import Dwt, Itm
from unas.virtual.core.system_control import SystemControl
from unas.virtual.stm32.crc import Crc
from unas.virtual.stm32.dma_l4 import build_channels
from unas.virtual.stm32.gpio import Gpio, GpioFamily, PortReset
from unas.virtual.stm32.identity import IdentityPlaces, debug_mcu, system_memory
from unas.virtual.stm32.rcc_l4 import L4ClockControl
from unas.virtual.stm32.timers import L4_TIMERS, build_timers
from unas.virtual.stm32.uarts import UartPlace, UartWiring, build_uarts

_RESET_VECTORS = 0x00000000  # boot from flash: it is seen at 0
_IDENTITY = IdentityPlaces(
    unique_id=0x1FFF7590,  # UID_BASE
    flash_size=0x1FFF75E0,  # FLASHSIZE_BASE
    revision=0x1003,  # Y, RM0432 57.6.1
    freeze=("APB1FZR1", "APB1FZR2", "APB2FZR"),
)
_GPIO = GpioFamily(
    0x48000000,
    "ABCDEFGHI",
    "AHB2ENR",
    {
        "A": PortReset(0xABFFFFFF, 0x0C000000, 0x64000000),
        "B": PortReset(0xFFFFFEBF, 0, 0x00000100),
    },
    PortReset(0xFFFFFFFF),  # analog
)
_UARTS = tuple(
    UartPlace(name, base, enable, ("CCIPR", choice), function, interrupt, bus)
    for name, base, enable, choice, function, interrupt, bus in (
        ("USART1", 0x40013800, ("APB2ENR", 14), 0, 7, 37, 2),
        ("USART2", 0x40004400, ("APB1ENR1", 17), 2, 7, 38, 1),
        ("USART3", 0x40004800, ("APB1ENR1", 18), 4, 7, 39, 1),
        ("UART4", 0x40004C00, ("APB1ENR1", 19), 6, 8, 52, 1),
        ("UART5", 0x40005000, ("APB1ENR1", 20), 8, 8, 53, 1),
        ("LPUART1", 0x40008000, ("APB1ENR2", 0), 10, 8, 70, 1),
    )
)


def build_stm32l4(board: Board, services: Services, link: ByteLink, instance: int) -> Chip:
    """See ``chip.ChipFactory``."""
    clock = L4ClockControl(board, services.rules)
    gpio = Gpio(_GPIO, clock.enabled, services.rules, clock.powers)
    control = SystemControl(
        board.cpu,
        _RESET_VECTORS,
        double_precision=False,
        services=services,
    )
    controllers, mux = build_channels(clock, control.exceptions, services)

    def request(uart: str, direction: str, high: bool) -> None:
        for controller in controllers:
            controller.request(uart, direction, high)

    uarts = build_uarts(
        _UARTS, board, services, link, UartWiring(clock, gpio, control.exceptions, request)
    )
    timers = build_timers(L4_TIMERS, clock, control.exceptions, services)
    peripherals = (
        clock.rcc,
        clock.pwr,
        clock.flash,
        *gpio.ports.values(),
        Crc(lambda: clock.enabled("AHB1ENR", 12)),
        *controllers,
        mux,
        *uarts,
        *timers,
        control,
        Dwt(lambda: control.trace_enabled, lambda: services.awake_cycles, locked=False),
        Itm(services.mark_stage),
        debug_mcu(_IDENTITY, board.cpu.device_id),
    )
    fixed = system_memory(_IDENTITY, instance, board.flash_bytes)
    return Chip(
        UC_CPU_ARM_CORTEX_M4,
        control,
        peripherals,
        fixed,
        _RESET_VECTORS,
        clock.mark_software_reset,
        awaits_input=lambda: any(uart.awaits_byte for uart in uarts),
        core_clock_hz=lambda: clock.clocks().hclk_hz,
        timers=timers,
    )
