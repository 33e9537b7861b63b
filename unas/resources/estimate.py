# SPDX-License-Identifier: Apache-2.0
"""All resource figures of a graph in one value."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from unas.graph import Graph, OperatorKind
from unas.resources.counts import (
    model_size_bytes,
    operator_macs,
    operator_paper_macs,
    operator_size_bytes,
)
from unas.resources.liveness import analyse
from unas.resources.order_search import peak_memory

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class OperatorEstimate:
    """Figures of one operator.

    Attributes:
        position: In the graph that was given.
        kind: Its kind.
        output: Name of its output tensor.
        output_shape: Shape of its output, batch first.
        macs: Multiply-accumulates.
        paper_macs: Its share of the paper's count.
        model_size_bytes: Its parameters at one byte each.
        working_set_bytes: Live buffers while it runs, in the best order, the input counted.
    """

    position: int
    kind: OperatorKind
    output: str
    output_shape: tuple[int, ...]
    macs: int
    paper_macs: int
    model_size_bytes: int
    working_set_bytes: int


@dataclass(frozen=True, slots=True)
class ResourceEstimate:
    """Figures of a graph; their provenance is *predicted*.

    Attributes:
        macs: Multiply-accumulates.
        paper_macs: The paper's count, with pools and additions.
        model_size_bytes: Parameters at one byte each, as in the paper.
        peak_memory_bytes: Least RAM for activations over all orders, as a real arena needs it: the
            input counts, no ADD works in place.
        peak_memory_without_input_bytes: The same without the input's buffer, as in the paper's
            tables, where the order may be another one.
        order: An execution order with ``peak_memory_bytes``.
        operators: Figures per operator, in that order.
    """

    macs: int
    paper_macs: int
    model_size_bytes: int
    peak_memory_bytes: int
    peak_memory_without_input_bytes: int
    order: tuple[int, ...]
    operators: tuple[OperatorEstimate, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        operators = [asdict(one) | {"kind": str(one.kind)} for one in self.operators]
        return asdict(self) | {"operators": operators}

    def to_frame(self) -> pd.DataFrame:
        """A row an operator, in the order of execution."""
        import pandas as pd

        return pd.DataFrame(self.to_dict()["operators"])


@dataclass(frozen=True, slots=True)
class Footprint:
    """The two figures that decide whether a network fits a device at all.

    Attributes:
        model_size_bytes: Parameters at one byte each, as in the paper.
        peak_memory_bytes: Least RAM for activations over all orders, the input counted, no ADD in
            place.
    """

    model_size_bytes: int
    peak_memory_bytes: int


def footprint(graph: Graph) -> Footprint:
    """Model size and peak memory of any graph; what ``unas.space.sample.draw_within`` asks for."""
    peak = peak_memory(graph, count_input=True, in_place_add=False)
    return Footprint(model_size_bytes(graph), peak.bytes)


def estimate(graph: Graph) -> ResourceEstimate:
    """All resource figures of any graph, in milliseconds."""
    peak = peak_memory(graph, count_input=True, in_place_add=False)
    live = analyse(graph, count_input=True, in_place_add=False)
    operators = []
    for position, working_set in zip(peak.order, live.working_sets(peak.order), strict=True):
        op = graph.operators[position]
        output = graph.tensors[op.output]
        operators.append(
            OperatorEstimate(
                position=position,
                kind=op.kind,
                output=output.name,
                output_shape=output.shape,
                macs=operator_macs(graph, op),
                paper_macs=operator_paper_macs(graph, op),
                model_size_bytes=operator_size_bytes(graph, op),
                working_set_bytes=working_set,
            )
        )
    without_input = peak_memory(graph, count_input=False, in_place_add=False)
    return ResourceEstimate(
        macs=sum(x.macs for x in operators),
        paper_macs=sum(x.paper_macs for x in operators),
        model_size_bytes=model_size_bytes(graph),
        peak_memory_bytes=peak.bytes,
        peak_memory_without_input_bytes=without_input.bytes,
        order=peak.order,
        operators=tuple(operators),
    )
