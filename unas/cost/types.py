# SPDX-License-Identifier: Apache-2.0
"""Values that latency models share: samples to fit on, and the profile of kernels and caches."""

from __future__ import annotations

from dataclasses import dataclass

from unas.cost.operators import Call
from unas.errors import StoreError


@dataclass(frozen=True, slots=True)
class Sample:
    """One timed network. A single kernel is a network of one operator.

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


@dataclass(frozen=True, slots=True)
class KernelProfile:
    """The blocking of the kernels and the caches they work through.

    Attributes:
        kernels: As the device names them: "dsp", "plain", "cmsis-nn"…
        cache_bytes: Of the data cache; 0: none.
        line_bytes: Of a cache line.
    """

    kernels: str = "dsp"
    cache_bytes: int = 0
    line_bytes: int = 32

    @property
    def pixels_at_once(self) -> int:
        """Output positions that share a pass over the weights, where memory allows.

        Source: ``RT_DOT_PIXELS`` of the built-in runtime; two columns of im2col in CMSIS-NN's
        ``arm_nn_mat_mult_kernel_s8_s16``; elsewhere none are known to share.
        """
        return {"dsp": 6, "cmsis-nn": 2}.get(self.kernels, 1)

    def miss_share(self, reused_bytes: float) -> float:
        """Share of a stream of so many bytes that has left the cache before its next use, 0 to 1.

        A least-recently-used cache loses all of a stream that is larger than itself and read in
        turn, and none of a smaller one; conflicts within the sets make the step a ramp.
        """
        if self.cache_bytes == 0:
            return 0.0
        low, high = 0.88 * self.cache_bytes, 1.15 * self.cache_bytes
        return min(max((reused_bytes - low) / (high - low), 0.0), 1.0)
