# SPDX-License-Identifier: Apache-2.0
"""Predicts ``arena_used_bytes`` and ``flash_bytes`` from a graph, without compiling it.

The tensor arena holds planned memory (tensors, and the working memory of kernels) and what the
runtime keeps for tensors and operators. Which rules of sharing and which kernels' working memory
describe a runtime, and what it keeps by tensor, operator and channel, is fitted on measured
networks. For the built-in runtime the description is exact: the coefficients come out as one.

Flash holds the program, whose size is known from measurements, and the flatbuffer: constants,
quantization parameters by channel, and tables by tensor and operator. Where the flatbuffer exists,
its size is the better figure.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from unas.arena.liveness import aligned, buffers_of
from unas.arena.planner import best_plan, greedy_plan
from unas.cost.memory_fit import ByteFit, ByteQuality, fit_bytes
from unas.errors import StoreError
from unas.graph import Graph, OperatorKind
from unas.names import KernelSet
from unas.record import Prediction

NOMINAL = 0.9
_TENSOR_BYTES = 12  # rt_buffer; an operator's working memory has one too
_OPERATOR_BYTES = 8  # rt_operator
_WEIGHTED = frozenset(
    {OperatorKind.CONV_2D, OperatorKind.DEPTHWISE_CONV_2D, OperatorKind.FULLY_CONNECTED}
)


def _built_in_terms(kernels: KernelSet, graph: Graph) -> tuple[float, ...]:
    """Planned bytes, kept bytes, 1."""
    buffers = buffers_of(graph, kernels)
    operators = len(graph.operators)
    kept = buffers.state_bytes + _TENSOR_BYTES * (len(graph.tensors) + operators)
    return best_plan(buffers).bytes, aligned(kept + _OPERATOR_BYTES * operators), 1.0


def _interpreter_terms(kernels: KernelSet, graph: Graph) -> tuple[float, ...]:
    """Planned bytes, tensors, operators, channels of weighted operators, 1."""
    planned = greedy_plan(buffers_of(graph, kernels)).bytes
    channels = _weighted_channels(graph)
    tensors = len(graph.tensors)
    return planned, tensors, len(graph.operators), channels, 1.0


def _weighted_channels(graph: Graph) -> int:
    """Output channels of all operators that have weights."""
    return sum(graph.tensors[op.output].shape[-1] for op in graph.operators if op.kind in _WEIGHTED)


@dataclass(frozen=True, slots=True)
class Description:
    """How a runtime uses its tensor arena.

    Attributes:
        terms: Names of what is counted.
        count: Counts them in a graph.
    """

    terms: tuple[str, ...]
    count: Callable[[Graph], tuple[float, ...]]


_BUILT_IN = ("planned_bytes", "kept_bytes", "one")
_INTERPRETER = ("planned_bytes", "tensors", "operators", "channels", "one")
# By the name in stored models; of two with the same error the first is taken.
DESCRIPTIONS: dict[str, Description] = {
    "builtin-dsp": Description(_BUILT_IN, partial(_built_in_terms, KernelSet.DSP)),
    "builtin-plain": Description(_BUILT_IN, partial(_built_in_terms, KernelSet.PLAIN)),
    "interpreter-cmsis-nn": Description(
        _INTERPRETER, partial(_interpreter_terms, KernelSet.CMSIS_NN)
    ),
    "interpreter-reference": Description(
        _INTERPRETER, partial(_interpreter_terms, KernelSet.REFERENCE)
    ),
}


@dataclass(frozen=True, slots=True)
class ArenaModel:
    """Tensor arena of one runtime with one set of kernels.

    Attributes:
        description: A name of ``DESCRIPTIONS``: the one that predicts held-out networks best.
        fitted: Bytes by each term, and the error on networks that were held out.
    """

    description: str
    fitted: ByteFit

    @property
    def quality(self) -> ByteQuality:
        """Errors on networks that were held out."""
        return self.fitted.quality

    @classmethod
    def fit(
        cls, graphs: Sequence[Graph], used_bytes: Sequence[int], *, seed: int = 0
    ) -> ArenaModel:
        """Fit all descriptions, keep the one with the least held-out error.

        Args:
            graphs: As exported; several rows of one network are held out together.
            used_bytes: ``arena_used_bytes`` of each, all of one runtime and its kernels.
            seed: Draws the folds of the cross-validation.

        Raises:
            StoreError: Too few different networks.
        """
        actual = np.asarray(used_bytes, np.float64)
        models = []
        for name, description in DESCRIPTIONS.items():
            terms = np.array([description.count(graph) for graph in graphs], np.float64)
            fitted = fit_bytes(terms, actual, graphs, nominal=NOMINAL, seed=seed)
            models.append(cls(name, fitted))
        return min(models, key=lambda model: round(model.quality.mape_percent, 6))

    def predict(self, graph: Graph) -> Prediction:
        """``arena_used_bytes`` of a network as exported, in about half a millisecond."""
        return self.fitted.predict(DESCRIPTIONS[self.description].count(graph))

    def to_json_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return {"description": self.description, "fitted": self.fitted.to_json_dict()}

    @classmethod
    def from_json_dict(cls, data: Mapping[str, Any]) -> ArenaModel:
        """From ``to_json_dict``'s result.

        Raises:
            StoreError: Fields are missing, unknown or of the wrong kind.
        """
        name = data.get("description")
        if set(data) != {"description", "fitted"} or name not in list(DESCRIPTIONS):
            raise StoreError(
                "a stored arena model is not readable: it needs 'fitted' and, as 'description', "
                f"one of {', '.join(DESCRIPTIONS)}; calibrate again"
            )
        terms = len(DESCRIPTIONS[name].terms)
        return cls(name, ByteFit.from_json_dict(data["fitted"], terms=terms))


# Constants aligned as in the file; channels are those of weighted operators.
TERMS = ("constant_bytes", "channels", "tensors", "constants", "operators", "one")


@dataclass(frozen=True, slots=True)
class FlashModel:
    """Flash of one program and one network.

    Attributes:
        fitted: Of the flatbuffer alone: bytes by each term, and the error on networks that were
            held out.
        program_bytes: Median of the program without models.
        least_program_bytes: The smallest of all images: tables and gaps depend on the image.
        most_program_bytes: The largest.
    """

    fitted: ByteFit
    program_bytes: int
    least_program_bytes: int
    most_program_bytes: int

    @property
    def quality(self) -> ByteQuality:
        """Errors of the flatbuffer's size on networks that were held out."""
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
        actual = np.asarray(flatbuffer_bytes, np.float64)
        fitted = fit_bytes(terms, actual, graphs, nominal=NOMINAL, seed=seed)
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
    channels = _weighted_channels(graph)
    constants = [aligned(tensor.size_bytes) for tensor in graph.constants()]
    tensors, operators = len(graph.tensors), len(graph.operators)
    return sum(constants), channels, tensors, len(constants), operators, 1.0
