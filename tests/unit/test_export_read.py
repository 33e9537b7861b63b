# SPDX-License-Identifier: Apache-2.0
"""The reader: what was written comes back, and nothing in a file can make it fail otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
import tflite

from tests.export_graphs import Sketch, every_operator
from unas.errors import ModelError, UnsupportedOperatorError
from unas.graph import (
    Activation,
    AddOptions,
    ConvOptions,
    ElementType,
    Graph,
    MeanOptions,
    NoOptions,
    Operator,
    OperatorKind,
    PadOptions,
    PoolOptions,
    Tensor,
)
from unas.space.build import build_graph
from unas.space.cnn import random_architecture
from unas.tflite.reader import read_flatbuffer
from unas.tflite.writer import write_flatbuffer

RELU = OperatorKind.RELU


def written(graph: Graph) -> bytes:
    return write_flatbuffer(graph, seed=0, name="x").data


def as_on_device(graph: Graph) -> Graph:
    """Without what no file can tell: batch normalisation is folded, names are not compared."""

    def folded(op: Operator) -> Operator:
        if isinstance(op.options, ConvOptions):
            return replace(op, options=replace(op.options, batch_norm=False))
        return op

    tensors = tuple(replace(t, name=str(i)) for i, t in enumerate(graph.tensors))
    return Graph(tensors, tuple(map(folded, graph.operators)), graph.inputs, graph.outputs)


@pytest.mark.parametrize("seed", range(12))
def test_what_was_written_is_read(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = build_graph(random_architecture(rng), (32, 32, 3), 10) if seed else every_operator()
    read = read_flatbuffer(written(graph), "x.tflite")
    assert as_on_device(read) == as_on_device(graph)
    assert [t.name.partition(":")[2] for t in read.tensors] == [t.name for t in graph.tensors]


@pytest.mark.parametrize("name", ["kws_ref_model", "pretrainedResnet_quant"])
def test_published_models_are_read(name: str, mlperf_tiny: Path) -> None:
    data = (mlperf_tiny / f"{name}.tflite").read_bytes()
    graph, subgraph = read_flatbuffer(data, name), tflite.Model.GetRootAs(data).Subgraphs(0)
    assert len(graph.operators) == subgraph.OperatorsLength()
    assert graph.inputs == tuple(subgraph.InputsAsNumpy())
    for i, op in enumerate(graph.operators):
        assert op.inputs == tuple(subgraph.Operators(i).InputsAsNumpy())
        assert (op.output,) == tuple(subgraph.Operators(i).OutputsAsNumpy())


def test_a_file_of_another_kind_is_refused() -> None:
    for data in (b"", b"\x7fELF", b"PK\x03\x04 not a model at all", b"\0" * 64):
        with pytest.raises(ModelError, match=r"x\.bin is no TFLite file.*give a \.tflite file"):
            read_flatbuffer(data, "x.bin")


def test_a_truncated_file_is_refused_wherever_it_is_cut() -> None:
    data = written(every_operator())
    for length in np.random.default_rng(0).integers(8, len(data) - 1, 200):
        with pytest.raises(ModelError, match=r"^x\.tflite"):
            read_flatbuffer(data[:length], "x.tflite")


@pytest.mark.parametrize(("flips", "accepted"), [(1, (280, 380)), (4, (110, 300)), (32, (0, 60))])
def test_flipped_bytes_are_refused_or_read_as_the_reference_reads_them(
    flips: int, accepted: tuple[int, int]
) -> None:
    """Half of the file is weights, which any byte may be; the rest decides what is read."""
    original = written(every_operator())
    count = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        data = bytearray(original)
        for position in rng.integers(0, len(data), flips):
            data[position] ^= int(rng.integers(1, 256))
        count += is_refused_or_right(bytes(data))
    assert accepted[0] <= count <= accepted[1]


def test_extreme_words_are_refused_or_read_as_the_reference_reads_them() -> None:
    """Every word of the tables, replaced by what is worst for an offset or a length."""
    original = written(every_operator())
    first_constant = min(_buffer_offsets(original))
    words = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, len(original))
    accepted = []
    for position in range(8, first_constant, 4):
        word = words[position // 4 % len(words)]
        data = original[:position] + word.to_bytes(4, "little") + original[position + 4 :]
        accepted.append(is_refused_or_right(data))
    assert 0.1 < np.mean(accepted) < 0.6


def test_flipped_weights_do_not_change_the_graph() -> None:
    original = written(every_operator())
    graph = read_flatbuffer(original, "x.tflite")
    subgraph, rng = tflite.Model.GetRootAs(original).Subgraphs(0), np.random.default_rng(0)
    starts = iter(_buffer_offsets(original))  # constants only, in the order of their tensors
    for tensor in graph.tensors:
        start = next(starts) if tensor.constant else 0
        if not tensor.constant or tensor.element_type is not ElementType.INT8:
            continue
        data = bytearray(original)
        for position in start + rng.integers(0, tensor.size_bytes, 5):
            data[position] ^= 0xFF
        assert read_flatbuffer(bytes(data), "x.tflite") == graph
    assert subgraph.TensorsLength() == len(graph.tensors)


def is_refused_or_right(data: bytes) -> bool:
    """False if it is refused; else the graph must be what TFLite's generated accessors read."""
    try:
        graph = read_flatbuffer(data, "x.tflite")
    except ModelError as error:
        assert str(error).startswith("x.tflite")  # noqa: PT017 - other errors must go through
        return False
    model = tflite.Model.GetRootAs(data)
    subgraph = model.Subgraphs(0)
    assert model.SubgraphsLength() == 1
    assert list(graph.inputs) == subgraph.InputsAsNumpy().tolist()
    assert list(graph.outputs) == subgraph.OutputsAsNumpy().tolist()
    assert len(graph.tensors) == subgraph.TensorsLength()
    for index, tensor in enumerate(graph.tensors):
        stored = subgraph.Tensors(index)
        shape = stored.ShapeAsNumpy().tolist() if stored.ShapeLength() else []
        content = model.Buffers(stored.Buffer()).DataLength()
        assert (list(tensor.shape), tensor.constant) == (shape, content > 0)
        assert not content or content == tensor.size_bytes
    assert len(graph.operators) == subgraph.OperatorsLength()
    for index, op in enumerate(graph.operators):
        entry = subgraph.Operators(index)
        code = _stored_code(model.OperatorCodes(entry.OpcodeIndex()))
        assert getattr(tflite.BuiltinOperator, op.kind) == code
        assert list(op.inputs) == entry.InputsAsNumpy().tolist()
        assert [op.output] == entry.OutputsAsNumpy().tolist()
        if op.kind is OperatorKind.CONV_2D:
            assert _conv_numbers(op) == _stored_conv_numbers(entry)
    return True


