# SPDX-License-Identifier: Apache-2.0
"""RCC, PWR and the flash interface of an STM32F7: what a clock set-up reads, writes and polls.

Addresses, reset values and masks: ST CMSIS header stm32f746xx.h; effects: RM0385 chapters 3 to 5.
"""

from __future__ import annotations

from unas.errors import EmulatorError
from unas.virtual.clocks import Clocks, Supply, check, tree
from unas.virtual.registers import Peripheral, Register

_HSION, _HSEON, _HSEBYP, _PLLON, _PLLI2SON, _PLLSAION = (
    1 << bit for bit in (0, 16, 18, 24, 26, 28)
)
_CR_WRITABLE = 0xF8 | _HSION | _HSEON | _HSEBYP | 1 << 19 | _PLLON | _PLLI2SON | _PLLSAION
_RMVF = 1 << 24
_ODEN, _ODSWEN = 1 << 16, 1 << 17
_PWREN = 1 << 28
_SOFTWARE_RESET_FLAGS = 1 << 28 | 1 << 26  # SFTRSTF; the chip pulls its own NRST, hence PINRSTF
_POWER_ON_FLAGS = 0x0E000000  # PORRSTF, PINRSTF, BORRSTF


class ClockControl:
    """RCC, PWR and FLASH_ACR together: a clock switch is checked against all three."""

    def __init__(self) -> None:
        self._reset_flags = _POWER_ON_FLAGS
        self.rcc = Peripheral("RCC", 0x40023800, 0x400, self._rcc_registers())
        self.pwr = Peripheral("PWR", 0x40007000, 0x400, self._pwr_registers(), self._pwr_clocked)
        self.flash = Peripheral("FLASH", 0x40023C00, 0x400, self._flash_registers())

    def mark_software_reset(self) -> None:
        """Let RCC_CSR tell of a reset by SYSRESETREQ; its flags add up until RMVF."""
        self._reset_flags |= _SOFTWARE_RESET_FLAGS

    def clocks(self) -> Clocks:
        """Frequencies as configured now.

        Raises:
            EmulatorError: The PLL's settings are out of range.
        """
        return tree(self.rcc.value("CFGR"), self.rcc.value("PLLCFGR"))

    def enabled(self, register: str, bit: int) -> bool:
        """Whether a peripheral's clock is on, e.g. ``enabled("AHB1ENR", 3)`` for GPIOD."""
        return bool(self.rcc.value(register) >> bit & 1)

    def _rcc_registers(self) -> tuple[Register, ...]:
        return (
            Register(0x00, "CR", 0x00000083, _CR_WRITABLE, _ready_bits, self._write_cr),
            Register(0x04, "PLLCFGR", 0x24003010, write=self._write_pllcfgr),
            Register(0x08, "CFGR", read=_switch_status, write=self._write_cfgr),
            Register(0x0C, "CIR"),
            Register(0x30, "AHB1ENR", 0x00100000),
            Register(0x34, "AHB2ENR"),
            Register(0x38, "AHB3ENR"),
            Register(0x40, "APB1ENR"),
            Register(0x44, "APB2ENR"),
            Register(0x74, "CSR", 0, _RMVF | 1, self._read_csr, self._write_csr),
            Register(0x8C, "DCKCFGR1"),
            Register(0x90, "DCKCFGR2"),
        )

    def _pwr_registers(self) -> tuple[Register, ...]:
        return (
            Register(0x00, "CR1", 0x0000C000, _ODEN | _ODSWEN | 0xC000, write=self._write_pwr),
            Register(0x04, "CSR1", 0, 0, read=self._power_status),
        )

    def _flash_registers(self) -> tuple[Register, ...]:
        return (
            Register(0x00, "ACR", 0, 0x00000B0F, write=self._write_acr),
            Register(0x0C, "SR", 0, 0),
            Register(0x10, "CR", 0x80000000, 0),
        )

    def _pwr_clocked(self) -> bool:
        return bool(self.rcc.value("APB1ENR") & _PWREN)

    def _supply(self) -> Supply:
        power = self.pwr.value("CR1")
        on = power & _ODEN and power & _ODSWEN
        return Supply(self.flash.value("ACR") & 0xF, power >> 14 & 3, bool(on))

    def _write_cr(self, old: int, new: int) -> int:
        if old & _HSEON:  # RM0385 5.3.1: HSEBYP can be written only while the HSE is off
            new = (new & ~_HSEBYP) | (old & _HSEBYP)
        switch = self.rcc.value("CFGR") & 3
        in_use = (_HSION, _HSEON, _PLLON)[switch] if switch < 3 else 0
        return new | in_use  # hardware keeps on what drives SYSCLK

    def _write_pllcfgr(self, old: int, new: int) -> int:
        return old if self.rcc.value("CR") & _PLLON else new

    def _write_cfgr(self, old: int, new: int) -> int:
        running = self.rcc.value("CR")
        needed = (0, _HSEON, _PLLON, 0)[new & 3]
        if needed & ~running:
            raise EmulatorError(
                "clock rule broken: RCC_CFGR.SW selects an oscillator that is off; "
                "switch it on and wait for its ready bit first"
            )
        check(tree(new, self.rcc.value("PLLCFGR")), self._supply())
        return new

    def _write_acr(self, old: int, new: int) -> int:
        check(self.clocks(), Supply(new & 0xF, self._supply().scale, self._supply().overdrive))
        return new

    def _write_pwr(self, old: int, new: int) -> int:
        if self.rcc.value("CR") & _PLLON:  # VOS can be written only while the PLL is off
            new = (new & ~0xC000) | (old & 0xC000)
        return new

    def _power_status(self, stored: int) -> int:
        power = self.pwr.value("CR1")
        scaled = bool(self.rcc.value("CR") & _PLLON) << 14  # VOSRDY comes with the PLL only
        ready = bool(power & _ODEN)
        return scaled | ready << 16 | (ready and bool(power & _ODSWEN)) << 17

    def _read_csr(self, stored: int) -> int:
        return self._reset_flags | (stored & 1) | (stored & 1) << 1

    def _write_csr(self, old: int, new: int) -> int:
        if new & _RMVF:
            self._reset_flags = 0
        return new & ~_RMVF


def _ready_bits(cr: int) -> int:
    """Each oscillator is ready as soon as it is on."""
    on = cr & (_HSION | _HSEON | _PLLON | _PLLI2SON | _PLLSAION)
    return cr & ~(on << 1) | on << 1


def _switch_status(cfgr: int) -> int:
    """SWS follows SW."""
    return (cfgr & ~0xC) | (cfgr & 3) << 2
