# SPDX-License-Identifier: Apache-2.0
"""A network as a small drawing: one box an operator, data flowing down, branches side by side."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape

from unas.graph import ConvOptions, DenseOptions, Graph, Operator, OperatorKind, PoolOptions
from unas.graph.operators import Activation
from unas.resources.estimate import OperatorEstimate, estimate

_WIDTH, _HEIGHT, _GAP_X, _GAP_Y, _MARGIN = 176.0, 34.0, 16.0, 20.0, 6.0
_COLOURS = {
    OperatorKind.CONV_2D: "#d6e6f2",
    OperatorKind.DEPTHWISE_CONV_2D: "#dcebd3",
    OperatorKind.FULLY_CONNECTED: "#f5e0d3",
    OperatorKind.ADD: "#eadff0",
    OperatorKind.CONCATENATION: "#eadff0",
}
_OTHER = "#eeeeee"
_BY = "\N{MULTIPLICATION SIGN}"
_NAMES = {
    OperatorKind.CONV_2D: "Conv",
    OperatorKind.DEPTHWISE_CONV_2D: "Depthwise",
    OperatorKind.FULLY_CONNECTED: "Dense",
    OperatorKind.AVERAGE_POOL_2D: "Average pool",
    OperatorKind.MAX_POOL_2D: "Max pool",
    OperatorKind.ADD: "Add",
    OperatorKind.CONCATENATION: "Concatenate",
    OperatorKind.PAD: "Pad",
    OperatorKind.MEAN: "Global average",
    OperatorKind.RESHAPE: "Reshape",
    OperatorKind.SOFTMAX: "Softmax",
    OperatorKind.RELU: "ReLU",
    OperatorKind.RELU6: "ReLU6",
    OperatorKind.QUANTIZE: "Requantise",
}


@dataclass(frozen=True, slots=True)
class GridCell:
    """The cell of an operator's box: row from the top (0 is the input), lane from the left."""

    row: int
    column: int


_INPUT = GridCell(0, 0)


def place_operators(graph: Graph) -> tuple[GridCell, ...]:
    """A cell for every operator, in the graph's order.

    An operator stands below all it reads, in the lane of one of them unless that is taken; a lane
    is taken down to where its last value is read.
    """
    rows = _rows(graph)
    columns: list[int] = []
    # Per lane the row from which it is free again: straight below whoever reads last.
    free = [_last_row(graph, graph.inputs[0], rows)]
    for operator, row in zip(graph.operators, rows, strict=True):
        sources = [graph.producer(t) for t in graph.activations_of(operator)]
        wanted = [0 if s is None else columns[s] for s in sources]
        column = next((x for x in (*wanted, *range(len(free))) if free[x] <= row), len(free))
        free += [0] * (column + 1 - len(free))
        free[column] = _last_row(graph, operator.output, rows)
        columns.append(column)
    return tuple(GridCell(row, column) for row, column in zip(rows, columns, strict=True))


def _rows(graph: Graph) -> list[int]:
    rows: list[int] = []
    for operator in graph.operators:
        sources = (graph.producer(t) for t in graph.activations_of(operator))
        rows.append(1 + max((0 if s is None else rows[s] for s in sources), default=0))
    return rows


def _last_row(graph: Graph, tensor: int, rows: list[int]) -> int:
    """The row of the lowest box that reads a tensor; 0 if none does."""
    return max((rows[reader] for reader in graph.consumers(tensor)), default=0)


def network_svg(graph: Graph, title: str) -> str:
    """The drawing as an SVG element that stands for itself.

    Args:
        graph: The network.
        title: What a screen reader says.
    """
    cells = place_operators(graph)
    figures = {one.position: one for one in estimate(graph).operators}
    columns = 1 + max((cell.column for cell in cells), default=0)
    rows = 1 + max((cell.row for cell in cells), default=0)
    width = 2 * _MARGIN + columns * _WIDTH + (columns - 1) * _GAP_X
    height = 2 * _MARGIN + rows * _HEIGHT + (rows - 1) * _GAP_Y
    lines, boxes = [], [_box(_INPUT, _OTHER, ["Input", _shape(graph, graph.inputs[0])], 0.0)]
    total = max(sum(one.macs for one in figures.values()), 1)
    for position, operator in enumerate(graph.operators):
        for tensor in graph.activations_of(operator):
            source = graph.producer(tensor)
            lines.append(_line(_INPUT if source is None else cells[source], cells[position]))
        estimated = figures[position]
        colour = _COLOURS.get(operator.kind, _OTHER)
        words = [describe(operator, graph), _numbers(estimated, graph, operator)]
        boxes.append(_box(cells[position], colour, words, estimated.macs / total))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" class="network" '
        f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}">'
        f"<title>{escape(title)}</title>{''.join(lines)}{''.join(boxes)}</svg>"
    )


