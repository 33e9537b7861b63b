# SPDX-License-Identifier: Apache-2.0
"""The float network of a graph as a Keras model, and ``.keras`` files."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unas.errors import ArchitectureError, ModelError, StoreError
from unas.graph import (
    Activation,
    AddOptions,
    ConcatenationOptions,
    ConvOptions,
    DenseOptions,
    Graph,
    MeanOptions,
    NoOptions,
    Operator,
    OperatorKind,
    Padding,
    PadOptions,
    PoolOptions,
    ReshapeOptions,
    SoftmaxOptions,
)
from unas.train.backend import load_tensorflow

if TYPE_CHECKING:
    import keras

# TFLiteConverter leaves out biases that are all zero, and merges equal ones: an untrained network
# must not be a smaller one than the trained.
_LARGEST_BIAS = 0.05


def build_keras_model(graph: Graph, *, seed: int) -> keras.Model:
    """Build the float network of a graph, with initial weights.

    A fused activation becomes a layer of its own, after the batch normalisation where there is one;
    QUANTIZE becomes nothing. The last layer gives what the graph's output holds: logits, in the
    search space.

    Args:
        graph: The network, with one input (1, height, width, channels) or (1, features).
        seed: Of the initial weights.

    Returns:
        A functional model; its batch size is free.

    Raises:
        ArchitectureError: Keras has no layer for an operator as it stands in the graph.
    """
    load_tensorflow()
    import keras

    (source,), (sink,) = graph.inputs, graph.outputs
    values: dict[int, Any] = {source: keras.Input(graph.tensors[source].shape[1:])}
    for position, op in enumerate(graph.operators):
        layers = _Layers(keras.layers, keras.initializers, seed, position)
        values[op.output] = layers.apply(graph, op, [values.get(i) for i in op.inputs])
    return keras.Model(values[source], values[sink])


class _Layers:
    """Makes the layers of one operator; names and seeds tell operators apart."""

    def __init__(self, layers: Any, initializers: Any, seed: int, position: int) -> None:
        self._layers, self._initializers = layers, initializers
        # One sequence of seeds per network, two per operator: no two networks share a prefix.
        self._seed = seed * 2**16 + 2 * position
        self._position = position

    def apply(self, graph: Graph, op: Operator, inputs: list[Any]) -> Any:
        """Output of the operator; inputs hold None for constants."""
        if inputs[0] is None:
            raise ArchitectureError(
                f"operator {self._position} ({op.kind}) computes on a constant; "
                "leave the operator out and store its result"
            )
        data = self._on_data(graph, op, inputs)
        if isinstance(op.options, ConvOptions) and op.options.batch_norm:
            data = self._layers.BatchNormalization(name=self._name(op, "bn"))(data)
        return self._activated(op, data)

    def _on_data(self, graph: Graph, op: Operator, inputs: list[Any]) -> Any:
        data, layers, name = inputs[0], self._layers, self._name(op)
        match op.options:
            case ConvOptions():
                return self._convolution(graph, op, op.options)(data)
            case DenseOptions():
                flat = data if len(data.shape) == 2 else layers.Flatten()(data)
                units = graph.tensors[op.inputs[1]].shape[0]
                return layers.Dense(units, name=name, **self._weights("kernel", op))(flat)
            case PoolOptions() as pool:
                kinds = {
                    OperatorKind.MAX_POOL_2D: layers.MaxPooling2D,
                    OperatorKind.AVERAGE_POOL_2D: layers.AveragePooling2D,
                }
                return kinds[op.kind](
                    (pool.filter_h, pool.filter_w),
                    strides=(pool.stride_h, pool.stride_w),
                    padding=_padding(pool.padding),
                    name=name,
                )(data)
            case _:
                return self._without_weights(op, inputs)

    def _without_weights(self, op: Operator, inputs: list[Any]) -> Any:
        data, layers, name = inputs[0], self._layers, self._name(op)
        match op.options:
            case AddOptions():
                return layers.Add(name=name)(inputs)
            case ConcatenationOptions(axis=axis):
                return layers.Concatenate(axis, name=name)(inputs)
            case PadOptions(paddings=((0, 0), rows, columns, (0, 0))):
                return layers.ZeroPadding2D((rows, columns), name=name)(data)
            case MeanOptions(axes=(1, 2), keep_dims=keep):
                return layers.GlobalAveragePooling2D(keepdims=keep, name=name)(data)
            case ReshapeOptions(new_shape=shape):
                return layers.Reshape(shape[1:], name=name)(data)
            case SoftmaxOptions(beta=1.0):
                return layers.Softmax(name=name)(data)
            case NoOptions():
                return data
            case _:
                raise ArchitectureError(
                    f"operator {self._position} ({op.kind}) has no Keras layer for {op.options}; "
                    "pad and average over height and width, and give SOFTMAX a beta of 1"
                )

    def _convolution(self, graph: Graph, op: Operator, options: ConvOptions) -> Callable[..., Any]:
        kernel = graph.tensors[op.inputs[1]].shape
        settings = {
            "kernel_size": kernel[1:3],
            "strides": (options.stride_h, options.stride_w),
            "dilation_rate": (options.dilation_h, options.dilation_w),
            "padding": _padding(options.padding),
            "name": self._name(op),
        }
        layer: Callable[..., Any]
        if op.kind is OperatorKind.DEPTHWISE_CONV_2D:
            settings |= self._weights("depthwise", op)
            layer = self._layers.DepthwiseConv2D(
                depth_multiplier=options.depth_multiplier, **settings
            )
        else:
            settings |= self._weights("kernel", op)
            layer = self._layers.Conv2D(filters=kernel[0], **settings)
        return layer

    def _weights(self, role: str, op: Operator) -> dict[str, Any]:
        bias = len(op.inputs) > 2 and op.inputs[2] != -1
        limit = _LARGEST_BIAS
        return {
            f"{role}_initializer": self._initializers.GlorotUniform(self._seed),
            "bias_initializer": self._initializers.RandomUniform(-limit, limit, self._seed + 1),
            "use_bias": bias,
        }

    def _activated(self, op: Operator, data: Any) -> Any:
        activation = getattr(op.options, "activation", Activation.NONE)
        if activation is Activation.RELU or op.kind is OperatorKind.RELU:
            return self._layers.ReLU(name=self._name(op, "relu"))(data)
        if activation is Activation.RELU6 or op.kind is OperatorKind.RELU6:
            return self._layers.ReLU(6.0, name=self._name(op, "relu6"))(data)
        return data

    def _name(self, op: Operator, part: str = "") -> str:
        name = f"op{self._position}_{op.kind.lower()}"
        return f"{name}_{part}" if part else name


def save_model(model: keras.Model, path: Path) -> None:
    """Write a model to a file of Keras.

    Args:
        model: The Keras model.
        path: Ends in ``.keras``; an existing file is replaced.

    Raises:
        StoreError: It cannot be written.
    """
    try:
        with warnings.catch_warnings():
            # Keras 3 takes variables for NumPy in a way that NumPy 2 frowns on.
            warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
            model.save(path)
    except (OSError, ValueError) as error:
        raise StoreError(
            f"cannot write {path}: {error}; give a place for a .keras file that can be written"
        ) from error


def load_model(path: Path) -> keras.Model:
    """Read a model from a file of Keras. Code in it is not run.

    Args:
        path: A ``.keras`` file.

    Raises:
        ModelError: It cannot be read.
    """
    load_tensorflow()
    import keras

    try:
        model: keras.Model = keras.models.load_model(path, compile=False, safe_mode=True)
    except (OSError, ValueError, TypeError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(
            f"{path} holds no model that can be read: {reason}; write one with "
            "model.save('name.keras')"
        ) from error
    return model


def _padding(padding: Padding) -> str:
    return padding.lower()
