# SPDX-License-Identifier: Apache-2.0
"""What stands in a network's constant tensors: drawn weights, and the shapes that options name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unas.errors import ModelError
from unas.export.quantisation import WEIGHTED, Quantisation, fan_in
from unas.export.spread import BIAS_SHARE
from unas.graph import (
    ElementType,
    Graph,
    MeanOptions,
    Operator,
    PadOptions,
    ReshapeOptions,
    Tensor,
)

Constant = NDArray[np.int8] | NDArray[np.int32]
_WEIGHT_STD = 127.0 / np.sqrt(3.0)


def draw_constants(
    graph: Graph, plan: Sequence[Quantisation | None], rng: np.random.Generator
) -> tuple[Constant | None, ...]:
    """Content of every constant tensor.

    Kernels are uniform over -127..127 (TFLite's symmetric range), biases about half a standard
    deviation of the sums they join.

    Returns:
        One entry per tensor; None for activations.

    Raises:
        ModelError: A constant has no role that tells what it holds, or another size than its role.
    """
    users = {i: op for op in reversed(graph.operators) for i in op.inputs if i != -1}
    constants: list[Constant | None] = [None] * len(graph.tensors)
    for index, tensor in enumerate(graph.tensors):
        if not tensor.constant:
            continue
        if index not in users:
            raise ModelError(f"no operator reads the constant tensor {tensor.name!r}; remove it")
        if tensor.element_type is ElementType.INT8:
            # Ten times faster than rng.integers; that -127 is drawn twice as often hurts nobody.
            drawn = np.frombuffer(rng.bytes(tensor.elements), np.int8)
            constants[index] = np.maximum(drawn, np.int8(-127))
        else:
            constants[index] = _int32(graph, users[index], index, plan, rng)
    return tuple(constants)


def _int32(
    graph: Graph,
    op: Operator,
    index: int,
    plan: Sequence[Quantisation | None],
    rng: np.random.Generator,
) -> Constant:
    tensor = graph.tensors[index]
    match op.options:
        case PadOptions(paddings=value) | MeanOptions(axes=value) | ReshapeOptions(new_shape=value):
            return _shaped(tensor, np.array(value, np.int32))
        case _ if op.kind in WEIGHTED and tensor.element_type is ElementType.INT32:
            return _bias(graph, op, plan, rng)
        case _:
            raise ModelError(
                f"constant tensor {tensor.name!r} ({tensor.element_type}) at {op.kind} has no "
                "known role; give it the type and place that TFLite demands"
            )


def _shaped(tensor: Tensor, value: NDArray[Any]) -> Constant:
    if value.size != tensor.elements:
        raise ModelError(
            f"constant tensor {tensor.name!r} has room for {tensor.elements} numbers, its "
            f"operator's options give {value.size}; make them agree"
        )
    return value


def _bias(
    graph: Graph, op: Operator, plan: Sequence[Quantisation | None], rng: np.random.Generator
) -> Constant:
    """In steps of ``input scale x kernel scale``, as sums of products are."""
    tensor, data = graph.tensors[op.inputs[2]], graph.tensors[op.inputs[0]]
    quantisation = plan[op.inputs[0]]
    if quantisation is None:
        raise ModelError(f"the input {data.name!r} of {op.kind} is not int8; quantise it first")
    # Zero is inside every activation's range: half of the 256 steps is a fair standard deviation.
    reach = BIAS_SHARE * 64.0 * _WEIGHT_STD * np.sqrt(fan_in(graph, op))
    limit = int(min(reach, 2**30))
    return rng.integers(-limit, limit + 1, tensor.shape, np.int32)
