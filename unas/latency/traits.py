# SPDX-License-Identifier: Apache-2.0
"""What a latency model must know of a board and a runtime."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Traits:
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

    def lost(self, reused_bytes: float) -> float:
        """Share of a stream that has left the cache before it is read again.

        A least-recently-used cache loses all of a stream that is larger and read in turn, and none
        of a smaller one; conflicts within the sets make the step a ramp.
        """
        if self.cache_bytes == 0:
            return 0.0
        low, high = 0.88 * self.cache_bytes, 1.15 * self.cache_bytes
        return min(max((reused_bytes - low) / (high - low), 0.0), 1.0)
