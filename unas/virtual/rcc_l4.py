# SPDX-License-Identifier: Apache-2.0
"""RCC, PWR and the flash interface of an STM32L4+: what a clock set-up reads, writes and polls.

Addresses, reset values and masks: ST CMSIS header stm32l4r5xx.h; effects: RM0432 chapters 3, 5, 6.
"""

from __future__ import annotations

from unas.board import Board
from unas.errors import EmulatorError
from unas.virtual.clocks import Clocks
from unas.virtual.clocks_l4 import PLL, Sources, Supply, check, check_step, msi_hz, tree
from unas.virtual.flash import LATENCY, FlashInterface, FlashLayout
from unas.virtual.registers import Peripheral, Register
from unas.virtual.rules import Rules

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

    def _supply(self, *, cr1: int | None = None, cr5: int | None = None) -> Supply:
        scaling = (self.pwr.value("CR1") if cr1 is None else cr1) >> 9 & 3
        mode = self.pwr.value("CR5") if cr5 is None else cr5
        return Supply(
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
        faster = Supply(new & LATENCY, supply.voltage_range, supply.boost)
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
