# SPDX-License-Identifier: Apache-2.0
"""Tensors, operators and the graph they form."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from unas.errors import ArchitectureError
from unas.graph.operators import ElementType, OperatorKind, Options


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor.

    Attributes:
        name: Unique within the graph.
        shape: Activations as NHWC or NC with the batch of 1 first; constants in TFLite's layout:
            CONV_2D kernel OHWI, DEPTHWISE_CONV_2D kernel 1HWC, FULLY_CONNECTED weights OI,
            biases (O,).
        element_type: INT8 for activations and kernels, INT32 for biases and shapes.
        constant: True if it lives in flash.
    """

    name: str
    shape: tuple[int, ...]
    element_type: ElementType = ElementType.INT8
    constant: bool = False

    @property
    def elements(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def size_bytes(self) -> int:
        """Bytes of all elements."""
        return self.elements * self.element_type.size_bytes


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator: indices into the graph's tensors; an absent optional input is -1.

    Input order is TFLite's: (data, kernel, bias) for convolutions and FULLY_CONNECTED,
    (data, paddings) for PAD, (data, axes) for MEAN, (data, shape) for RESHAPE, summands for ADD.
    """

    kind: OperatorKind
    inputs: tuple[int, ...]
    output: int
    options: Options


@dataclass(frozen=True, slots=True)
class Graph:
    """A network: operators stand in a valid execution order.

    Raises:
        ArchitectureError: An operator reads a tensor that nothing before it wrote, two operators
            write one tensor, or an index is out of range.
    """

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    _producer: dict[int, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        producer: dict[int, int] = {}
        ready = set(self.inputs) | {i for i, t in enumerate(self.tensors) if t.constant}
        for position, op in enumerate(self.operators):
            for index in op.inputs:
                if index != -1 and index not in ready:
                    raise ArchitectureError(
                        f"operator {position} ({op.kind}) reads tensor {index} before it is "
                        "written; list operators in execution order"
                    )
            if op.output in ready or not 0 <= op.output < len(self.tensors):
                raise ArchitectureError(
                    f"operator {position} ({op.kind}) writes tensor {op.output}, which is an "
                    "input, a constant, written already or not in the graph; "
                    "give it an output of its own"
                )
            producer[op.output] = position
            ready.add(op.output)
        missing = [index for index in self.outputs if index not in ready]
        if missing:
            raise ArchitectureError(f"nothing writes the output tensors {missing}; connect them")
        object.__setattr__(self, "_producer", producer)

    def producer(self, tensor: int) -> int | None:
        """Position of the operator that writes a tensor; None for inputs and constants."""
        return self._producer.get(tensor)

    def consumers(self, tensor: int) -> tuple[int, ...]:
        """Positions of the operators that read a tensor."""
        return tuple(i for i, op in enumerate(self.operators) if tensor in op.inputs)

    def activations_of(self, operator: Operator) -> tuple[int, ...]:
        """Indices of the operator's inputs that are not constants, each once, in order."""
        seen = dict.fromkeys(i for i in operator.inputs if i != -1)
        return tuple(i for i in seen if not self.tensors[i].constant)

    def constants(self) -> Iterator[Tensor]:
        """The tensors that live in flash."""
        return (t for t in self.tensors if t.constant)

    def reordered(self, order: tuple[int, ...]) -> Graph:
        """The same network with its operators in another execution order.

        Args:
            order: A permutation of operator positions.

        Raises:
            ArchitectureError: The order is no permutation, or runs an operator before its inputs.
        """
        if sorted(order) != list(range(len(self.operators))):
            raise ArchitectureError(f"{order} is no permutation of the operators; name each once")
        operators = tuple(self.operators[i] for i in order)
        return Graph(self.tensors, operators, self.inputs, self.outputs)
