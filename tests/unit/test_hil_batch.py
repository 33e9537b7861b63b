# SPDX-License-Identifier: Apache-2.0
"""Many inferences at once give what single ones give."""

from __future__ import annotations

import numpy as np
import pytest

from tests.export_graphs import beyond_the_space
from unas.errors import ModelError
from unas.graph import Graph
from unas.host.reference import reference_output
from unas.host.runtime import int8_outputs
from unas.space.build import build_graph
from unas.space.cnn import random_architecture
from unas.tflite.io_quantization import IoQuantization, read_io_quantization
from unas.tflite.lowering import lower_graph
from unas.tflite.writer import write_flatbuffer

SHAPE = (12, 12, 3)


def random_network(seed: int) -> Graph:
    return build_graph(random_architecture(np.random.default_rng(seed)), SHAPE, 4)


@pytest.mark.parametrize("seed", [-1, 0, 1, 2])
def test_a_batch_is_what_tensorflow_lite_micro_gives_one_by_one(seed: int) -> None:
    graph = beyond_the_space() if seed < 0 else random_network(seed)
    model = write_flatbuffer(lower_graph(graph), seed=5, name="batch").data
    inputs = np.random.default_rng(1).integers(-128, 128, (5, *SHAPE)).astype(np.int8)
    outputs = int8_outputs(model, inputs)
    expected = [reference_output(model, one.tobytes()).output for one in inputs]
    assert [row.tobytes() for row in outputs] == expected


def test_wrong_inputs_are_refused() -> None:
    model = write_flatbuffer(lower_graph(random_network(0)), seed=5, name="batch").data
    with pytest.raises(ModelError, match=r"input has 432 bytes, 108 were given"):
        int8_outputs(model, np.zeros((2, 6, 6, 3), np.int8))
    with pytest.raises(ModelError, match="2 inputs of type float32 for an int8 model; give"):
        int8_outputs(model, np.zeros((2, *SHAPE), np.float32))
    with pytest.raises(ModelError, match="0 inputs of type int8"):
        int8_outputs(model, np.zeros((0, *SHAPE), np.int8))
    assert int8_outputs(model, np.zeros((1, *SHAPE), np.int8)).shape == (1, 4)


def test_int8_outputs_stand_for_reals() -> None:
    ends = IoQuantization(0.5, -4, output_scale=0.25, output_zero=3, input_shape=(5,))
    assert ends.real(np.array([[3, 7], [-1, 127]], np.int8)).tolist() == [[0, 1], [-1, 31]]


@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")
def test_ends_are_those_that_the_file_was_written_with() -> None:
    """As the file's tensors have them: read with the accessors of TensorFlow's interpreter."""
    import tensorflow as tf

    model = write_flatbuffer(lower_graph(random_network(1)), seed=5, name="ends").data
    interpreter = tf.lite.Interpreter(model_content=model)
    (source,), (sink,) = interpreter.get_input_details(), interpreter.get_output_details()
    ends = read_io_quantization(model)
    assert (ends.input_scale, ends.input_zero) == pytest.approx(source["quantization"])
    assert (ends.output_scale, ends.output_zero) == pytest.approx(sink["quantization"])