def _stored_code(code: tflite.OperatorCode) -> int:
    """The larger of two fields, as ``GetBuiltinCode`` in TFLite's ``schema_utils.cc`` has it.

    The Python package's ``BuiltinCode`` takes the old field alone where that is below 127.
    """
    table = code._tab
    offset = table.Offset(10)
    new = table.Get(flatbuffers.number_types.Int32Flags, table.Pos + offset) if offset else 0
    return int(max(code.DeprecatedBuiltinCode(), new))


def _conv_numbers(op: Operator) -> tuple[int, ...]:
    assert isinstance(op.options, ConvOptions)
    return (
        op.options.stride_h,
        op.options.stride_w,
        op.options.dilation_h,
        op.options.dilation_w,
    )


def _stored_conv_numbers(entry: tflite.Operator) -> tuple[int, ...]:
    options, table = tflite.Conv2DOptions(), entry.BuiltinOptions()
    options.Init(table.Bytes, table.Pos)
    return (
        options.StrideH(),
        options.StrideW(),
        options.DilationHFactor(),
        options.DilationWFactor(),
    )


def _buffer_offsets(data: bytes) -> list[int]:
    base, model = np.frombuffer(data, np.uint8).ctypes.data, tflite.Model.GetRootAs(data)
    buffers = (model.Buffers(i) for i in range(model.BuffersLength()))
    return [b.DataAsNumpy().ctypes.data - base for b in buffers if b.DataLength()]


