# SPDX-License-Identifier: Apache-2.0
"""The direct writer against TensorFlow's converter: two files of one structure.

Both files are read by the generated schema accessors alone, so a mistake in our reader or writer
cannot hide itself. ``UNAS_AGREEMENT_MODELS`` sets how many architectures are drawn.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import tflite

from tests.export_graphs import Sketch, beyond_the_space
from unas.artifact import Flatbuffer
from unas.errors import ArchitectureError, ModelError
from unas.graph import Graph, OperatorKind, PadOptions
from unas.space.build import build_graph
from unas.space.cnn import random_architecture
from unas.tflite.converter import convert_keras
from unas.tflite.lowering import lower_graph
from unas.tflite.order import in_best_order, reorder_flatbuffer
from unas.tflite.writer import write_flatbuffer
from unas.train.keras_model import build_keras_model

pytestmark = pytest.mark.slow

MODELS = int(os.environ.get("UNAS_AGREEMENT_MODELS", "12"))
# Input shape and classes: colour images, grey images with two classes, spectrograms, tiny inputs.
PROBLEMS = (
    ((32, 32, 3), 10),
    ((28, 28, 1), 2),
    ((49, 10, 1), 12),
    ((9, 6, 2), 3),
)
OPTIONS = {
    tflite.BuiltinOptions.Conv2DOptions: tflite.Conv2DOptions,
    tflite.BuiltinOptions.DepthwiseConv2DOptions: tflite.DepthwiseConv2DOptions,
    tflite.BuiltinOptions.FullyConnectedOptions: tflite.FullyConnectedOptions,
    tflite.BuiltinOptions.Pool2DOptions: tflite.Pool2DOptions,
    tflite.BuiltinOptions.AddOptions: tflite.AddOptions,
    tflite.BuiltinOptions.PadOptions: tflite.PadOptions,
    tflite.BuiltinOptions.ConcatenationOptions: tflite.ConcatenationOptions,
    tflite.BuiltinOptions.ReducerOptions: tflite.ReducerOptions,
    tflite.BuiltinOptions.SoftmaxOptions: tflite.SoftmaxOptions,
}
SAME_SCALE = (
    tflite.BuiltinOperator.AVERAGE_POOL_2D,
    tflite.BuiltinOperator.MAX_POOL_2D,
    tflite.BuiltinOperator.PAD,
    tflite.BuiltinOperator.RESHAPE,
)


@dataclass(frozen=True)
class TensorFacts:
    """What must be equal of a tensor; ``words`` only of int32 constants without scale."""

    shape: tuple[int, ...]
    element_type: int
    has_rank: bool
    constant_bytes: int
    scales: int
    quantised_dimension: int
    words: tuple[int, ...]


@dataclass(frozen=True)
class OperatorFacts:
    """What must be equal of an operator; ``reads`` numbers tensors by their first use."""

    code: tuple[int, int, int]
    options: tuple[tuple[str, object], ...]
    reads: tuple[int, ...]
    inputs: tuple[TensorFacts | None, ...]
    output: TensorFacts
    keeps_scale: bool


def tensor_facts(model: Any, index: int) -> TensorFacts:
    tensor = model.Subgraphs(0).Tensors(index)
    quantisation = tensor.Quantization()
    scales = 0 if quantisation is None else quantisation.ScaleLength()
    data = model.Buffers(tensor.Buffer())
    plain = tensor.Type() == tflite.TensorType.INT32 and not scales
    return TensorFacts(
        shape=tuple(tensor.ShapeAsNumpy().tolist()),
        element_type=tensor.Type(),
        has_rank=tensor.HasRank(),
        constant_bytes=data.DataLength(),
        scales=scales,
        quantised_dimension=quantisation.QuantizedDimension() if scales else 0,
        words=tuple(data.DataAsNumpy().view(np.int32).tolist()) if plain else (),
    )


def option_facts(op: Any) -> tuple[tuple[str, object], ...]:
    """Every field of the options table, by the names of its generated accessors."""
    if op.BuiltinOptionsType() == tflite.BuiltinOptions.NONE:
        return ()
    table = OPTIONS[op.BuiltinOptionsType()]()
    table.Init(op.BuiltinOptions().Bytes, op.BuiltinOptions().Pos)
    hidden = ("Init", "GetRootAs")
    names = [n for n in dir(table) if n[0].isupper() and not n.startswith(hidden)]
    fields = [n for n in names if not n.endswith("BufferHasIdentifier")]
    return (("table", type(table).__name__), *((n, getattr(table, n)()) for n in fields))


def scale_of(model: Any, tensor: int) -> tuple[list[float], list[int]]:
    quantisation = model.Subgraphs(0).Tensors(tensor).Quantization()
    return quantisation.ScaleAsNumpy().tolist(), quantisation.ZeroPointAsNumpy().tolist()


def structure(flatbuffer: Flatbuffer) -> list[OperatorFacts]:
    """A file without weights, scales and names, its tensors numbered by first use."""
    model = tflite.Model.GetRootAs(flatbuffer.data)
    subgraph = model.Subgraphs(0)
    number: dict[int, int] = {-1: -1}
    facts = []
    for i in range(subgraph.OperatorsLength()):
        op = subgraph.Operators(i)
        inputs, (output,) = op.InputsAsNumpy().tolist(), op.OutputsAsNumpy().tolist()
        code = model.OperatorCodes(op.OpcodeIndex())
        kept = code.BuiltinCode() in SAME_SCALE
        facts.append(
            OperatorFacts(
                code=(code.BuiltinCode(), code.DeprecatedBuiltinCode(), code.Version()),
                options=option_facts(op),
                reads=tuple(number.setdefault(x, len(number)) for x in [*inputs, output]),
                inputs=tuple(None if x == -1 else tensor_facts(model, x) for x in inputs),
                output=tensor_facts(model, output),
                keeps_scale=kept and scale_of(model, inputs[0]) == scale_of(model, output),
            )
        )
    return facts


def converted(graph: Graph, seed: int) -> Flatbuffer:
    rng = np.random.default_rng(seed)
    shape = graph.tensors[graph.inputs[0]].shape
    samples = [rng.standard_normal(shape).astype(np.float32) for _ in range(2)]
    return convert_keras(build_keras_model(graph, seed=seed), samples, f"model{seed}")


@pytest.fixture(scope="module", params=range(MODELS))
def pair(request: pytest.FixtureRequest) -> tuple[Graph, Flatbuffer, Flatbuffer]:
    """A graph, and its files from the converter and from the direct writer."""
    seed: int = request.param
    shape, classes = PROBLEMS[seed % len(PROBLEMS)]
    graph = build_graph(random_architecture(np.random.default_rng(seed)), shape, classes)
    direct = write_flatbuffer(in_best_order(lower_graph(graph)), seed=seed, name=f"model{seed}")
    return graph, reorder_flatbuffer(converted(graph, seed)), direct


def test_both_ways_give_one_structure(pair: tuple[Graph, Flatbuffer, Flatbuffer]) -> None:
    _, by_converter, direct = pair
    assert structure(direct) == structure(by_converter)


def test_they_agree_beyond_the_search_space() -> None:
    """SAME padding, dilation, multipliers, RELU6, RELU alone, CONCATENATION, MEAN and SOFTMAX."""
    graph = beyond_the_space()
    direct = write_flatbuffer(in_best_order(lower_graph(graph)), seed=0, name="direct")
    assert structure(direct) == structure(reorder_flatbuffer(converted(graph, 0)))


def test_both_files_use_the_same_number_of_tensors(
    pair: tuple[Graph, Flatbuffer, Flatbuffer],
) -> None:
    """A runtime's arena holds something per tensor."""
    lengths = [tflite.Model.GetRootAs(m.data).Subgraphs(0).TensorsLength() for m in pair[1:]]
    assert lengths[0] == lengths[1]


