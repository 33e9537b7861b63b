# SPDX-License-Identifier: Apache-2.0
"""Random graphs for the memory tests: only wiring and sizes matter there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from unas.graph import (
    AddOptions,
    ConcatenationOptions,
    Graph,
    Operator,
    OperatorKind,
    ReshapeOptions,
    Tensor,
)

_SIZES = st.integers(1, 9) | st.integers(1, 300)


def _operator(kind: OperatorKind, inputs: tuple[int, ...], output: int, size: int) -> Operator:
    if kind is OperatorKind.ADD:
        return Operator(kind, inputs, output, AddOptions())
    if kind is OperatorKind.RESHAPE:
        return Operator(kind, inputs[:1], output, ReshapeOptions((1, size)))
    return Operator(kind, inputs, output, ConcatenationOptions(axis=1))


@st.composite
def any_graphs(draw: st.DrawFn, max_operators: int) -> Graph:
    """Graphs of any wiring: several inputs, outputs and readers, dead ends, reshapes, additions."""
    sizes = [draw(_SIZES) for _ in range(draw(st.integers(1, 2)))]
    inputs = tuple(range(len(sizes)))
    operators = []
    for _ in range(draw(st.integers(1, max_operators))):
        kind = draw(
            st.sampled_from([OperatorKind.CONCATENATION] * 3 + [OperatorKind.ADD] * 2)
            | st.just(OperatorKind.RESHAPE)
        )
        indices = st.integers(0, len(sizes) - 1)
        sources = tuple(draw(st.lists(indices, min_size=1, max_size=3)))
        same = kind is OperatorKind.RESHAPE or (kind is OperatorKind.ADD and draw(st.booleans()))
        size = sizes[sources[0]] if same else draw(_SIZES)
        operators.append(_operator(kind, sources, len(sizes), size))
        sizes.append(size)
    written = list(range(len(inputs), len(sizes)))
    outputs = draw(st.lists(st.sampled_from(written), max_size=2, unique=True))
    tensors = tuple(Tensor(f"t{i}", (1, size)) for i, size in enumerate(sizes))
    return Graph(tensors, tuple(operators), inputs, tuple(outputs))


def fork_join(source: int, branches: Sequence[Sequence[int]], summand: int) -> Graph:
    """What the search space has: chains that read one tensor and are added up from the left.

    Args:
        source: Size of the input that all branches read.
        branches: Sizes of the tensors of each branch; its end has the size ``summand`` besides.
        summand: Size of what is added.
    """
    sizes = [source]
    operators: list[Operator] = []

    def append(kind: OperatorKind, inputs: tuple[int, ...], size: int) -> int:
        sizes.append(size)
        operators.append(_operator(kind, inputs, len(sizes) - 1, size))
        return len(sizes) - 1

    ends = []
    for branch in branches:
        x = 0
        for size in (*branch, summand):
            x = append(OperatorKind.CONCATENATION, (x,), size)
        ends.append(x)
    total = ends[0]
    for end in ends[1:]:
        total = append(OperatorKind.ADD, (total, end), summand)
    tensors = tuple(Tensor(f"t{i}", (1, size)) for i, size in enumerate(sizes))
    return Graph(tensors, tuple(operators), (0,), (total,))


def random_fork_join(rng: np.random.Generator) -> Graph:
    """Two to five branches. Small sizes: what is hard about these graphs are near ties."""
    highest = int(rng.choice([4, 8, 20, 60]))

    def sizes(count: int) -> list[int]:
        return [int(x) for x in rng.integers(1, highest, count, endpoint=True)]

    branches = [sizes(int(rng.integers(0, 6))) for _ in range(int(rng.integers(2, 6)))]
    source, summand = sizes(2)
    return fork_join(source * int(rng.choice([1, 1, 3])), branches, summand)
