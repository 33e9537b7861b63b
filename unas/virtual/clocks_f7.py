# SPDX-License-Identifier: Apache-2.0
"""The clock tree of an STM32F7, and the limits that silicon breaks at in silence.

Sources: RM0385 4.1.4, 5.3.2, 5.3.3 and table 7; ST stm32f7xx_ll_utils.c; DS10916 table 17.
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


def check(clocks: Clocks, supply: Supply) -> None:
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