def test_biases_have_the_scale_of_sums(pair: tuple[Graph, Flatbuffer, Flatbuffer]) -> None:
    weighted = (
        tflite.BuiltinOperator.CONV_2D,
        tflite.BuiltinOperator.DEPTHWISE_CONV_2D,
        tflite.BuiltinOperator.FULLY_CONNECTED,
    )
    for flatbuffer in pair[1:]:
        model = tflite.Model.GetRootAs(flatbuffer.data)
        subgraph = model.Subgraphs(0)
        for i in range(subgraph.OperatorsLength()):
            op = subgraph.Operators(i)
            if model.OperatorCodes(op.OpcodeIndex()).BuiltinCode() in weighted:
                (data, _), (kernel, zeros), (bias, _) = (
                    scale_of(model, x) for x in op.InputsAsNumpy().tolist()
                )
                np.testing.assert_allclose(bias, np.multiply(data, kernel), rtol=1e-5)
                assert not any(zeros)


@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")
def test_both_runtimes_take_both_files(pair: tuple[Graph, Flatbuffer, Flatbuffer]) -> None:
    import tensorflow as tf

    micro = pytest.importorskip("tflite_micro.python.tflite_micro.runtime")
    graph = pair[0]
    shapes = [graph.tensors[i].shape for i in (*graph.inputs, *graph.outputs)]
    data = np.random.default_rng(0).integers(-128, 128, shapes[0], np.int8)
    for flatbuffer in pair[1:]:
        # XNNPACK refuses scales as far apart as an untrained network can have them.
        plain = tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        lite = tf.lite.Interpreter(
            model_content=flatbuffer.data, experimental_op_resolver_type=plain
        )
        lite.allocate_tensors()
        lite.set_tensor(lite.get_input_details()[0]["index"], data)
        lite.invoke()
        expected = lite.get_tensor(lite.get_output_details()[0]["index"])
        interpreter = micro.Interpreter.from_bytes(flatbuffer.data, arena_size=2**22)
        interpreter.set_input(data, 0)
        interpreter.invoke()
        found = interpreter.get_output(0)
        assert expected.shape == found.shape == shapes[1]
        assert expected.dtype == found.dtype == np.int8


