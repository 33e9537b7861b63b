# SPDX-License-Identifier: Apache-2.0
"""System control block, caches and FPU control of a Cortex-M4 or M7.

Addresses and reset values: ARMv7-M ARM B3.2 and B4.6, Cortex-M4 TRM (DDI 0439) and Cortex-M7 TRM
(DDI 0489) chapters on system control, CMSIS core_cm4.h and core_cm7.h.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from unas.board import Cpu
from unas.virtual.bus.registers import WORD, Peripheral, Register
from unas.virtual.bus.schedule import Schedule
from unas.virtual.core.exceptions import Exceptions
from unas.virtual.core.nvic import interrupt_registers, system_registers
from unas.virtual.core.systick import SysTick

_SCS = 0xE000E000
_VECTKEY, _VECTKEY_READ = 0x05FA0000, 0xFA050000
_SYSRESETREQ = 1 << 2
_TRCENA = 1 << 24
_PRIGROUP = 0x700
_CCR_RESET = {True: 0x00040200, False: 0x00000200}  # STKALIGN; M7: branch prediction, BP
_MPU_REGIONS = 8
_WAYS = {"instruction": 2, "data": 4}  # TRM 5.9
_CORTEX_M7 = 0xC27  # CPUID bits 15:4
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


class CoreServices(Protocol):
    """What the core's own registers need of the machine."""

    @property
    def agenda(self) -> Schedule:
        """What will happen, and when."""

    @property
    def cycles(self) -> int:
        """Core clock cycles since power-on."""

    def active_exception(self) -> int:
        """Number of the exception that the core is in; 0 for none."""

    def request_reset(self) -> None:
        """Reset the system at the end of the block."""


