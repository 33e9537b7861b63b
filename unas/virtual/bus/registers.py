# SPDX-License-Identifier: Apache-2.0
"""Peripherals as tables of registers, and the bus that finds them by address."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from unas.errors import EmulatorError

WORD = 0xFFFFFFFF
PERIPHERAL_SPACE = ((0x40000000, 0x20000000), (0xE0000000, 0x00100000))
"""(Start, bytes) of where the architecture puts peripherals; ARMv7-M ARM B3.1."""
_SLOT_BYTES = 0x400  # a peripheral has one or more whole slots of the address map


def is_peripheral(address: int) -> bool:
    """Whether the architecture puts peripherals there."""
    return any(start <= address < start + size for start, size in PERIPHERAL_SPACE)


@dataclass(frozen=True, slots=True)
class Register:
    """One 32-bit register, as data.

    Attributes:
        offset: From the peripheral's base address.
        name: As the reference manual has it.
        reset: Value after reset.
        writable: Bits that keep what is written; the others keep their value.
        read: Makes what a read answers from the stored value. None: as stored.
        write: Gets (old, new) after ``writable`` was applied and returns what to store. None: new.
    """

    offset: int
    name: str
    reset: int = 0
    writable: int = WORD
    read: Callable[[int], int] | None = None
    write: Callable[[int, int], int] | None = None


class Peripheral:
    """A block of registers at one place of the address map.

    Args:
        name: As the reference manual has it.
        base: Address of offset 0.
        size: Bytes of address space that belong to it; a multiple of 1 KiB, as ``base``.
        registers: What is in there; any other offset is not modelled.
        clocked: Whether its bus clock is on. Without it, it reads 0 and ignores writes.
    """

    def __init__(
        self,
        name: str,
        base: int,
        size: int,
        registers: Iterable[Register],
        clocked: Callable[[], bool] | None = None,
    ) -> None:
        self.name = name
        self.base = base
        self.size = size
        self.values: dict[int, int] = {}
        self._registers = {register.offset: register for register in registers}
        self._offsets = {register.name: register.offset for register in self._registers.values()}
        self._clocked = clocked
        self.reset()

    def reset(self) -> None:
        """Bring all registers to their reset values."""
        self.values = {offset: register.reset for offset, register in self._registers.items()}

    def value(self, name: str) -> int:
        """Stored value of the register of that name, as other peripherals see it."""
        return self.values[self._offsets[name]]

    def read(self, offset: int) -> int:
        """The 32-bit word at ``offset``.

        Raises:
            EmulatorError: No register is modelled there.
        """
        register = self._find(offset, "read")
        if self._clocked is not None and not self._clocked():
            return 0
        stored = self.values[offset]
        return stored if register.read is None else register.read(stored) & WORD

    def write(self, offset: int, value: int) -> None:
        """Write the 32-bit word at ``offset``.

        Raises:
            EmulatorError: No register is modelled there, or a rule of the chip is broken.
        """
        register = self._find(offset, "write")
        if self._clocked is not None and not self._clocked():
            return
        old = self.values[offset]
        new = (old & ~register.writable) | (value & register.writable)
        self.values[offset] = new if register.write is None else register.write(old, new) & WORD

    def write_narrow(self, offset: int, size: int, value: int) -> bool:
        """Write a byte or halfword where its width has a meaning; False: it has none."""
        return False

    def models(self, offset: int) -> bool:
        """Whether there is a register at ``offset``."""
        return offset in self._registers

    def offset_of(self, name: str) -> int | None:
        """Offset of the register of that name; None: there is none."""
        return self._offsets.get(name)

    def peek(self, offset: int) -> int:
        """The stored word at ``offset``, without any effect of reading it."""
        return self.values.get(offset, 0)

    def _find(self, offset: int, action: str) -> Register:
        register = self._registers.get(offset)
        if register is None:
            raise EmulatorError(
                f"{action} of 0x{self.base + offset:08X}, {self.name} offset 0x{offset:03X}, "
                "which is not modelled; correct the address or add the register to unas.virtual"
            )
        return register


class Bus:
    """All peripherals by address.

    Args:
        peripherals: What is there.
        tell: Takes, once a register, that something else was accessed: it then keeps what is
            written, zero at first. None: such an access is an error.

    Attributes:
        accesses: Reads and writes so far.
    """

    def __init__(
        self, peripherals: Iterable[Peripheral], tell: Callable[[str], None] | None = None
    ) -> None:
        self.accesses = 0
        self._tell = tell
        self._unknown: dict[int, int] = {}
        self._peripherals = tuple(peripherals)
        self._observers: dict[int, Callable[[int], None]] = {}
        self._guards: dict[str, tuple[Callable[[], None], Callable[[], None]]] = {}
        self._by_slot = {
            slot: peripheral
            for peripheral in self._peripherals
            for slot in range(
                peripheral.base // _SLOT_BYTES, (peripheral.base + peripheral.size) // _SLOT_BYTES
            )
        }

    def reset(self) -> None:
        """Reset all peripherals."""
        self._unknown.clear()
        for peripheral in self._peripherals:
            peripheral.reset()

    def watch(self, address: int, reported: Callable[[int], None]) -> None:
        """Have ``told`` called with what was written, after each write of the word there."""
        self._observers[address] = reported

    def guard(self, peripheral: str, before: Callable[[], None], after: Callable[[], None]) -> None:
        """Have these called around each write to a peripheral."""
        self._guards[peripheral] = before, after

    def address_of(self, peripheral: str, register: str) -> int | None:
        """Address of a register by name; None: there is none."""
        for candidate in self._peripherals:
            offset = candidate.offset_of(register) if candidate.name == peripheral else None
            if offset is not None:
                return candidate.base + offset
        return None

    def peek(self, address: int) -> int:
        """The stored word at ``address``, without any effect of reading it; 0 where nothing is."""
        peripheral = self._by_slot.get(address // _SLOT_BYTES)
        return 0 if peripheral is None else peripheral.peek(address - peripheral.base)

    def read(self, address: int, size: int) -> int:
        """Read 1, 2 or 4 bytes, within one word.

        Raises:
            EmulatorError: Nothing is modelled there.
        """
        self.accesses += 1
        if self._tell is not None and not self._models(address):
            word = self._unmodelled(address, "read")
            return word >> 8 * (address & 3) & ((1 << 8 * size) - 1)
        peripheral = self._find(address, size, "read")
        offset = address - peripheral.base
        if size == 4:
            return peripheral.read(offset)
        return peripheral.read(offset & ~3) >> 8 * (offset & 3) & ((1 << 8 * size) - 1)

    def write(self, address: int, size: int, value: int) -> None:
        """Write 1, 2 or 4 bytes, within one word. What is not written of it stays as stored.

        Raises:
            EmulatorError: Nothing is modelled there, or a rule of the chip is broken.
        """
        self.accesses += 1
        if self._tell is not None and not self._models(address):
            shift, mask = 8 * (address & 3), (1 << 8 * size) - 1
            kept = self._unmodelled(address, "write") & ~(mask << shift)
            self._unknown[address & ~3] = (kept | (value & mask) << shift) & WORD
            return
        peripheral = self._find(address, size, "write")
        offset = address - peripheral.base
        if size != 4:
            if peripheral.write_narrow(offset, size, value):
                return
            shift, mask = 8 * (offset & 3), (1 << 8 * size) - 1
            offset &= ~3
            value = peripheral.peek(offset) & ~(mask << shift) & WORD | (value & mask) << shift
        guard = self._guards.get(peripheral.name)
        if guard is None:
            peripheral.write(offset, value)
        else:
            guard[0]()
            peripheral.write(offset, value)
            guard[1]()
        reported = self._observers.get(peripheral.base + offset)
        if reported is not None:
            reported(value)

    def _models(self, address: int) -> bool:
        peripheral = self._by_slot.get(address // _SLOT_BYTES)
        return peripheral is not None and peripheral.models(address - peripheral.base & ~3)

    def _unmodelled(self, address: int, action: str) -> int:
        word = address & ~3
        if word not in self._unknown:
            self._unknown[word] = 0
            peripheral = self._by_slot.get(address // _SLOT_BYTES)
            name = "no known peripheral" if peripheral is None else peripheral.name
            if self._tell is not None:
                self._tell(f"{action} of 0x{word:08X} ({name}), which is not modelled")
        return self._unknown[word]

    def _find(self, address: int, size: int, action: str) -> Peripheral:
        peripheral = self._by_slot.get(address // _SLOT_BYTES)
        if peripheral is None:
            raise EmulatorError(
                f"{action} of 0x{address:08X}, where no peripheral is modelled; "
                "correct the address or add the peripheral to unas.virtual"
            )
        if size not in (1, 2, 4) or address % size:
            raise EmulatorError(
                f"{action} of {size} bytes at 0x{address:08X} in {peripheral.name}; "
                "peripherals take aligned bytes, halfwords and words"
            )
        return peripheral
