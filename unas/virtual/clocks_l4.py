# SPDX-License-Identifier: Apache-2.0
"""The clock tree of an STM32L4+, and the limits that silicon breaks at in silence.

Sources: RM0432 3.3.3, 5.1.8, 6.2 and 6.4; ST stm32l4xx_ll_utils.c; DS12023 table 20.
"""

from __future__ import annotations

from dataclasses import dataclass

from unas.virtual.clocks import (
    HSI_HZ,
    Clocks,
    Range,
    check_range,
    check_wait_states,
    prescaled,
    rule_broken,
)

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
class Supply:
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


def check(clocks: Clocks, supply: Supply) -> None:
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
