# SPDX-License-Identifier: Apache-2.0
"""RCC, PWR and the flash interface of an STM32L4+: what a clock set-up reads, writes and polls.

Addresses, reset values and masks: ST CMSIS header stm32l4r5xx.h; effects: RM0432 chapters 3, 5, 6.

The clock tree of an STM32L4+, and the limits that silicon breaks at in silence.

Sources: RM0432 3.3.3, 5.1.8, 6.2 and 6.4; ST stm32l4xx_ll_utils.c; DS12023 table 20.
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

_MSION, _HSION, _HSEON, _PLLON, _PLLSAI1ON, _PLLSAI2ON = (
    1 << bit for bit in (0, 8, 16, 24, 26, 28)
)
_HSI_READY = 1 << 10
_HSEBYP = 1 << 18
_CR_WRITABLE = (
    (_MSION | 0xFC | _HSION | 1 << 9 | 1 << 11 | _HSEON | _HSEBYP | 1 << 19)
    | (_PLLON | _PLLSAI1ON | _PLLSAI2ON)
)  # fmt: skip
_RMVF = 1 << 23
_PWREN = 1 << 28
_BACKUP_UNLOCKED = 1 << 8  # PWR_CR1.DBP
_IOSV = 1 << 9
_VOS_RANGE_2 = 2
_R1MODE = 1 << 8
_SOFTWARE_RESET_FLAGS = 1 << 28 | 1 << 26  # SFTRSTF; the chip pulls its own NRST, hence PINRSTF
_POWER_ON_FLAGS = 0x0C000000  # BORRSTF, PINRSTF
_FLASH = FlashLayout(
    0x40022000, key=0x08, option_key=0x0C, status=0x10, control=0x14, locked=0xC0000000
)
_PLAIN = (  # nothing here depends on them: (offset, name, reset value)
    (0x04, "ICSCR", 0x40000000),
    (0x10, "PLLSAI1CFGR", 0x00001000),
    (0x14, "PLLSAI2CFGR", 0x00001000),
    (0x18, "CIER", 0),
    (0x28, "AHB1RSTR", 0),
    (0x2C, "AHB2RSTR", 0),
    (0x30, "AHB3RSTR", 0),
    (0x38, "APB1RSTR1", 0),
    (0x3C, "APB1RSTR2", 0),
    (0x40, "APB2RSTR", 0),
    (0x48, "AHB1ENR", 0x00000100),
    (0x4C, "AHB2ENR", 0),
    (0x50, "AHB3ENR", 0),
    (0x58, "APB1ENR1", 0x00000400),
    (0x5C, "APB1ENR2", 0),
    (0x60, "APB2ENR", 0),
    (0x68, "AHB1SMENR", 0x00011303),
    (0x6C, "AHB2SMENR", 0x000677FF),
    (0x70, "AHB3SMENR", 0x00000101),
    (0x78, "APB1SMENR1", 0xF2FECA3F),
    (0x7C, "APB1SMENR2", 0x00000023),
    (0x80, "APB2SMENR", 0x01677C01),
    (0x88, "CCIPR", 0),
    (0x9C, "CCIPR2", 0),
)


class L4ClockControl:
    """RCC, PWR and FLASH_ACR together: a clock switch is checked against all three."""

    def __init__(self, board: Board, rules: Rules) -> None:
        self._board = board
        self._rules = rules
        self._reset_flags = _POWER_ON_FLAGS
        self.rcc = Peripheral("RCC", 0x40021000, 0x400, self._rcc_registers())
        self.pwr = Peripheral("PWR", 0x40007000, 0x400, self._pwr_registers(), self._pwr_clocked)
        self.flash = FlashInterface(_FLASH, self._flash_registers())

    def mark_software_reset(self) -> None:
        """Let RCC_CSR tell of a reset by SYSRESETREQ; its flags add up until RMVF."""
        self._reset_flags |= _SOFTWARE_RESET_FLAGS

    def clocks(self) -> Clocks:
        """See ``clocks.ClockSource``."""
        return tree(self.rcc.value("CFGR"), self.rcc.value("PLLCFGR"), self._sources())

    def enabled(self, register: str, bit: int) -> bool:
        """See ``clocks.ClockSource``; e.g. ``enabled("AHB2ENR", 6)`` for GPIOG."""
        return bool(self.rcc.value(register) >> bit & 1)

    def choice(self, register: str, bit: int) -> int:
        """See ``clocks.ClockSource``."""
        return self.rcc.value(register) >> bit & 3

    def powers(self, port: str, pin: int) -> bool:
        """Whether a pin has its supply: PG2 to PG15 hang on VDDIO2, which PWR_CR2.IOSV lets in."""
        return port != "G" or pin < 2 or bool(self.pwr.value("CR2") & _IOSV)

    def _rcc_registers(self) -> tuple[Register, ...]:
        return (
            Register(0x00, "CR", 0x00000063, _CR_WRITABLE, self._ready_bits, self._write_cr),
            Register(0x08, "CFGR", 0, 0x7F00BFF3, _switch_status, self._write_cfgr),
            Register(0x0C, "PLLCFGR", 0x00001000, 0xFF737FF3, write=self._write_pllcfgr),
            Register(0x1C, "CIFR", 0, 0),
            Register(0x20, "CICR", write=lambda old, new: 0),
            Register(0x90, "BDCR", 0, 0x0301_83FD, self._backup_status, self._write_backup),
            Register(0x94, "CSR", 0x00000600, _RMVF | 0xF01, self._read_csr, self._write_csr),
            Register(0x98, "CRRCR", 0, 1, lambda stored: stored | (stored & 1) << 1),
            *(Register(*plain) for plain in _PLAIN),
        )

    def _pwr_registers(self) -> tuple[Register, ...]:
        pulls = range(0x20, 0x68, 4)  # PUCRA, PDCRA, … PDCRI
        return (
            Register(0x00, "CR1", 0x00000200, 0x00004717, write=self._write_cr1),
            Register(0x04, "CR2", 0, 0x000006FF),
            Register(0x08, "CR3", 0x00008000, 0x0000DD1F),
            Register(0x0C, "CR4", 0, 0x0000331F),
            Register(0x10, "SR1", 0, 0),
            Register(0x14, "SR2", 0x00000100, 0),  # REGLPS: the low-power regulator is ready
            Register(0x18, "SCR", write=lambda old, new: 0),
            *(Register(offset, f"PULL{offset:02X}", 0, 0xFFFF) for offset in pulls),
            Register(0x80, "CR5", _R1MODE, _R1MODE, write=self._write_cr5),
        )

    def _flash_registers(self) -> tuple[Register, ...]:
        return (
            Register(0x00, "ACR", 0x00000600, 0x00007F0F, write=self._write_acr),
            Register(0x04, "PDKEYR", write=lambda old, new: 0),
            Register(0x18, "ECCR", 0, 0),
            Register(0x20, "OPTR", 0xFFEFF8AA, 0),  # as delivered; DBANK is set
            Register(0x130, "CFGR", 0, 1),
        )

    def _pwr_clocked(self) -> bool:
        return bool(self.rcc.value("APB1ENR1") & _PWREN)

    def _sources(self) -> Sources:
        msi = msi_hz(self.rcc.value("CR"), self.rcc.value("CSR"))
        return Sources(msi, self._board.hse_hz)

    def _supply(self, *, cr1: int | None = None, cr5: int | None = None) -> L4Supply:
        scaling = (self.pwr.value("CR1") if cr1 is None else cr1) >> 9 & 3
        mode = self.pwr.value("CR5") if cr5 is None else cr5
        return L4Supply(
            self.flash.value("ACR") & LATENCY,
            2 if scaling == _VOS_RANGE_2 else 1,
            not mode & _R1MODE,
        )

    def _ready_bits(self, cr: int) -> int:
        """Each oscillator that exists is ready as soon as it is on."""
        on = cr & (_MSION | _HSEON | _PLLON | _PLLSAI1ON | _PLLSAI2ON)
        if not self._board.hse_hz:
            on &= ~_HSEON
        return cr | on << 1 | (_HSI_READY if cr & _HSION else 0)

    def _write_cr(self, old: int, new: int) -> int:
        if old & _HSEON:  # RM0432 6.4.1: HSEBYP can be written only while the HSE is off
            new = (new & ~_HSEBYP) | (old & _HSEBYP)
        switch = self.rcc.value("CFGR") & 3
        in_use = (_MSION, _HSION, _HSEON, _PLLON)[switch]
        if switch == PLL:
            in_use |= (0, _MSION, _HSION, _HSEON)[self.rcc.value("PLLCFGR") & 3]
        return new | in_use  # hardware keeps on what drives SYSCLK

    def _write_pllcfgr(self, old: int, new: int) -> int:
        running = self.rcc.value("CR") & _PLLON
        fixed = 0x00007FF3 if running else 0  # source, M and N only while the PLL is off
        return (new & ~fixed) | (old & fixed)

    def _write_cfgr(self, old: int, new: int) -> int:
        ready = self._ready_bits(self.rcc.value("CR"))
        needed = (_MSION << 1, _HSI_READY, _HSEON << 1, _PLLON << 1)[new & 3]
        if needed & ~ready:
            raise EmulatorError(
                "clock rule broken: RCC_CFGR.SW selects an oscillator that is off; "
                "switch it on and wait for its ready bit first"
            )
        pllcfgr, sources = self.rcc.value("PLLCFGR"), self._sources()
        before, after = tree(old, pllcfgr, sources), tree(new, pllcfgr, sources)
        self._rules.hold(lambda: check(after, self._supply()))
        self._rules.hold(lambda: check_step(before, after))
        return new

    def _write_acr(self, old: int, new: int) -> int:
        supply = self._supply()
        faster = L4Supply(new & LATENCY, supply.voltage_range, supply.boost)
        self._rules.hold(lambda: check(self.clocks(), faster))
        return new

    def _write_cr1(self, old: int, new: int) -> int:
        self._rules.hold(lambda: check(self.clocks(), self._supply(cr1=new)))
        return new

    def _write_cr5(self, old: int, new: int) -> int:
        self._rules.hold(lambda: check(self.clocks(), self._supply(cr5=new)))
        return new

    def _write_backup(self, old: int, new: int) -> int:
        return new if self.pwr.value("CR1") & _BACKUP_UNLOCKED else old

    def _backup_status(self, stored: int) -> int:
        return stored | (2 if stored & 1 and self._board.lse_hz else 0)  # LSERDY

    def _read_csr(self, stored: int) -> int:
        return self._reset_flags | stored | (stored & 1) << 1  # LSIRDY

    def _write_csr(self, old: int, new: int) -> int:
        if new & _RMVF:
            self._reset_flags = 0
        return new & ~_RMVF


def _switch_status(cfgr: int) -> int:
    """SWS follows SW."""
    return (cfgr & ~0xC) | (cfgr & 3) << 2


MSI, HSI, HSE, PLL = range(4)  # RCC_CFGR.SW
# RCC_CR.MSIRANGE, RCC_CSR.MSISRANGE
_MSI_HZ = (
    *(100_000, 200_000, 400_000, 800_000, 1_000_000, 2_000_000),
    *(4_000_000, 8_000_000, 16_000_000, 24_000_000, 32_000_000, 48_000_000),
)
# Upper HCLK of 0, 1, 2, ... wait states, by voltage range.
_LATENCY_LIMITS_HZ = {
    1: tuple(megahertz * 1_000_000 for megahertz in (20, 40, 60, 80, 100, 120)),
    2: tuple(megahertz * 1_000_000 for megahertz in (8, 16, 26)),
}
_VCO_IN = Range("VCO input", 4_000_000, 16_000_000)
_VCO_OUT = Range("VCO output", 64_000_000, 344_000_000)
_RANGE_1_HZ, _BOOST_HZ, _RANGE_2_HZ = 80_000_000, 120_000_000, 26_000_000


@dataclass(frozen=True, slots=True)
class L4Supply:
    """What limits the core clock.

    Attributes:
        wait_states: FLASH_ACR.LATENCY.
        voltage_range: 1 or 2, from PWR_CR1.VOS.
        boost: PWR_CR5.R1MODE is 0.
    """

    wait_states: int
    voltage_range: int
    boost: bool

    @property
    def sysclk_max_hz(self) -> int:
        """What the regulator carries."""
        if self.voltage_range == 2:
            return _RANGE_2_HZ
        return _BOOST_HZ if self.boost else _RANGE_1_HZ


@dataclass(frozen=True, slots=True)
class Sources:
    """Frequencies of the oscillators in Hz; 0: not there."""

    msi_hz: int
    hse_hz: int


def msi_hz(control: int, status: int) -> int:
    """Frequency of the MSI from RCC_CR and RCC_CSR.

    Raises:
        EmulatorError: A reserved range.
    """
    chosen = control >> 4 & 0xF if control >> 3 & 1 else status >> 8 & 0xF  # MSIRGSEL
    if chosen >= len(_MSI_HZ):
        raise rule_broken(f"MSI range {chosen} is reserved", "use 0..11")
    return _MSI_HZ[chosen]


def pll_hz(pllcfgr: int, sources: Sources) -> int:
    """Frequency of PLLCLK from RCC_PLLCFGR.

    Raises:
        EmulatorError: The PLL has no source, or a frequency inside it is out of range.
    """
    source = (0, sources.msi_hz, HSI_HZ, sources.hse_hz)[pllcfgr & 3]
    divide_m, multiply_n = (pllcfgr >> 4 & 0xF) + 1, pllcfgr >> 8 & 0x7F
    divide_r = 2 * ((pllcfgr >> 25 & 3) + 1)
    if source == 0:
        raise rule_broken("the PLL has no source", "set RCC_PLLCFGR.PLLSRC to what is there")
    if multiply_n < 8:
        raise rule_broken(f"PLL factor N={multiply_n}", "use N in 8..127")
    if not pllcfgr >> 24 & 1:
        raise rule_broken("the PLL's output R is off", "set RCC_PLLCFGR.PLLREN")
    check_range(source // divide_m, _VCO_IN, "choose M and N")
    check_range(source * multiply_n // divide_m, _VCO_OUT, "choose M and N")
    return source * multiply_n // divide_m // divide_r


def tree(cfgr: int, pllcfgr: int, sources: Sources) -> Clocks:
    """Frequencies for the switch in RCC_CFGR.SW.

    Raises:
        EmulatorError: The PLL's settings are out of range.
    """
    switch = cfgr & 3
    sysclk = (
        pll_hz(pllcfgr, sources)
        if switch == PLL
        else (sources.msi_hz, HSI_HZ, sources.hse_hz)[switch]
    )
    hclk = prescaled(sysclk, cfgr >> 4 & 0xF, 4)
    return Clocks(
        sysclk, hclk, prescaled(hclk, cfgr >> 8 & 7, 3), prescaled(hclk, cfgr >> 11 & 7, 3)
    )


def check(clocks: Clocks, supply: L4Supply) -> None:
    """Hold the clocks against what flash and regulator allow.

    Raises:
        EmulatorError: One of them is too fast; silicon would fail now and then.
    """
    allowed = supply.sysclk_max_hz
    if clocks.sysclk_hz > allowed:
        raise rule_broken(
            f"SYSCLK {clocks.sysclk_hz} Hz over {allowed} Hz of the regulator's range",
            "set PWR_CR1.VOS = 1 and, above 80 MHz, clear PWR_CR5.R1MODE (with PWREN on) first",
        )
    check_wait_states(clocks.hclk_hz, supply.wait_states, _LATENCY_LIMITS_HZ[supply.voltage_range])


def check_step(before: Clocks, after: Clocks) -> None:
    """Hold a clock switch against RM0432 6.2.9: not from below to above 80 MHz at once.

    Raises:
        EmulatorError: The core's supply would dip.
    """
    if before.hclk_hz <= _RANGE_1_HZ < after.hclk_hz and before.sysclk_hz <= _RANGE_1_HZ:
        raise rule_broken(
            f"HCLK jumps from {before.hclk_hz} to {after.hclk_hz} Hz",
            "set RCC_CFGR.HPRE to /2 before the switch and back to /1 a microsecond later",
        )
