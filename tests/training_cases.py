# SPDX-License-Identifier: Apache-2.0
"""Small data and small networks that the training tests share."""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow

from unas.graph import (
    Activation,
    ConvOptions,
    DenseOptions,
    Graph,
    OperatorKind,
    Padding,
    PoolOptions,
)
from unas.graph.builder import GraphBuilder
from unas.train.data import TensorSplit, TrainingData
from unas.train.layout import Floats, WeightLayout, initial_moments, initial_weights

RELU = Activation.RELU
tf: Any = tensorflow


def scale(x: Any) -> Any:
    return tf.cast(x, tf.float32) / 255.0


def blurred(x: Any, seed: Any) -> Any:
    """An augmentation: a little noise."""
    return scale(x) + tf.random.stateless_normal(tf.shape(x), seed, stddev=0.05)


def little_data(classes: int = 3, *, count: int = 120, noise: float = 0.25) -> TrainingData:
    """Classes are bright stripes at different heights, in noise; 6x6x1, uint8."""
    rng = np.random.default_rng(classes)

    def split(size: int) -> TensorSplit:
        y = rng.permutation(np.arange(size) % classes)
        x = rng.normal(0.3, noise, (size, 6, 6, 1))
        x[np.arange(size), y * 6 // classes] += 0.5
        pixels = np.clip(x * 255, 0, 255).astype(np.uint8)
        return TensorSplit(tf.constant(pixels), tf.constant(y, tf.int32))

    splits = split(count), split(60), split(60)
    return TrainingData(*splits, (6, 6, 1), classes, blurred, scale)


def little_network(classes: int = 3, *, filters: int = 4) -> Graph:
    """One convolution, one hidden dense layer."""
    b = GraphBuilder()
    x = b.input("input", (1, 6, 6, 1))
    x = b.conv("conv", x, filters=filters, kernel=3, options=ConvOptions(activation=RELU))
    x = b.dense("hidden", b.flatten("flat", x), units=6, options=DenseOptions(RELU))
    return b.finish(
        b.dense("logits", x, units=1 if classes == 2 else classes, options=DenseOptions())
    )


def branching_network() -> Graph:
    """All that pruning has to follow: sums, depthwise layers, pools, padding, normalisation."""
    b = GraphBuilder()
    plain, norm = ConvOptions(activation=RELU), ConvOptions(activation=RELU, batch_norm=True)
    bare = ConvOptions(batch_norm=True, padding=Padding.SAME)
    source = b.conv("first", b.input("input", (1, 6, 6, 1)), filters=6, kernel=1, options=norm)
    left = b.conv("left", source, filters=8, kernel=3, options=plain)
    right = b.depthwise("deep", source, kernel=3, options=norm)
    right = b.conv("right", right, filters=8, kernel=3, options=bare)
    right = b.pool("pool", OperatorKind.MAX_POOL_2D, right, PoolOptions(2, 2, 1, 1))
    right = b.pad("pad", right, ((0, 0), (0, 1), (0, 1), (0, 0)))
    total = b.add("total", left, right)
    total = b.depthwise("after", total, kernel=2, options=ConvOptions(activation=Activation.RELU6))
    flat = b.flatten("flat", total)
    hidden = b.dense("hidden", flat, units=7, options=DenseOptions(RELU))
    return b.finish(b.dense("logits", hidden, units=3, options=DenseOptions()))


def lively(layout: WeightLayout, seed: int = 0) -> tuple[Floats, Floats]:
    """Weights and moments in which nothing is 0 or 1 by chance."""
    rng = np.random.default_rng(seed)
    weights = initial_weights(layout, seed)
    weights += rng.uniform(0.02, 0.1, weights.size).astype(np.float32)
    moments = initial_moments(layout)
    return weights, moments + rng.uniform(0.05, 0.3, moments.size).astype(np.float32)
