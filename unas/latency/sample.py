# SPDX-License-Identifier: Apache-2.0
"""What latency models learn from: networks, or single kernels, with the cycles that were found."""

from __future__ import annotations

from dataclasses import dataclass

from unas.errors import StoreError
from unas.latency.kernel import Call


@dataclass(frozen=True, slots=True)
class Sample:
    """One network that was timed. A single kernel is a network of one operator.

    Attributes:
        name: Identity: samples of one name never come into different folds.
        calls: Its operators in execution order.
        cycles: Of one inference.
        operator_cycles: Of each operator in the profiled run; empty where only the whole is known.
        is_network: False for a single kernel.

    Raises:
        StoreError: Counts that do not match, or no cycles.
    """

    name: str
    calls: tuple[Call, ...]
    cycles: float
    operator_cycles: tuple[float, ...] = ()
    is_network: bool = True

    def __post_init__(self) -> None:
        if self.operator_cycles and len(self.operator_cycles) != len(self.calls):
            raise StoreError(
                f"{self.name} has {len(self.calls)} operators and cycles of "
                f"{len(self.operator_cycles)}; measure it again"
            )
        if not self.calls or not self.cycles > 0:
            raise StoreError(
                f"{self.name} has {len(self.calls)} operators and {self.cycles} cycles; "
                "leave it out or measure it again"
            )

    @property
    def paper_macs(self) -> int:
        """The paper's count of its multiply-accumulates."""
        return sum(call.kernel.paper_macs for call in self.calls)