class SystemControl(Peripheral):
    """The registers of the core at 0xE000E000, and the exceptions and the timer behind them.

    Args:
        cpu: What CPUID and the cache registers answer.
        reset_vectors: VTOR after reset.
        double_precision: What MVFR0 and MVFR1 answer.
        services: The machine around.
        lines: Interrupts of the chip.

    Attributes:
        exceptions: State of all exceptions.
        float_in_use: Whether CONTROL.FPCA is set.
    """

    def __init__(
        self,
        cpu: Cpu,
        reset_vectors: int,
        double_precision: bool,
        services: CoreServices,
        lines: int = 128,
    ) -> None:
        self._cpu = cpu
        self._services = services
        self.exceptions = Exceptions(lines)
        self.float_in_use: Callable[[], bool] = lambda: False
        self._systick = SysTick(self.exceptions, services.agenda, lambda: services.cycles)
        self._regions = [(0, 0)] * _MPU_REGIONS
        with_caches = cpu.cpuid >> 4 & 0xFFF == _CORTEX_M7
        table = (
            *self._systick.registers,
            *interrupt_registers(self.exceptions),
            *system_registers(self.exceptions, services.active_exception),
            *self._control_registers(reset_vectors, with_caches),
            *self._fault_registers(),
            *self._mpu_registers(),
            *self._fpu_registers(double_precision),
            *(self._cache_registers() if with_caches else ()),
        )
        super().__init__("SCS", _SCS, 0x1000, table)

    def reset(self) -> None:
        """See ``Peripheral.reset``."""
        super().reset()
        self.exceptions.reset()
        self._systick.reset()
        self._regions = [(0, 0)] * _MPU_REGIONS

    def _control_registers(self, reset_vectors: int, m7: bool) -> tuple[Register, ...]:
        return (
            Register(0x008, "ACTLR"),
            Register(0xD00, "CPUID", self._cpu.cpuid, 0),
            Register(0xD08, "VTOR", reset_vectors, 0xFFFFFF80),
            Register(0xD0C, "AIRCR", 0, 0x0000FFFF, _read_aircr, self._write_aircr),
            Register(0xD10, "SCR", 0, 0x16),
            Register(0xD14, "CCR", _CCR_RESET[m7], 0x0007031B if m7 else 0x31B),
            Register(0xDF0, "DHCSR", 0, 0),  # no debugger is attached
            Register(0xDFC, "DEMCR", 0, 0x010007F1),
        )

    def _fault_registers(self) -> tuple[Register, ...]:
        return (
            Register(0xD28, "CFSR", write=_clear_ones),
            Register(0xD2C, "HFSR", write=_clear_ones),
            Register(0xD30, "DFSR", write=_clear_ones),
            Register(0xD34, "MMFAR"),
            Register(0xD38, "BFAR"),
            Register(0xD3C, "AFSR", write=_clear_ones),
        )

    def _mpu_registers(self) -> tuple[Register, ...]:
        """The MPU keeps what it is told and stops nothing; see ``memory_protection``."""
        aliases = [(0xD9C + 8 * i, 0xDA0 + 8 * i, f"_A{i}" if i else "") for i in range(4)]
        return (
            Register(0xD90, "MPU_TYPE", _MPU_REGIONS << 8, 0),
            Register(0xD94, "MPU_CTRL", 0, 7),
            Register(0xD98, "MPU_RNR", 0, _MPU_REGIONS - 1),
            *(
                register
                for base, size, suffix in aliases
                for register in (
                    Register(base, f"MPU_RBAR{suffix}", 0, WORD, self._base, self._set_base),
                    Register(size, f"MPU_RASR{suffix}", 0, WORD, self._size, self._set_size),
                )
            ),
        )

    def _base(self, _: int) -> int:
        return self._regions[self.value("MPU_RNR")][0] | self.value("MPU_RNR")

    def _size(self, _: int) -> int:
        return self._regions[self.value("MPU_RNR")][1]

    def _set_base(self, _: int, new: int) -> int:
        if new & 1 << 4:  # VALID: the write also selects the region
            self.put("MPU_RNR", new & _MPU_REGIONS - 1)
        number = self.value("MPU_RNR")
        self._regions[number] = new & ~0x1F, self._regions[number][1]
        return 0

    def _set_size(self, _: int, new: int) -> int:
        number = self.value("MPU_RNR")
        self._regions[number] = self._regions[number][0], new
        return 0

    def _fpu_registers(self, double_precision: bool) -> tuple[Register, ...]:
        return (
            Register(0xD88, "CPACR", 0, 0x00F00000),
            Register(0xF34, "FPCCR", 0xC0000000, read=self._float_context),
            Register(0xF38, "FPCAR"),
            Register(0xF3C, "FPDSCR"),
            Register(0xF40, "MVFR0", 0x10110221 if double_precision else 0x10110021, 0),
            Register(0xF44, "MVFR1", 0x12000011 if double_precision else 0x11000011, 0),
        )

    def _float_context(self, stored: int) -> int:
        """FPCCR: a floating-point instruction has ended the wait for lazy stacking."""
        return stored & ~1 if self.float_in_use() else stored

    def _cache_registers(self) -> tuple[Register, ...]:
        return (
            Register(0xD78, "CLIDR", 0x09000003, 0),
            Register(0xD7C, "CTR", 0x8303C003, 0),
            Register(0xD80, "CCSIDR", 0, 0, self._cache_size),
            Register(0xD84, "CSSELR", 0, 1),
            *(Register(offset, name, 0, 0) for offset, name in _MAINTENANCE),
            Register(0xF90, "ITCMCR"),
            Register(0xF94, "DTCMCR"),
            Register(0xF98, "AHBPCR"),
            Register(0xF9C, "CACR"),
            Register(0xF48, "MVFR2", 0x00000040, 0),
            Register(0xFA8, "ABFSR", 0, 0),
        )

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

    def clear(self, name: str, bits: int) -> None:
        """Clear bits as hardware does."""
        self.values[self._offsets[name]] &= ~bits

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
            self._services.request_reset()
        self.exceptions.set_grouping(new >> 8 & 7)
        return new & _PRIGROUP


def _read_aircr(stored: int) -> int:
    return _VECTKEY_READ | stored


def _clear_ones(old: int, new: int) -> int:
    return old & ~new