def float_model() -> Graph:
    sketch = Sketch((1, 4))
    sketch.operator(OperatorKind.ADD, (0, 0), (1, 4), AddOptions())
    sketch.tensors = [replace(t, element_type=ElementType.FLOAT32) for t in sketch.tensors]
    return sketch.graph(1)


def test_a_float_model_is_refused_with_the_way_out() -> None:
    with pytest.raises(ModelError, match=r"no int8 model.*float32.*full int8 quantization"):
        read_flatbuffer(written(float_model()), "x.tflite")


def inconsistent(change: Callable[[Sketch], None]) -> bytes:
    """A small network with something changed that the writer does not check."""
    sketch = Sketch((1, 8, 8, 2))
    kernel, bias = sketch.constant(3, 3, 3, 2), sketch.words(3)
    sketch.operator(OperatorKind.CONV_2D, (0, kernel, bias), (1, 6, 6, 3), ConvOptions())
    change(sketch)
    return written(sketch.graph(len(sketch.tensors) - 1))


def _set_output(sketch: Sketch, shape: tuple[int, ...]) -> None:
    sketch.tensors[-1] = replace(sketch.tensors[-1], shape=shape)


def _set_options(sketch: Sketch, **changes: Any) -> None:
    op = sketch.operators[-1]
    assert isinstance(op.options, ConvOptions)
    sketch.operators[-1] = replace(op, options=replace(op.options, **changes))


def _append(kind: OperatorKind, *constants: int, options: Any) -> Callable[[Sketch], None]:
    def append(sketch: Sketch) -> None:
        inputs = (len(sketch.tensors) - 1, *(sketch.words(*constants) for _ in constants[:1]))
        sketch.operator(kind, inputs, (1, 6, 6, 3), options)

    return append


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: _set_output(s, (1, 7, 7, 3)), r"operator 0 \(CONV_2D\) turns .* into"),
        (lambda s: _set_options(s, stride_h=0), "0 for a stride"),
        (lambda s: _set_options(s, stride_w=-1), "-1 for a stride"),
        (lambda s: _set_options(s, dilation_h=2**20), "for a stride"),
        (lambda s: _set_options(s, dilation_w=9), "does not fit"),
        (lambda s: _set_output(s, (1, 0, 6, 3)), "tensor 3 has the shape"),
        (_append(OperatorKind.MAX_POOL_2D, options=PoolOptions(7, 1, 1, 1)), "does not fit"),
        (_append(OperatorKind.PAD, 4, 2, options=PadOptions(((0, -1),) * 4)), "pads by"),
        (_append(OperatorKind.MEAN, 1, options=MeanOptions((4,))), "mean over the axes"),
        (_append(OperatorKind.ADD, options=AddOptions()), "has 1 inputs"),
        (_append(OperatorKind.MAX_POOL_2D, options=AddOptions()), "lacks its options"),
    ],
)
def test_what_contradicts_itself_is_refused(change: Callable[[Sketch], None], message: str) -> None:
    with pytest.raises(ModelError, match=rf"x\.tflite.*{message}"):
        read_flatbuffer(inconsistent(change), "x.tflite")


def with_operator_code(code: int) -> bytes:
    """A model whose only operator is of a kind that we cannot write."""
    sketch = Sketch((1, 4))
    data = bytearray(written(sketch.graph(sketch.operator(RELU, (0,), (1, 4), NoOptions()))))
    table = tflite.Model.GetRootAs(data).OperatorCodes(0)._tab
    for field, size in ((4, 1), (10, 4)):  # deprecated_builtin_code and builtin_code
        place = table.Pos + table.Offset(field)
        data[place : place + size] = code.to_bytes(size, "little")
    return bytes(data)


