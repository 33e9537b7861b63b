# SPDX-License-Identifier: Apache-2.0
"""A graph computed with plain TensorFlow operators, weights and masks given from outside.

``keras_model.py`` builds the network that is kept and exported; this computes the same, without
layers and variables in between: tracing takes a fraction of the time, weights can be one vector,
and masks sit where channels are made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from unas.errors import ArchitectureError
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
    PadOptions,
    PoolOptions,
    ReshapeOptions,
    SoftmaxOptions,
)

# Keras' default; keras_model.py uses it too.
EPSILON = 1e-3


@dataclass(slots=True)
class Forward:
    """One pass of a batch through a graph.

    Attributes:
        tf: The module.
        graph: The network; a batch takes the place of its batch of 1.
        weights: By operator position and role, in Keras' layout.
        masks: By operator position, 1 for each channel that stays and 0 for the others. They act on
            what the operator gives, behind batch normalisation and activation; gradients go through
            them (feedback), so a pruned channel learns on.
        feedback: Share of the gradient that a pruned channel gets. See ``unas.train.masks``.
        moments: By operator position, mean and variance for batch normalisation; None to take them
            from the batch.
        dropout: (rate, seed) for the inputs of hidden dense layers, or None.
        seen: Mean and variance of the batch where ``moments`` is None, in order of the operators.
    """

    tf: Any
    graph: Graph
    weights: Mapping[tuple[int, str], Any]
    masks: Mapping[int, Any]
    moments: Mapping[int, tuple[Any, Any]] | None
    dropout: tuple[float, Any] | None = None
    feedback: float = 1.0
    seen: list[Any] = field(default_factory=list)

    def __call__(self, inputs: Any) -> Any:
        """The graph's output for a batch.

        Raises:
            ArchitectureError: An operator is none that can be trained.
        """
        values: dict[int, Any] = {self.graph.inputs[0]: inputs}
        for position, op in enumerate(self.graph.operators):
            data = [values.get(i) for i in op.inputs]
            if data[0] is None:
                raise ArchitectureError(
                    f"operator {position} ({op.kind}) computes on a constant; leave it out"
                )
            result = self._activated(op, self._compute(position, op, data))
            if position in self.masks:
                result = self._masked(result, self.masks[position])
            values[op.output] = result
        return values[self.graph.outputs[0]]

    def _masked(self, data: Any, mask: Any) -> Any:
        learns = data * (mask + self.feedback * (1.0 - mask))
        return learns + self.tf.stop_gradient(data * mask - learns)

    def _compute(self, position: int, op: Operator, data: list[Any]) -> Any:
        x = data[0]
        match op.options:
            case ConvOptions() as options:
                x = self._convolved(position, op, options, x)
                return self._normalised(position, options, x)
            case DenseOptions():
                kernel = self.weights[position, "kernel"]
                x = self._dropped(position, op, self.tf.reshape(x, (-1, kernel.shape[0])))
                return self._biased(position, x @ kernel)
            case _:
                return self._without_weights(position, op, data)

    def _without_weights(self, position: int, op: Operator, data: list[Any]) -> Any:
        tf, x = self.tf, data[0]
        match op.options:
            case PoolOptions() as pool:
                average = op.kind is OperatorKind.AVERAGE_POOL_2D
                pooled: Callable[..., Any] = tf.nn.avg_pool2d if average else tf.nn.max_pool2d
                window = (pool.filter_h, pool.filter_w)
                return pooled(x, window, (pool.stride_h, pool.stride_w), str(pool.padding))
            case AddOptions():
                return tf.add_n(data)
            case ConcatenationOptions(axis=axis):
                return tf.concat(data, axis)
            case PadOptions(paddings=paddings):
                return tf.pad(x, paddings)
            case MeanOptions(axes=axes, keep_dims=keep):
                return tf.reduce_mean(x, axes, keep)
            case ReshapeOptions():
                return tf.reshape(x, (-1, *self.graph.tensors[op.output].shape[1:]))
            case SoftmaxOptions(beta=beta):
                return tf.nn.softmax(x * beta)
            case NoOptions():
                return x
            case _:
                raise ArchitectureError(
                    f"operator {position} ({op.kind}) cannot be trained; leave it out"
                )

    def _convolved(self, position: int, op: Operator, options: ConvOptions, x: Any) -> Any:
        strides = (options.stride_h, options.stride_w)
        dilations = (options.dilation_h, options.dilation_w)
        kernel, padding = self.weights[position, "kernel"], str(options.padding)
        if op.kind is OperatorKind.CONV_2D:
            if self._sees_all(op, options):
                # The same sums; TensorFlow multiplies matrices five times as fast on a CPU.
                flat = self.tf.reshape(x, (-1, kernel.shape[0] * kernel.shape[1] * kernel.shape[2]))
                sums = flat @ self.tf.reshape(kernel, (-1, kernel.shape[3]))
                return sums[:, self.tf.newaxis, self.tf.newaxis]
            return self.tf.nn.conv2d(x, kernel, strides, padding, dilations=dilations)
        if strides[0] != strides[1]:
            raise ArchitectureError(
                f"operator {position} ({op.kind}) has the strides {strides}; TensorFlow trains "
                "depthwise convolutions with equal ones only"
            )
        if kernel.shape[2] == 1:  # a convolution, which is faster there
            return self.tf.nn.conv2d(x, kernel, strides, padding, dilations=dilations)
        return self.tf.nn.depthwise_conv2d(x, kernel, (1, *strides, 1), padding, None, dilations)

    def _sees_all(self, op: Operator, options: ConvOptions) -> bool:
        """Whether a convolution's kernel covers its whole input, so that there is one output."""
        sizes = (self.graph.tensors[i].shape[1:3] for i in (*op.inputs[:2], op.output))
        inputs, kernel, output = sizes
        dense = (options.dilation_h, options.dilation_w) == (1, 1)
        return dense and inputs == kernel and output == (1, 1)

    def _normalised(self, position: int, options: ConvOptions, x: Any) -> Any:
        if not options.batch_norm:
            return self._biased(position, x)
        tf = self.tf
        gamma, beta = self.weights[position, "gamma"], self.weights[position, "beta"]
        if self.moments is not None:
            mean, variance = self.moments[position]
            scale = gamma * tf.math.rsqrt(variance + EPSILON)
            return x * scale + (beta - mean * scale)
        empty = tf.zeros((0,), x.dtype)
        result = tf.raw_ops.FusedBatchNormV3(
            x=x, scale=gamma, offset=beta, mean=empty, variance=empty, epsilon=EPSILON
        )
        self.seen += [result.batch_mean, result.batch_variance]
        return result.y

    def _biased(self, position: int, x: Any) -> Any:
        bias = self.weights.get((position, "bias"))
        return x if bias is None else self.tf.nn.bias_add(x, bias)

    def _dropped(self, position: int, op: Operator, x: Any) -> Any:
        if self.dropout is None or op.output == self.graph.outputs[0]:
            return x
        rate, seed = self.dropout
        tf = self.tf
        seeds = tf.random.experimental.stateless_fold_in(seed, position)
        return tf.nn.experimental.stateless_dropout(x, rate, seeds)

    def _activated(self, op: Operator, data: Any) -> Any:
        activation = getattr(op.options, "activation", Activation.NONE)
        if activation is Activation.RELU or op.kind is OperatorKind.RELU:
            return self.tf.nn.relu(data)
        if activation is Activation.RELU6 or op.kind is OperatorKind.RELU6:
            return self.tf.nn.relu6(data)
        return data
