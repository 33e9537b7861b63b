# SPDX-License-Identifier: Apache-2.0
"""System control block, caches and FPU control of a Cortex-M7.

Addresses and reset values: ARMv7-M ARM B3.2 and B4.6, Cortex-M7 TRM (DDI 0489) chapter 3,
CMSIS core_cm7.h.
"""

from __future__ import annotations

from collections.abc import Callable

from unas.board import Cpu
from unas.virtual.registers import Peripheral, Register

_SCS = 0xE000E000
_VECTKEY, _VECTKEY_READ = 0x05FA0000, 0xFA050000
_SYSRESETREQ = 1 << 2
_TRCENA = 1 << 24
_WAYS = {"instruction": 2, "data": 4}  # TRM 5.9
_MAINTENANCE = (  # write-only; caches have no content here that could be wrong
    (0xF50, "ICIALLU"),
    (0xF58, "ICIMVAU"),
    (0xF5C, "DCIMVAC"),
    (0xF60, "DCISW"),
    (0xF64, "DCCMVAU"),
    (0xF68, "DCCMVAC"),
    (0xF6C, "DCCSW"),
    (0xF70, "DCCIMVAC"),
    (0xF74, "DCCISW"),
    (0xF78, "BPIALL"),
)


def cache_size_id(size_bytes: int, line_bytes: int, ways: int) -> int:
    """CCSIDR: sets - 1 in [27:13], ways - 1 in [12:3], log2(words a line) - 2 in [2:0]; or 0."""
    if size_bytes == 0:
        return 0
    sets = size_bytes // (line_bytes * ways)
    return 0xF << 28 | (sets - 1) << 13 | (ways - 1) << 3 | (line_bytes // 4).bit_length() - 3


class SystemControl(Peripheral):
    """The registers of the core at 0xE000E000.

    Args:
        cpu: What CPUID and the cache registers answer.
        reset_vectors: VTOR after reset.
        double_precision: What MVFR0 and MVFR1 answer.
        active_exception: Number of the exception that the core is in; 0 for none.
        request_reset: Called on AIRCR.SYSRESETREQ.
    """

    def __init__(
        self,
        cpu: Cpu,
        reset_vectors: int,
        double_precision: bool,
        active_exception: Callable[[], int],
        request_reset: Callable[[], None],
    ) -> None:
        self._cpu = cpu
        self._request_reset = request_reset
        table = (
            Register(0x008, "ACTLR"),
            Register(0xD00, "CPUID", cpu.cpuid, 0),
            Register(0xD04, "ICSR", 0, 0, lambda stored: active_exception()),
            Register(0xD08, "VTOR", reset_vectors, 0xFFFFFF80),
            Register(0xD0C, "AIRCR", 0, 0x0000FFFF, _read_aircr, self._write_aircr),
            Register(0xD10, "SCR", 0, 0x16),
            Register(0xD14, "CCR", 0x00040200, 0x0007031B),
            Register(0xD18, "SHPR1"),
            Register(0xD1C, "SHPR2"),
            Register(0xD20, "SHPR3"),
            Register(0xD24, "SHCSR", 0, 0x00070000),
            Register(0xD28, "CFSR", write=_clear_ones),
            Register(0xD2C, "HFSR", write=_clear_ones),
            Register(0xD30, "DFSR", write=_clear_ones),
            Register(0xD34, "MMFAR"),
            Register(0xD38, "BFAR"),
            Register(0xD3C, "AFSR", write=_clear_ones),
            Register(0xD78, "CLIDR", 0x09000003, 0),
            Register(0xD7C, "CTR", 0x8303C003, 0),
            Register(0xD80, "CCSIDR", 0, 0, self._cache_size),
            Register(0xD84, "CSSELR", 0, 1),
            Register(0xD88, "CPACR", 0, 0x00F00000),
            Register(0xDF0, "DHCSR", 0, 0),  # no debugger is attached
            Register(0xDFC, "DEMCR", 0, 0x010007F1),
            Register(0xF34, "FPCCR", 0xC0000000),
            Register(0xF38, "FPCAR"),
            Register(0xF3C, "FPDSCR"),
            Register(0xF40, "MVFR0", 0x10110221 if double_precision else 0x10110021, 0),
            Register(0xF44, "MVFR1", 0x12000011 if double_precision else 0x11000011, 0),
            Register(0xF48, "MVFR2", 0x00000040, 0),
            *(Register(offset, name, 0, 0) for offset, name in _MAINTENANCE),
            Register(0xF90, "ITCMCR"),
            Register(0xF94, "DTCMCR"),
            Register(0xF98, "AHBPCR"),
            Register(0xF9C, "CACR"),
            Register(0xFA8, "ABFSR", 0, 0),
        )
        super().__init__("SCS", _SCS, 0x1000, table)

    @property
    def fpu_enabled(self) -> bool:
        """CPACR gives full access to CP10 and CP11."""
        return self.value("CPACR") >> 20 & 0xF == 0xF

    @property
    def trace_enabled(self) -> bool:
        """DEMCR.TRCENA: DWT and ITM are on."""
        return bool(self.value("DEMCR") & _TRCENA)

    def set(self, name: str, bits: int) -> None:
        """Set bits as hardware does."""
        self.values[self._offsets[name]] |= bits

    def put(self, name: str, value: int) -> None:
        """Store a value as hardware does."""
        self.values[self._offsets[name]] = value

    def _cache_size(self, stored: int) -> int:
        instruction = bool(self.value("CSSELR") & 1)
        size = self._cpu.icache_bytes if instruction else self._cpu.dcache_bytes
        ways = _WAYS["instruction" if instruction else "data"]
        return cache_size_id(size, self._cpu.cache_line_bytes, ways)

    def write(self, offset: int, value: int) -> None:
        """See ``Peripheral.write``; a write of AIRCR without its key is ignored."""
        if offset == 0xD0C and value & 0xFFFF0000 != _VECTKEY:
            return
        super().write(offset, value)

    def _write_aircr(self, old: int, new: int) -> int:
        if new & _SYSRESETREQ:
            self._request_reset()
        return new & 0x700


def _read_aircr(stored: int) -> int:
    return _VECTKEY_READ | stored


def _clear_ones(old: int, new: int) -> int:
    return old & ~new