def test_an_operator_without_kernel_is_named_with_its_place() -> None:
    data = with_operator_code(tflite.BuiltinOperator.LOGISTIC)
    with pytest.raises(
        UnsupportedOperatorError, match=r"x\.tflite: operator 0 is LOGISTIC.*CONV_2D"
    ):
        read_flatbuffer(data, "x.tflite")


def test_a_fused_activation_without_kernel_is_named() -> None:
    sketch = Sketch((1, 4))
    output = sketch.operator(OperatorKind.ADD, (0, 0), (1, 4), AddOptions(Activation.RELU))
    data = bytearray(written(sketch.graph(output)))
    options = tflite.Model.GetRootAs(data).Subgraphs(0).Operators(0).BuiltinOptions()
    data[options.Pos + options.Offset(4)] = tflite.ActivationFunctionType.TANH
    with pytest.raises(UnsupportedOperatorError, match=r"operator 0 \(ADD\).*activation.*number 4"):
        read_flatbuffer(bytes(data), "x.tflite")


@pytest.mark.parametrize(("inputs", "outputs"), [((0, 1), (2,)), ((0,), (1, 2))])
def test_several_inputs_or_outputs_are_refused(
    inputs: tuple[int, ...], outputs: tuple[int, ...]
) -> None:
    sketch = Sketch((1, 4))
    if len(inputs) == 1:
        sketch.operator(RELU, (0,), (1, 4), NoOptions())
    else:
        sketch.tensors.append(Tensor("second", (1, 4)))
    sketch.operator(OperatorKind.ADD, (0, 1), (1, 4), AddOptions())
    graph = Graph(tuple(sketch.tensors), tuple(sketch.operators), inputs, outputs)
    message = f"{len(inputs)} inputs and {len(outputs)} outputs; give a model with one of each"
    with pytest.raises(ModelError, match=message):
        read_flatbuffer(written(graph), "x.tflite")


@pytest.mark.parametrize(("subgraphs", "version"), [(0, 3), (2, 3), (1, 2)])
def test_only_one_subgraph_of_the_known_schema_is_read(subgraphs: int, version: int) -> None:
    builder = flatbuffers.Builder()
    tables = []
    for _ in range(subgraphs):
        tflite.SubGraphStart(builder)
        tables.append(tflite.SubGraphEnd(builder))
    tflite.ModelStartSubgraphsVector(builder, subgraphs)
    for table in tables:
        builder.PrependUOffsetTRelative(table)
    vector = builder.EndVector()
    tflite.ModelStart(builder)
    tflite.ModelAddVersion(builder, version)
    tflite.ModelAddSubgraphs(builder, vector)
    builder.Finish(tflite.ModelEnd(builder), file_identifier=b"TFL3")
    with pytest.raises(
        ModelError, match=r"subgraphs; give a model with one|schema version is not 3"
    ):
        read_flatbuffer(bytes(builder.Output()), "x.tflite")


def test_a_model_without_operators_is_refused() -> None:
    with pytest.raises(ModelError, match="no operators"):
        read_flatbuffer(written(Sketch((1, 4)).graph(0)), "x.tflite")


def test_an_operator_before_its_inputs_is_refused() -> None:
    data = bytearray(written(every_operator()))
    subgraph = tflite.Model.GetRootAs(data).Subgraphs(0)
    first, second = subgraph.Operators(0)._tab, subgraph.Operators(1)._tab
    start = subgraph._tab.Vector(subgraph._tab.Offset(10))  # operators
    for slot, table in enumerate((second, first)):
        place = start + 4 * slot
        data[place : place + 4] = (table.Pos - place).to_bytes(4, "little")
    with pytest.raises(ModelError, match="reads tensor 3 before it is written"):
        read_flatbuffer(bytes(data), "x.tflite")
