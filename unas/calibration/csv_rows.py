# SPDX-License-Identifier: Apache-2.0
"""Rows of a CSV of measurements: typed cells, and the one-operator network that a row describes.

Every error names the line and the column of the wrong cell.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from unas._codec import near_names
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

Word = TypeVar("Word", bound=StrEnum)
_MAX = 2**31 - 1
_TRUTH = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the file.

    Attributes:
        where: Names the line in messages.
        cells: By column; empty cells are left out.
    """

    where: str
    cells: Mapping[str, str]

    def wrong(self, column: str, what: str) -> StoreError:
        """An error that names the cell; to be raised by the caller."""
        content = f" is {self.cells[column]!r}" if column in self.cells else " is empty"
        return StoreError(f"{self.where}, column {column!r}{content}: {what}")

    def text(self, column: str, default: str | None = None) -> str:
        """A cell as it stands.

        Raises:
            StoreError: It is empty and there is no default.
        """
        if column not in self.cells and default is None:
            raise self.wrong(column, "fill it in")
        return self.cells.get(column, default or "")

    def whole(self, column: str, default: int | None = None, minimum: int = 1) -> int:
        """A whole number.

        Raises:
            StoreError: It is none, too small, or missing without default.
        """
        if column not in self.cells and default is not None:
            return default
        number = self.number(column, minimum)
        if number != int(number):
            raise self.wrong(column, "give a whole number")
        return int(number)

    def number(self, column: str, minimum: float = 0.0) -> float:
        """A number.

        Raises:
            StoreError: It is none, missing, infinite or too small.
        """
        text = self.text(column)
        try:
            number = float(text)
        except ValueError as error:
            raise self.wrong(column, "give a number, with a point for fractions") from error
        if not minimum <= number <= _MAX:
            raise self.wrong(column, f"give a number from {minimum:g} to {_MAX}")
        return number

    def flag(self, column: str) -> bool:
        """1, true, yes, or 0, false, no; empty means no.

        Raises:
            StoreError: It is none of these.
        """
        text = self.text(column, "no").lower()
        if text not in _TRUTH:
            raise self.wrong(column, "write 1 or 0")
        return _TRUTH[text]

    def word(self, column: str, kind: type[Word], default: Word | None = None) -> Word:
        """One of an enumeration's values, in upper or lower case as there.

        Raises:
            StoreError: It is none of them, or missing without default.
        """
        text = self.text(column, default)
        known = {str(value).lower(): value for value in kind}
        if text.lower() not in known:
            raise self.wrong(column, near_names(text.upper(), map(str, kind)))
        return known[text.lower()]


def read_rows(path: Path, columns: Sequence[str]) -> tuple[Row, ...]:
    """The rows of a CSV file whose first line names its columns; lines with # are comments.

    Args:
        path: UTF-8, comma-separated, quoted as RFC 4180 says.
        columns: All that may occur.

    Raises:
        StoreError: It cannot be read, has no rows, a line has too many cells, or a column is
            unknown or named twice.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"cannot read {path}: {error}; give a CSV file in UTF-8") from error
    numbered = [
        (number, line)
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if len(numbered) < 2:
        raise StoreError(f"{path} has no rows below its header; add measurements")
    try:
        table = list(csv.reader((line for _, line in numbered), strict=True))
    except csv.Error as error:
        raise StoreError(f"{path} is no CSV file: {error}; correct its quotes") from error
    if len(table) != len(numbered):
        raise StoreError(f"{path} has cells of several lines; write each row on one line")
    header = [name.strip() for name in table[0]]
    _check_header(header, columns, f"{path}, line {numbered[0][0]}")
    return tuple(
        _row(f"{path}, line {number}", header, cells)
        for (number, _), cells in zip(numbered[1:], table[1:], strict=True)
    )


def _check_header(header: Sequence[str], columns: Sequence[str], where: str) -> None:
    for name in header:
        if name not in columns:
            raise StoreError(
                f"{where}: unknown column {name!r}; {near_names(name.lower(), columns)}"
            )
        if header.count(name) > 1:
            raise StoreError(f"{where}: the column {name!r} stands there twice; leave one out")


def _row(where: str, header: Sequence[str], cells: Sequence[str]) -> Row:
    if len(cells) != len(header):
        raise StoreError(
            f"{where} has {len(cells)} cells and the header {len(header)} columns; "
            "give every row as many, empty ones included"
        )
    named = zip(header, cells, strict=True)
    return Row(where, {name: cell.strip() for name, cell in named if cell.strip()})


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
            rows, columns = row.whole("pad_h", 0, minimum=0), row.whole("pad_w", 0, minimum=0)
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
