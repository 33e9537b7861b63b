# SPDX-License-Identifier: Apache-2.0
"""A network of one operator, from the row of a CSV file that describes its shape."""

from __future__ import annotations

from unas.calibrate.imported_rows import Row
from unas.errors import ArchitectureError, StoreError
from unas.graph import (
    Activation,
    ConvOptions,
    DenseOptions,
    Graph,
    NoOptions,
    Operator,
    OperatorKind,
    Options,
    Padding,
    PoolOptions,
    SoftmaxOptions,
    Tensor,
)
from unas.graph.builder import GraphBuilder

_INPUT = ("input_h", "input_w", "input_c")
_WINDOW = ("kernel_h", "kernel_w", "stride_h", "stride_w", "padding")
_CONV = (*_WINDOW, "dilation_h", "dilation_w", "activation", "output_c", "output_h", "output_w")
_POOL = (*_WINDOW, "activation", "output_c", "output_h", "output_w")
SHAPE_COLUMNS = (*_INPUT, *_CONV, "pad_h", "pad_w")
# Which shape columns a kind may fill in beside the input's.
_ALLOWED = {
    OperatorKind.CONV_2D: _CONV,
    OperatorKind.DEPTHWISE_CONV_2D: _CONV,
    OperatorKind.FULLY_CONNECTED: ("output_c", "activation"),
    OperatorKind.MAX_POOL_2D: _POOL,
    OperatorKind.AVERAGE_POOL_2D: _POOL,
    OperatorKind.ADD: (),
    OperatorKind.PAD: ("pad_h", "pad_w"),
    OperatorKind.MEAN: (),
    OperatorKind.RESHAPE: (),
    OperatorKind.SOFTMAX: (),
    OperatorKind.RELU: (),
    OperatorKind.RELU6: (),
}
# What a shape column may hold for kinds that do not have it.
_NEUTRAL = {"padding": ("VALID",), "activation": ("NONE",), "pad_h": ("0",), "pad_w": ("0",)}


def graph_of(row: Row) -> Graph:
    """The network of the one operator that a row describes.

    Raises:
        StoreError: The operator is unknown, a cell is wrong or does not belong to this kind, the
            window does not fit, or the stated output is another; names line and column.
    """
    kind = row.word("operator", OperatorKind)
    if kind not in _ALLOWED:
        raise row.wrong("operator", "has no row of its own; give the whole network as a model")
    for column in SHAPE_COLUMNS:
        allowed = column in _INPUT or column in _ALLOWED[kind]
        if column in row.cells and not allowed and not _is_neutral(row, column):
            raise row.wrong(column, f"{kind} has none; leave it empty")
    build = GraphBuilder()
    x = build.input("input", (1, *(row.whole(name, _default(kind, name)) for name in _INPUT)))
    try:
        graph = _append(build, kind, x, row)
    except ArchitectureError as error:
        raise StoreError(f"{row.where}: {error}") from error
    _check_output(row, graph)
    return graph


def _default(kind: OperatorKind, column: str) -> int | None:
    """Vectors need no height and width."""
    flat = kind in (OperatorKind.FULLY_CONNECTED, OperatorKind.SOFTMAX)
    return 1 if flat and column != "input_c" else None


def _is_neutral(row: Row, column: str) -> bool:
    return row.cells[column].upper() in _NEUTRAL.get(column, ("1", "0"))


def _append(build: GraphBuilder, kind: OperatorKind, x: int, row: Row) -> Graph:
    name = "operator"
    match kind:
        case OperatorKind.CONV_2D:
            filters, options = row.whole("output_c"), _conv_options(row)
            out = build.conv(name, x, filters=filters, kernel=_kernel(row), options=options)
        case OperatorKind.DEPTHWISE_CONV_2D:
            options = _conv_options(row, _multiplier(row, build.shape(x)[-1]))
            out = build.depthwise(name, x, kernel=_kernel(row), options=options)
        case OperatorKind.MAX_POOL_2D | OperatorKind.AVERAGE_POOL_2D:
            out = build.pool(name, kind, x, _pool_options(row))
        case OperatorKind.FULLY_CONNECTED:
            return _dense(row, build.shape(x))
        case OperatorKind.ADD:
            out = build.add(name, x, build.input("other", build.shape(x)))
        case OperatorKind.PAD:
            rows, columns = row.whole("pad_h", 0, least=0), row.whole("pad_w", 0, least=0)
            out = build.pad(name, x, ((0, 0), (0, rows), (0, columns), (0, 0)))
        case OperatorKind.MEAN:
            out = build.mean(name, x)
        case OperatorKind.RESHAPE:
            out = build.flatten(name, x)
        case _:
            softmax = kind is OperatorKind.SOFTMAX
            return _mapped(kind, build.shape(x), SoftmaxOptions() if softmax else NoOptions())
    return build.finish(out)


def _dense(row: Row, shape: tuple[int, ...]) -> Graph:
    build = GraphBuilder()
    x = build.input("input", (1, shape[1] * shape[2] * shape[3]))
    options = DenseOptions(row.word("activation", Activation, Activation.NONE))
    return build.finish(build.dense("operator", x, units=row.whole("output_c"), options=options))


def _mapped(kind: OperatorKind, shape: tuple[int, ...], options: Options) -> Graph:
    """An operator whose output has the shape of its input."""
    tensors = (Tensor("input", shape), Tensor("operator", shape))
    return Graph(tensors, (Operator(kind, (0,), 1, options),), (0,), (1,))


def _kernel(row: Row) -> tuple[int, int]:
    return row.whole("kernel_h"), row.whole("kernel_w")


def _conv_options(row: Row, depth_multiplier: int = 1) -> ConvOptions:
    return ConvOptions(
        padding=row.word("padding", Padding, Padding.VALID),
        stride_h=row.whole("stride_h", 1),
        stride_w=row.whole("stride_w", 1),
        dilation_h=row.whole("dilation_h", 1),
        dilation_w=row.whole("dilation_w", 1),
        depth_multiplier=depth_multiplier,
        activation=row.word("activation", Activation, Activation.NONE),
    )


def _pool_options(row: Row) -> PoolOptions:
    rows, columns = _kernel(row)
    return PoolOptions(
        rows,
        columns,
        row.whole("stride_h", 1),
        row.whole("stride_w", 1),
        row.word("padding", Padding, Padding.VALID),
        row.word("activation", Activation, Activation.NONE),
    )


def _multiplier(row: Row, channels: int) -> int:
    filters = row.whole("output_c", channels)
    if filters % channels:
        raise row.wrong("output_c", f"must be a multiple of the {channels} input channels")
    return filters // channels


def _check_output(row: Row, graph: Graph) -> None:
    shape = graph.tensors[graph.outputs[0]].shape
    for column, size in zip(("output_h", "output_w", "output_c"), shape[1:], strict=False):
        if len(shape) == 4 and column in row.cells and row.whole(column) != size:
            raise row.wrong(column, f"such an operator gives {size}; correct shape or padding")
