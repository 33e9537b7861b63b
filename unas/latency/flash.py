# SPDX-License-Identifier: Apache-2.0
"""Predicts ``flash_bytes`` of an image with one network, without writing its flatbuffer.

Flash holds the program, whose size is known from measurements, and the flatbuffer: constants,
quantisation parameters by channel, and tables by tensor and operator. Who has the flatbuffer should
take its size instead.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unas.errors import StoreError
from unas.graph import Graph, OperatorKind
from unas.latency.arena_buffers import aligned
from unas.latency.arena_fit import ByteFit, ByteQuality, fit_bytes
from unas.latency.prediction import Prediction

NOMINAL = 0.9
# Constants aligned as in the file; channels are those of weighted operators.
TERMS = ("constant_bytes", "channels", "tensors", "constants", "operators", "one")
_WEIGHTED = frozenset(
    {OperatorKind.CONV_2D, OperatorKind.DEPTHWISE_CONV_2D, OperatorKind.FULLY_CONNECTED}
)


@dataclass(frozen=True, slots=True)
class FlashModel:
    """Flash of one program and one network.

    Attributes:
        fitted: Of the flatbuffer alone: what its terms weigh, and how good that is on networks
            that were held out.
        program_bytes: Median of the program without models.
        least_program_bytes: The smallest that was seen: tables and gaps depend on the image.
        most_program_bytes: The largest.
    """

    fitted: ByteFit
    program_bytes: int
    least_program_bytes: int
    most_program_bytes: int

    @property
    def quality(self) -> ByteQuality:
        """Of the flatbuffer's size, on networks that were held out."""
        return self.fitted.quality

    @classmethod
    def fit(
        cls,
        graphs: Sequence[Graph],
        flatbuffer_bytes: Sequence[int],
        program_bytes: Sequence[int],
        *,
        seed: int = 0,
    ) -> FlashModel:
        """Fit on measured networks.

        Args:
            graphs: As exported.
            flatbuffer_bytes: Size of each one's file, all from one exporter.
            program_bytes: ``program_bytes`` of each one's image, all of one runtime and board.
            seed: Draws the folds of the cross-validation.

        Raises:
            StoreError: Too few different networks.
        """
        terms = np.array([_terms(graph) for graph in graphs], np.float64)
        found = np.asarray(flatbuffer_bytes, np.float64)
        fitted = fit_bytes(terms, found, graphs, nominal=NOMINAL, seed=seed)
        program = round(statistics.median(program_bytes))
        return cls(fitted, program, min(program_bytes), max(program_bytes))

    def predict_flatbuffer(self, graph: Graph) -> Prediction:
        """``flatbuffer_bytes`` of a network as exported."""
        return self.fitted.predict(_terms(graph))

    def predict(self, graph: Graph) -> Prediction:
        """``flash_bytes`` of an image with this network alone."""
        file = self.predict_flatbuffer(graph)
        return Prediction(
            file.value + self.program_bytes,
            file.lower + self.least_program_bytes,
            file.upper + self.most_program_bytes,
        )

    def to_json_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            "fitted": self.fitted.to_json_dict(),
            "program_bytes": self.program_bytes,
            "least_program_bytes": self.least_program_bytes,
            "most_program_bytes": self.most_program_bytes,
        }

    @classmethod
    def from_json_dict(cls, data: Mapping[str, Any]) -> FlashModel:
        """From ``to_json_dict``'s result.

        Raises:
            StoreError: Fields are missing, unknown or of the wrong kind.
        """
        sizes = ("program_bytes", "least_program_bytes", "most_program_bytes")
        if set(data) != {"fitted", *sizes} or not all(type(data[name]) is int for name in sizes):
            raise StoreError(
                f"a stored flash model is not readable: it needs 'fitted' and, as whole numbers, "
                f"{', '.join(sizes)}; calibrate again"
            )
        fitted = ByteFit.from_json_dict(data["fitted"], terms=len(TERMS))
        return cls(fitted, *(data[name] for name in sizes))


def _terms(graph: Graph) -> tuple[float, ...]:
    """One number for each of ``TERMS``."""
    channels = sum(
        graph.tensors[op.output].shape[-1] for op in graph.operators if op.kind in _WEIGHTED
    )
    constants = [aligned(tensor.size_bytes) for tensor in graph.constants()]
    tensors, operators = len(graph.tensors), len(graph.operators)
    return sum(constants), channels, tensors, len(constants), operators, 1.0