def describe(operator: Operator, graph: Graph) -> str:
    """What an operator is, in a few words: ``"Conv 3x3 /2, ReLU"``."""
    name, options = _NAMES[operator.kind], operator.options
    words = name
    if isinstance(options, ConvOptions):
        height, width = graph.tensors[operator.inputs[1]].shape[1:3]
        words = f"{name} {height}{_BY}{width}{_stride(options.stride_h, options.stride_w)}"
    elif isinstance(options, PoolOptions):
        stride = (options.stride_h, options.stride_w)
        same = stride == (options.filter_h, options.filter_w)
        words = (
            f"{name} {options.filter_h}{_BY}{options.filter_w}{'' if same else _stride(*stride)}"
        )
    activation = getattr(options, "activation", Activation.NONE)
    if isinstance(options, ConvOptions | DenseOptions | PoolOptions) or operator.kind in (
        OperatorKind.ADD,
        OperatorKind.CONCATENATION,
    ):
        words += {Activation.RELU: ", ReLU", Activation.RELU6: ", ReLU6"}.get(activation, "")
    return words


def _stride(high: int, wide: int) -> str:
    if high == wide == 1:
        return ""
    return f" /{high}" if high == wide else f" /{high}{_BY}{wide}"


def _shape(graph: Graph, tensor: int) -> str:
    return _BY.join(map(str, graph.tensors[tensor].shape[1:]))


def _numbers(estimated: OperatorEstimate, graph: Graph, operator: Operator) -> str:
    words = [_shape(graph, operator.output)]
    if estimated.model_size_bytes:
        words.append(f"{estimated.model_size_bytes:,} par.")
    if estimated.macs:
        words.append(f"{_short(estimated.macs)} MACs")
    return " · ".join(words)


def _short(count: int) -> str:
    if count < 10_000:
        return f"{count:,}"
    return f"{count / 1e3:.3g} k" if count < 1_000_000 else f"{count / 1e6:.3g} M"


def _corner(cell: GridCell) -> tuple[float, float]:
    return (
        _MARGIN + cell.column * (_WIDTH + _GAP_X),
        _MARGIN + cell.row * (_HEIGHT + _GAP_Y),
    )


def _box(cell: GridCell, colour: str, words: list[str], share: float) -> str:
    """A box with two lines; the bar at its foot is its share of all MACs."""
    x, y = _corner(cell)
    bar = math.floor(share * 1000) / 1000 * _WIDTH
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{_WIDTH:g}" height="{_HEIGHT:g}" rx="4" '
        f'fill="{colour}" stroke="#999" stroke-width="0.6"/>'
        f'<rect x="{x:g}" y="{y + _HEIGHT - 2.5:g}" width="{bar:.1f}" height="2.5" fill="#1f6f8b"/>'
        f'<text x="{x + 7:g}" y="{y + 14:g}" font-size="11" font-weight="600">'
        f"{escape(words[0])}</text>"
        f'<text x="{x + 7:g}" y="{y + 27:g}" font-size="9.5" fill="#444">{escape(words[1])}</text>'
    )


def _line(source: GridCell, sink: GridCell) -> str:
    """From the foot of one box to the head of another, straight down or as an S."""
    (x0, y0), (x1, y1) = _corner(source), _corner(sink)
    x0, x1, y0 = x0 + _WIDTH / 2, x1 + _WIDTH / 2, y0 + _HEIGHT
    if source.column == sink.column:
        path = f"M{x0:g} {y0:g}V{y1:g}"
    else:  # first sideways below its source, then down its own lane, or the other way round
        bend = _GAP_Y
        near, x = (y0, x1) if sink.column > source.column else (y1 - bend, x0)
        path = f"M{x0:g} {y0:g}V{near:g}" if x == x0 else f"M{x0:g} {y0:g}"
        path += f"C{x0:g} {near + bend:g} {x1:g} {near:g} {x1:g} {near + bend:g}V{y1:g}"
    return f'<path d="{path}" fill="none" stroke="#777" stroke-width="1.1"/>'
