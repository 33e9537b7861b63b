# SPDX-License-Identifier: Apache-2.0
"""RCC, PWR and the flash interface of an STM32F7: what a clock set-up reads, writes and polls.

Addresses, reset values and masks: ST CMSIS header stm32f746xx.h; effects: RM0385 chapters 3 to 5.

The clock tree of an STM32F7, and the limits that silicon breaks at in silence.

Sources: RM0385 4.1.4, 5.3.2, 5.3.3 and table 7; ST stm32f7xx_ll_utils.c; DS10916 table 17.
"""

from __future__ import annotations

from dataclasses import dataclass

from unas.board import Board
from unas.errors import EmulatorError
from unas.virtual.bus.registers import Peripheral, Register
from unas.virtual.bus.rules import Rules
from unas.virtual.stm32.clocks import (
    HSI_HZ,
    Clocks,
    Range,
    check_range,
    check_wait_states,
    prescaled,
    rule_broken,
)
from unas.virtual.stm32.flash import LATENCY, FlashInterface, FlashLayout

_HSION, _HSEON, _HSEBYP, _PLLON, _PLLI2SON, _PLLSAION = (
    1 << bit for bit in (0, 16, 18, 24, 26, 28)
)
_CR_WRITABLE = 0xF8 | _HSION | _HSEON | _HSEBYP | 1 << 19 | _PLLON | _PLLI2SON | _PLLSAION
_RMVF = 1 << 24
_ODEN, _ODSWEN = 1 << 16, 1 << 17
_PWREN = 1 << 28
_BACKUP_UNLOCKED = 1 << 8  # PWR_CR1.DBP
_LSEON, _LSERDY = 1 << 0, 1 << 1
_SOFTWARE_RESET_FLAGS = 1 << 28 | 1 << 26  # SFTRSTF; the chip pulls its own NRST, hence PINRSTF
_POWER_ON_FLAGS = 0x0E000000  # PORRSTF, PINRSTF, BORRSTF
_FLASH = FlashLayout(
    0x40023C00, key=0x04, option_key=0x08, status=0x0C, control=0x10, locked=0x80000000
)
_PLAIN = (  # nothing here depends on them: (offset, name, reset value)
    (0x0C, "CIR", 0),
    (0x10, "AHB1RSTR", 0),
    (0x14, "AHB2RSTR", 0),
    (0x18, "AHB3RSTR", 0),
    (0x20, "APB1RSTR", 0),
    (0x24, "APB2RSTR", 0),
    (0x30, "AHB1ENR", 0x00100000),
    (0x34, "AHB2ENR", 0),
    (0x38, "AHB3ENR", 0),
    (0x40, "APB1ENR", 0),
    (0x44, "APB2ENR", 0),
    (0x50, "AHB1LPENR", 0x7EF7B7FF),
    (0x54, "AHB2LPENR", 0x000000F1),
    (0x58, "AHB3LPENR", 0x00000003),
    (0x60, "APB1LPENR", 0xFFFFCBFF),
    (0x64, "APB2LPENR", 0x04F77F33),
    (0x80, "SSCGR", 0),
    (0x84, "PLLI2SCFGR", 0x24003000),
    (0x88, "PLLSAICFGR", 0x24003000),
    (0x8C, "DCKCFGR1", 0),
    (0x90, "DCKCFGR2", 0),
)


