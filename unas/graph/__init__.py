# SPDX-License-Identifier: Apache-2.0
"""A network as tensors and operators: the one description everything else comes from."""

from unas.graph.model import Graph, Operator, Tensor
from unas.graph.operators import (
    Activation,
    AddOptions,
    ConcatenationOptions,
    ConvOptions,
    DenseOptions,
    ElementType,
    MeanOptions,
    NoOptions,
    OperatorKind,
    Options,
    Padding,
    PadOptions,
    PoolOptions,
    ReshapeOptions,
    SoftmaxOptions,
)

__all__ = [
    "Activation",
    "AddOptions",
    "ConcatenationOptions",
    "ConvOptions",
    "DenseOptions",
    "ElementType",
    "Graph",
    "MeanOptions",
    "NoOptions",
    "Operator",
    "OperatorKind",
    "Options",
    "PadOptions",
    "Padding",
    "PoolOptions",
    "ReshapeOptions",
    "SoftmaxOptions",
    "Tensor",
]
