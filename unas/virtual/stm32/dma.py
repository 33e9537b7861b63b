# SPDX-License-Identifier: Apache-2.0
"""DMA controllers of STM32s, as far as UARTs and memory-to-memory copies need them.

RM0385 chapter 8 (streams of the F7) and RM0432 chapters 11 and 12 (channels and DMAMUX of the L4+).
A transfer takes no bus time. FIFO mode, double buffers and burst lengths are taken and not
modelled.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from unas.virtual.bus.registers import Peripheral, Register
from unas.virtual.core.chip import Services
from unas.virtual.core.exceptions import Exceptions

TO_MEMORY, TO_PERIPHERAL = range(2)
ERROR, HALF, COMPLETE = 1, 2, 4  # flags of a lane, in this module's own order
_MOST = 1 << 16  # items, so that a request that never falls ends


@dataclass(frozen=True, slots=True)
class Setup:
    """What a lane's control register says.

    Attributes:
        enabled: It runs.
        direction: One of the constants above.
        circular: It starts again at its end.
        peripheral_step: Bytes by which the peripheral's address grows an item.
        memory_step: The same for memory.
        size: Bytes of an item.
        unasked: It needs no request: memory to memory.
        interrupts: The flags that raise the interrupt.
    """

    enabled: bool
    direction: int
    circular: bool
    peripheral_step: int
    memory_step: int
    size: int
    unasked: bool
    interrupts: int


@dataclass(slots=True)
class DmaChannel:
    """A stream or channel: what it has done of its task.

    Attributes:
        irq: Its number in the NVIC.
        flags: Raised and not cleared.
        left: Items to go.
        total: Items of the task.
    """

    irq: int
    flags: int = 0
    left: int = 0
    total: int = 0


class Controller(Peripheral, ABC):
    """What both families have in common; a family gives the registers.

    Args:
        irqs: Of its lanes.
    """

    def __init__(
        self,
        name: str,
        base: int,
        irqs: Iterable[int],
        exceptions: Exceptions,
        services: Services,
        clocked: Callable[[], bool],
    ) -> None:
        self._exceptions = exceptions
        self._services = services
        self.lanes = [DmaChannel(irq) for irq in irqs]
        self.requests: set[tuple[str, str]] = set()
        self._serving = False
        super().__init__(name, base, 0x400, self._table(), clocked)

    @abstractmethod
    def _table(self) -> list[Register]:
        """Its registers."""

    @abstractmethod
    def _setup(self, index: int) -> Setup:
        """What a lane's control register says now."""

    @abstractmethod
    def _addresses(self, index: int) -> tuple[int, int]:
        """Addresses of peripheral and memory that a lane begins at."""

    @abstractmethod
    def _source(self, index: int) -> tuple[str, str] | None:
        """The request that a lane is set to."""

    @abstractmethod
    def _finish(self, index: int) -> None:
        """A task that is not circular is over."""

    def reset(self) -> None:
        """See ``Peripheral.reset``."""
        super().reset()
        for channel in self.lanes:
            channel.flags = channel.left = channel.total = 0

    def request(self, uart: str, direction: str, high: bool) -> None:
        """Level of a request line."""
        if high:
            self.requests.add((uart, direction))
            self.serve()
        else:
            self.requests.discard((uart, direction))

    def serve(self) -> None:
        """Move items while there are requests for lanes that run."""
        if self._serving:
            return
        self._serving = True
        try:
            for _ in range(_MOST):
                ready = [i for i in range(len(self.lanes)) if self._ready(i)]
                if not ready:
                    break
                for index in ready:
                    self._move(index)
        finally:
            self._serving = False

    def start(self, index: int) -> None:
        """A lane was switched on."""
        channel = self.lanes[index]
        channel.total = channel.left
        self.serve()

    def clear(self, index: int, flags: int) -> None:
        """Take flags of a lane back."""
        self.lanes[index].flags &= ~flags
        self._raise(index)

    def _ready(self, index: int) -> bool:
        setup = self._setup(index)
        if not setup.enabled or not self.lanes[index].left:
            return False
        return setup.unasked or self._source(index) in self.requests

    def _move(self, index: int) -> None:
        channel, setup = self.lanes[index], self._setup(index)
        done = channel.total - channel.left
        peripheral, memory = self._addresses(index)
        peripheral += done * setup.peripheral_step
        memory += done * setup.memory_step
        source, target = peripheral, memory
        if setup.direction == TO_PERIPHERAL:
            source, target = memory, peripheral
        channel.left -= 1
        value = self._services.read_bus(source, setup.size)
        self._services.write_bus(target, setup.size, value)
        if channel.left == channel.total // 2:
            channel.flags |= HALF
        if channel.left == 0:
            channel.flags |= COMPLETE
            if setup.circular:
                channel.left = channel.total
            else:
                self._finish(index)
        self._raise(index)

    def _raise(self, index: int) -> None:
        channel = self.lanes[index]
        self._exceptions.set_line(channel.irq, bool(channel.flags & self._setup(index).interrupts))