class F7ClockControl:
    """RCC, PWR and FLASH_ACR together: a clock switch is checked against all three."""

    def __init__(self, board: Board, rules: Rules) -> None:
        self._board = board
        self._rules = rules
        self._reset_flags = _POWER_ON_FLAGS
        self.rcc = Peripheral("RCC", 0x40023800, 0x400, self._rcc_registers())
        self.pwr = Peripheral("PWR", 0x40007000, 0x400, self._pwr_registers(), self._pwr_clocked)
        self.flash = FlashInterface(_FLASH, self._flash_registers())

    def mark_software_reset(self) -> None:
        """Let RCC_CSR tell of a reset by SYSRESETREQ; its flags add up until RMVF."""
        self._reset_flags |= _SOFTWARE_RESET_FLAGS

    def clocks(self) -> Clocks:
        """See ``clocks.ClockSource``."""
        return tree(self.rcc.value("CFGR"), self.rcc.value("PLLCFGR"), self._board.hse_hz)

    def enabled(self, register: str, bit: int) -> bool:
        """See ``clocks.ClockSource``; e.g. ``enabled("AHB1ENR", 3)`` for GPIOD."""
        return bool(self.rcc.value(register) >> bit & 1)

    def choice(self, register: str, bit: int) -> int:
        """See ``clocks.ClockSource``."""
        return self.rcc.value(register) >> bit & 3

    def _rcc_registers(self) -> tuple[Register, ...]:
        return (
            Register(0x00, "CR", 0x00000083, _CR_WRITABLE, self._ready_bits, self._write_cr),
            Register(0x04, "PLLCFGR", 0x24003010, write=self._write_pllcfgr),
            Register(0x08, "CFGR", read=_switch_status, write=self._write_cfgr),
            Register(0x70, "BDCR", 0, 0x0001831D, self._backup_status, self._write_backup),
            Register(0x74, "CSR", 0, _RMVF | 1, self._read_csr, self._write_csr),
            *(Register(*plain) for plain in _PLAIN),
        )

    def _pwr_registers(self) -> tuple[Register, ...]:
        return (
            Register(0x00, "CR1", 0x0000C000, 0x000FEFFF, write=self._write_pwr),
            Register(0x04, "CSR1", 0, 0x00000300, read=self._power_status),
            Register(0x08, "CR2", 0, 0x00003F00),
            Register(0x0C, "CSR2", 0, 0x00003F00),
        )

    def _flash_registers(self) -> tuple[Register, ...]:
        return (
            Register(0x00, "ACR", 0, 0x00000B0F, write=self._write_acr),
            Register(0x14, "OPTCR", 0xC0FFAAFD, 0),
            Register(0x18, "OPTCR1", 0x00400080, 0),
        )

    def _pwr_clocked(self) -> bool:
        return bool(self.rcc.value("APB1ENR") & _PWREN)

    def _supply(self, acr: int) -> F7Supply:
        power = self.pwr.value("CR1")
        on = power & _ODEN and power & _ODSWEN
        return F7Supply(acr & LATENCY, power >> 14 & 3, bool(on))

    def _ready_bits(self, cr: int) -> int:
        """Each oscillator that exists is ready as soon as it is on."""
        on = cr & (_HSION | _HSEON | _PLLON | _PLLI2SON | _PLLSAION)
        if not self._board.hse_hz:
            on &= ~_HSEON
        return cr & ~(on << 1) | on << 1

    def _write_cr(self, old: int, new: int) -> int:
        if old & _HSEON:  # RM0385 5.3.1: HSEBYP can be written only while the HSE is off
            new = (new & ~_HSEBYP) | (old & _HSEBYP)
        switch = self.rcc.value("CFGR") & 3
        in_use = (_HSION, _HSEON, _PLLON)[switch] if switch < 3 else 0
        return new | in_use  # hardware keeps on what drives SYSCLK

    def _write_pllcfgr(self, old: int, new: int) -> int:
        return old if self.rcc.value("CR") & _PLLON else new

    def _write_cfgr(self, old: int, new: int) -> int:
        ready = self._ready_bits(self.rcc.value("CR"))
        needed = (0, _HSEON << 1, _PLLON << 1, 0)[new & 3]
        if needed & ~ready:
            raise EmulatorError(
                "clock rule broken: RCC_CFGR.SW selects an oscillator that is off; "
                "switch it on and wait for its ready bit first"
            )
        after = tree(new, self.rcc.value("PLLCFGR"), self._board.hse_hz)
        self._rules.hold(lambda: check(after, self._supply(self.flash.value("ACR"))))
        return new

    def _write_acr(self, old: int, new: int) -> int:
        self._rules.hold(lambda: check(self.clocks(), self._supply(new)))
        return new

    def _write_pwr(self, old: int, new: int) -> int:
        if self.rcc.value("CR") & _PLLON:  # VOS can be written only while the PLL is off
            new = (new & ~0xC000) | (old & 0xC000)
        return new

    def _power_status(self, stored: int) -> int:
        power = self.pwr.value("CR1")
        scaled = bool(self.rcc.value("CR") & _PLLON) << 14  # VOSRDY comes with the PLL only
        ready = bool(power & _ODEN)
        backup = (stored >> 9 & 1) << 3  # BRR follows BRE
        return stored | backup | scaled | ready << 16 | (ready and bool(power & _ODSWEN)) << 17

    def _write_backup(self, old: int, new: int) -> int:
        return new if self.pwr.value("CR1") & _BACKUP_UNLOCKED else old

    def _backup_status(self, stored: int) -> int:
        return stored | (_LSERDY if stored & _LSEON and self._board.lse_hz else 0)

    def _read_csr(self, stored: int) -> int:
        return self._reset_flags | (stored & 1) | (stored & 1) << 1

    def _write_csr(self, old: int, new: int) -> int:
        if new & _RMVF:
            self._reset_flags = 0
        return new & ~_RMVF


