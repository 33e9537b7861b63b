# SPDX-License-Identifier: Apache-2.0
"""The clock tree of an STM32F7 as arithmetic, and the limits that silicon breaks at in silence."""

from __future__ import annotations

from dataclasses import dataclass

from unas.errors import EmulatorError

HSI_HZ = 16_000_000  # RM0385 5.2.2
HSE_HZ = 8_000_000  # UM1974 6.8.1: the ST-LINK's MCO, bypass

# Upper HCLK of 0, 1, 2, ... wait states at 2.7-3.6 V: RM0385 table 7, ST stm32f7xx_ll_utils.c.
_LATENCY_LIMITS_HZ = tuple(
    megahertz * 1_000_000 for megahertz in (30, 60, 90, 120, 150, 180, 210, 216)
)
# All of these: RM0385 5.3.2 and 4.1.4, ST stm32f7xx_ll_utils.c, DS10916 table 17.
_VCO_IN_HZ = (950_000, 2_100_000)
_VCO_OUT_HZ = (100_000_000, 432_000_000)
_PCLK1_MAX_HZ = 54_000_000
_PCLK2_MAX_HZ = 108_000_000
_OVERDRIVE_FROM_HZ = 180_000_000
_SYSCLK_MAX_HZ = {0b11: 216_000_000, 0b10: 168_000_000, 0b01: 144_000_000}  # by PWR_CR1.VOS


@dataclass(frozen=True, slots=True)
class Clocks:
    """Frequencies in Hz."""

    sysclk_hz: int
    hclk_hz: int
    pclk1_hz: int
    pclk2_hz: int


@dataclass(frozen=True, slots=True)
class Supply:
    """What limits the core clock.

    Attributes:
        wait_states: FLASH_ACR.LATENCY.
        scale: PWR_CR1.VOS; 0b11 is scale 1.
        overdrive: Over-drive is on and switched.
    """

    wait_states: int
    scale: int
    overdrive: bool


def _broken(what: str, remedy: str) -> EmulatorError:
    return EmulatorError(f"clock rule broken: {what}; {remedy}")


def pll_hz(pllcfgr: int) -> int:
    """Frequency of PLLCLK from RCC_PLLCFGR.

    Raises:
        EmulatorError: A factor or a frequency inside the PLL is out of range.
    """
    divide_m = pllcfgr & 0x3F
    multiply_n = pllcfgr >> 6 & 0x1FF
    divide_p = 2 * ((pllcfgr >> 16 & 3) + 1)
    source = HSE_HZ if pllcfgr >> 22 & 1 else HSI_HZ
    if divide_m < 2 or not 50 <= multiply_n <= 432:
        raise _broken(f"PLL factors M={divide_m} N={multiply_n}", "use M >= 2 and N in 50..432")
    vco_in, vco_out = source // divide_m, source * multiply_n // divide_m
    for name, value, (low, high) in (
        ("input", vco_in, _VCO_IN_HZ),
        ("output", vco_out, _VCO_OUT_HZ),
    ):
        if not low <= value <= high:
            raise _broken(f"VCO {name} of {value} Hz", f"choose M and N for {low}..{high} Hz")
    return vco_out // divide_p


def _prescaled(hz: int, field: int, bits: int) -> int:
    """``hz`` behind an AHB (4-bit) or APB (3-bit) prescaler field; its lower half is /1."""
    half = 1 << (bits - 1)
    if field < half:
        return hz
    exponent = field - half + 1
    # RCC_CFGR.HPRE has no /32: 0b1100 is /64.
    return hz >> (exponent + 1 if bits == 4 and exponent >= 5 else exponent)


def tree(cfgr: int, pllcfgr: int) -> Clocks:
    """Frequencies for the switch in RCC_CFGR.SW.

    Raises:
        EmulatorError: The PLL's settings are out of range, or SW has its reserved value.
    """
    switch = cfgr & 3
    if switch == 3:
        raise _broken("RCC_CFGR.SW = 3 is reserved", "write 0 (HSI), 1 (HSE) or 2 (PLL)")
    sysclk = (HSI_HZ, HSE_HZ)[switch] if switch < 2 else pll_hz(pllcfgr)
    hclk = _prescaled(sysclk, cfgr >> 4 & 0xF, 4)
    return Clocks(
        sysclk, hclk, _prescaled(hclk, cfgr >> 10 & 7, 3), _prescaled(hclk, cfgr >> 13 & 7, 3)
    )


def check(clocks: Clocks, supply: Supply) -> None:
    """Hold the clocks against what flash, regulator and buses allow.

    Raises:
        EmulatorError: One of them is too fast; silicon would fail now and then.
    """
    allowed = _SYSCLK_MAX_HZ.get(supply.scale, _SYSCLK_MAX_HZ[0b01])
    if clocks.sysclk_hz > allowed:
        raise _broken(
            f"SYSCLK {clocks.sysclk_hz} Hz over {allowed} Hz", "set PWR_CR1.VOS or lower it"
        )
    if clocks.sysclk_hz > _OVERDRIVE_FROM_HZ and not supply.overdrive:
        raise _broken(
            f"SYSCLK {clocks.sysclk_hz} Hz without over-drive",
            "set PWR_CR1.ODEN and ODSWEN (with PWREN on) and wait for both ready bits first",
        )
    needed = next((n for n, top in enumerate(_LATENCY_LIMITS_HZ) if clocks.hclk_hz <= top), None)
    if needed is None or supply.wait_states < needed:
        raise _broken(
            f"HCLK {clocks.hclk_hz} Hz with {supply.wait_states} flash wait states",
            f"write FLASH_ACR.LATENCY = {needed} before RCC_CFGR.SW",
        )
    for name, value, top in (
        ("PCLK1", clocks.pclk1_hz, _PCLK1_MAX_HZ),
        ("PCLK2", clocks.pclk2_hz, _PCLK2_MAX_HZ),
    ):
        if value > top:
            raise _broken(f"{name} of {value} Hz over {top} Hz", "raise its prescaler in RCC_CFGR")
