# SPDX-License-Identifier: Apache-2.0
"""From a Keras model to an int8 .tflite file, by TensorFlow's own converter.

The only module of this package that needs TensorFlow; it is imported at the first conversion.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unas.artifact import Flatbuffer
from unas.errors import ModelError

if TYPE_CHECKING:
    import keras


def convert_keras(
    model: keras.Model, representative: Iterable[NDArray[np.float32]], name: str
) -> Flatbuffer:
    """Quantize and convert a model: int8 throughout, input and output included, batch of 1.

    Args:
        model: One input, one output.
        representative: The representative dataset, from which the activations' scales come: inputs
            of shape (1, ...), at least one.
        name: For people.

    Returns:
        The model. The converter chooses the order of its operators; see ``reorder_flatbuffer``.

    Raises:
        ModelError: The converter refuses the model, or the representative dataset is empty.
    """
    tf = _tensorflow()
    samples = [np.asarray(sample, np.float32) for sample in representative]
    if not samples:
        raise ModelError(f"the representative dataset for {name} is empty; give at least one input")
    function = _fixed_batch(tf, model)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], tf.Module())
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([sample] for sample in samples)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    try:
        with _quiet():
            return Flatbuffer(bytes(converter.convert()), name)
    except _refusals(tf) as error:
        reason = " ".join(str(error).strip().splitlines()[:1])
        raise ModelError(
            f"TFLiteConverter refuses {name}: {reason}; build it from operators that exist in int8"
        ) from error


def _tensorflow() -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read at TensorFlow's first import
    import tensorflow

    return tensorflow


def _fixed_batch(tf: Any, model: keras.Model) -> Any:
    """The model as a function of one input of batch 1, its weights constants.

    A free batch size would bring SHAPE, STRIDED_SLICE and PACK operators into the file. But the
    model is traced with a free one first, because Keras takes an operand of shape (1, 1, 1, C) in a
    sum for a bias and squeezes it; and its weights become constants, because the converter does not
    see the variables of Keras 3.
    """
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    shape = model.inputs[0].shape[1:]
    free = tf.function(model).get_concrete_function(tf.TensorSpec((None, *shape), tf.float32))
    frozen = convert_variables_to_constants_v2(free)
    definition, (source,), (sink,) = frozen.graph.as_graph_def(), frozen.inputs, frozen.outputs

    def fixed(data: Any) -> Any:
        (result,) = tf.graph_util.import_graph_def(
            definition, input_map={source.name: data}, return_elements=[sink.name], name=""
        )
        return result

    signature = tf.TensorSpec((1, *shape), tf.float32, "input")
    return tf.function(fixed).get_concrete_function(signature)


def _refusals(tf: Any) -> tuple[type[BaseException], ...]:
    """What the converter raises for a model that it cannot convert."""
    from tensorflow.lite.python.convert_phase import ConverterError

    return ConverterError, ValueError, RuntimeError, tf.errors.OpError


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the converter's chatter: Python warns, and C++ writes to the file descriptor."""
    sys.stderr.flush()
    saved = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as sink, warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Statistics for quantized inputs")
            os.dup2(sink.fileno(), 2)
            yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