def _switch_status(cfgr: int) -> int:
    """SWS follows SW."""
    return (cfgr & ~0xC) | (cfgr & 3) << 2


# Upper HCLK of 0, 1, 2, ... wait states at 2.7-3.6 V.
_LATENCY_LIMITS_HZ = tuple(
    megahertz * 1_000_000 for megahertz in (30, 60, 90, 120, 150, 180, 210, 216)
)
_VCO_IN = Range("VCO input", 950_000, 2_100_000)
_VCO_OUT = Range("VCO output", 100_000_000, 432_000_000)
_PCLK1_MAX_HZ = 54_000_000
_PCLK2_MAX_HZ = 108_000_000
_OVERDRIVE_FROM_HZ = 180_000_000
_SYSCLK_MAX_HZ = {0b11: 216_000_000, 0b10: 168_000_000, 0b01: 144_000_000}  # by PWR_CR1.VOS


@dataclass(frozen=True, slots=True)
class F7Supply:
    """What limits the core clock.

    Attributes:
        wait_states: FLASH_ACR.LATENCY.
        scale: PWR_CR1.VOS; 0b11 is scale 1.
        overdrive: Over-drive is on and switched.
    """

    wait_states: int
    scale: int
    overdrive: bool


def pll_hz(pllcfgr: int, hse_hz: int) -> int:
    """Frequency of PLLCLK from RCC_PLLCFGR.

    Raises:
        EmulatorError: A factor or a frequency inside the PLL is out of range.
    """
    divide_m = pllcfgr & 0x3F
    multiply_n = pllcfgr >> 6 & 0x1FF
    divide_p = 2 * ((pllcfgr >> 16 & 3) + 1)
    source = hse_hz if pllcfgr >> 22 & 1 else HSI_HZ
    if divide_m < 2 or not 50 <= multiply_n <= 432:
        raise rule_broken(f"PLL factors M={divide_m} N={multiply_n}", "use M >= 2 and N in 50..432")
    vco_in, vco_out = source // divide_m, source * multiply_n // divide_m
    check_range(vco_in, _VCO_IN, "choose M and N")
    check_range(vco_out, _VCO_OUT, "choose M and N")
    return vco_out // divide_p


def tree(cfgr: int, pllcfgr: int, hse_hz: int) -> Clocks:
    """Frequencies for the switch in RCC_CFGR.SW.

    Raises:
        EmulatorError: The PLL's settings are out of range, or SW has its reserved value.
    """
    switch = cfgr & 3
    if switch == 3:
        raise rule_broken("RCC_CFGR.SW = 3 is reserved", "write 0 (HSI), 1 (HSE) or 2 (PLL)")
    sysclk = (HSI_HZ, hse_hz)[switch] if switch < 2 else pll_hz(pllcfgr, hse_hz)
    hclk = prescaled(sysclk, cfgr >> 4 & 0xF, 4)
    return Clocks(
        sysclk, hclk, prescaled(hclk, cfgr >> 10 & 7, 3), prescaled(hclk, cfgr >> 13 & 7, 3)
    )


def check(clocks: Clocks, supply: F7Supply) -> None:
    """Hold the clocks against what flash, regulator and buses allow.

    Raises:
        EmulatorError: One of them is too fast; silicon would fail now and then.
    """
    allowed = _SYSCLK_MAX_HZ.get(supply.scale, _SYSCLK_MAX_HZ[0b01])
    if clocks.sysclk_hz > allowed:
        raise rule_broken(
            f"SYSCLK {clocks.sysclk_hz} Hz over {allowed} Hz", "set PWR_CR1.VOS or lower it"
        )
    if clocks.sysclk_hz > _OVERDRIVE_FROM_HZ and not supply.overdrive:
        raise rule_broken(
            f"SYSCLK {clocks.sysclk_hz} Hz without over-drive",
            "set PWR_CR1.ODEN and ODSWEN (with PWREN on) and wait for both ready bits first",
        )
    check_wait_states(clocks.hclk_hz, supply.wait_states, _LATENCY_LIMITS_HZ)
    for name, value, top in (
        ("PCLK1", clocks.pclk1_hz, _PCLK1_MAX_HZ),
        ("PCLK2", clocks.pclk2_hz, _PCLK2_MAX_HZ),
    ):
        if value > top:
            raise rule_broken(
                f"{name} of {value} Hz over {top} Hz", "raise its prescaler in RCC_CFGR"
            )