def test_keras_and_graph_agree_on_shapes_and_parameters() -> None:
    for seed, (shape, classes) in enumerate(PROBLEMS * 2):
        graph = build_graph(random_architecture(np.random.default_rng(seed)), shape, classes)
        model = build_keras_model(graph, seed=seed)
        parameters = 0
        for position, op in enumerate(graph.operators):
            layer = model.get_layer(f"op{position}_{op.kind.lower()}")
            assert layer.output.shape[1:] == graph.tensors[op.output].shape[1:]
            parameters += sum(weight.shape.num_elements() for weight in layer.weights)
        weighted = [op for op in graph.operators if len(op.inputs) == 3]
        assert parameters == sum(
            graph.tensors[i].elements for op in weighted for i in op.inputs[1:]
        )


def test_what_keras_has_no_layer_for_is_refused() -> None:
    sketch = Sketch((1, 4, 4, 2))
    options = PadOptions(((0, 0), (0, 0), (0, 0), (1, 1)))
    inputs = (0, sketch.words(4, 2))
    output = sketch.operator(OperatorKind.PAD, inputs, (1, 4, 4, 4), options)
    with pytest.raises(ArchitectureError, match=r"operator 0 \(PAD\) has no Keras layer"):
        build_keras_model(sketch.graph(output), seed=0)


def test_an_empty_representative_dataset_is_refused() -> None:
    model = build_keras_model(beyond_the_space(), seed=0)
    with pytest.raises(ModelError, match=r"representative dataset for x is empty"):
        convert_keras(model, [], "x")


def test_what_the_converter_cannot_make_int8_is_refused() -> None:
    import keras

    source = keras.Input((4,))
    model = keras.Model(source, keras.ops.erfinv(source))
    with pytest.raises(ModelError, match=r"TFLiteConverter refuses x"):
        convert_keras(model, [np.zeros((1, 4), np.float32)], "x")


def test_conversion_is_quiet_and_repeats_itself(capfd: pytest.CaptureFixture[str]) -> None:
    first, again = (converted(beyond_the_space(), 0) for _ in range(2))
    assert structure(first) == structure(again)
    assert "fully_quantize" not in capfd.readouterr().err


def test_the_seed_decides_the_initial_weights() -> None:
    graph = build_graph(random_architecture(np.random.default_rng(1)), (16, 16, 3), 4)
    first, again, other = (build_keras_model(graph, seed=s).get_weights() for s in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))
