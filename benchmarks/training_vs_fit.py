# SPDX-License-Identifier: Apache-2.0
"""Candidates trained per hour: our trainer against Keras' ``fit``, in turns, on the same networks.

``fit`` is used as μNAS's reference implementation does: a tf.data pipeline that augments one sample
at a time, shuffles, batches and prefetches; a model that is compiled for every candidate; an
evaluation after every epoch. Both sides get the same networks, data, augmentation, optimiser and
epochs, and everything a candidate costs is counted, compilation too. The networks are of the size
that the paper's MNIST study looks for: plain ones that learn well, so that errors compare, or
random ones of the search space, many of which do not.

    python benchmarks/training_vs_fit.py                                  # scikit-learn's digits
    python benchmarks/training_vs_fit.py --data mnist --path MNIST_FOLDER --epochs 5
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from unas.config import OptimizerConfig, OptimizerName, TrainingConfig
from unas.graph import (
    Activation,
    ConvOptions,
    DenseOptions,
    Graph,
    OperatorKind,
    PoolOptions,
)
from unas.graph.builder import GraphBuilder
from unas.resources.estimate import footprint
from unas.space.build import build_graph
from unas.space.cnn import CNN_SPACE
from unas.space.sample import draw_within
from unas.train.backend import forget_models, load_tensorflow
from unas.train.data import TrainingData, training_data
from unas.train.datasets import Dataset, load_dataset
from unas.train.keras_model import build_keras_model
from unas.train.result import classification_error
from unas.train.trainer import train

# The paper's for MNIST, but ten times its rate, for fewer epochs. A constant rate makes Keras'
# weight decay, which is multiplied by it, equal to ours.
RATE, MOMENTUM, DECAY, BATCH = 0.05, 0.9, 4e-5, 128


@dataclass(slots=True)
class Side:
    """What one way of training has cost and reached."""

    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    test: list[float] = field(default_factory=list)

    def line(self, name: str) -> str:
        """The side in numbers."""
        per_hour = 3600 / statistics.mean(self.seconds)
        return (
            f"{name:12s} {per_hour:8.0f} candidates/h   {statistics.mean(self.seconds):6.2f} s each"
            f"   error: validation {statistics.mean(self.validation):.4f}"
            f"  test {statistics.mean(self.test):.4f}"
        )


def plain_networks(dataset: Dataset) -> Iterator[Graph]:
    """Three convolutions and a dense layer, each a little wider than the one before."""
    norm = ConvOptions(activation=Activation.RELU, batch_norm=True)
    for width in itertools.count(4):
        b = GraphBuilder()
        x = b.input("input", (1, *dataset.input_shape))
        options = ConvOptions(stride_h=2, stride_w=2, activation=Activation.RELU)
        x = b.conv("first", x, filters=width, kernel=3, options=options)
        x = b.depthwise("second", x, kernel=3, options=norm)
        x = b.conv("third", x, filters=2 * width, kernel=1, options=norm)
        if b.shape(x)[1] > 6:
            x = b.pool("pool", OperatorKind.MAX_POOL_2D, x, PoolOptions(2, 2, 2, 2))
        dense = DenseOptions(Activation.RELU)
        x = b.dense("hidden", b.flatten("flat", x), units=16, options=dense)
        yield b.finish(b.dense("logits", x, units=dataset.num_classes, options=DenseOptions()))


def random_networks(
    dataset: Dataset, seed: int, size_bytes: int, memory_bytes: int
) -> Iterator[Graph]:
    """Random networks of the paper's space, within bounds."""
    rng, shape, classes = np.random.default_rng(seed), dataset.input_shape, dataset.num_classes
    while True:
        architecture = draw_within(
            rng, CNN_SPACE, shape, classes, footprint=footprint,
            max_model_size_bytes=size_bytes, max_peak_memory_bytes=memory_bytes,
        )  # fmt: skip
        yield build_graph(architecture, shape, classes)


def by_trainer(graph: Graph, data: TrainingData, epochs: int, seed: int) -> tuple[float, float]:
    """Validation and test error."""
    training = TrainingConfig(
        epochs=epochs,
        batch_size=BATCH,
        optimizer=OptimizerConfig(OptimizerName.SGD, RATE, MOMENTUM, DECAY),
    )
    trained = train(graph, data, training, seed=seed)
    return trained.validation_error, trained.test_error or 0.0


def per_sample(dataset: Dataset, tf: Any) -> Any:
    """The augmentation of the data set for one picture, as the reference writes it."""
    plan: Any = dataset.augmentation
    (down, right), shape = plan.shift_px, dataset.input_shape

    def augment(x: Any, y: Any) -> Any:
        x = (tf.cast(x, tf.float32) - dataset.normalisation.offset) * dataset.normalisation.scale
        if plan.rotate_rad:
            angle = tf.random.uniform((), -plan.rotate_rad, plan.rotate_rad)
            turned = tf.random.uniform(()) < plan.rotate_probability
            x = tf.cond(turned, lambda: rotated(tf, x, angle), lambda: x)
        if plan.flip:
            x = tf.image.random_flip_left_right(x)
        if down or right:
            x = tf.pad(x, ((down, down), (right, right), (0, 0)), "SYMMETRIC")
            x = tf.image.random_crop(x, shape)
        return x, y

    return augment


def rotated(tf: Any, x: Any, angle: Any) -> Any:
    """What ``tfa.image.rotate`` does to one picture."""
    height, width = x.shape[0] - 1, x.shape[1] - 1
    cos, sin = tf.cos(angle), tf.sin(angle)
    dx = (width - (cos * width - sin * height)) / 2
    dy = (height - (sin * width + cos * height)) / 2
    transform = tf.stack([cos, -sin, dx, sin, cos, dy, 0.0, 0.0])[tf.newaxis]
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=x[tf.newaxis], transforms=transform, output_shape=x.shape[:2], fill_value=0.0,
        interpolation="BILINEAR", fill_mode="CONSTANT",
    )[0]  # fmt: skip


def by_fit(graph: Graph, dataset: Dataset, epochs: int, seed: int) -> tuple[float, float]:
    """Validation error of the best epoch, test error of the last one, as the reference has it."""
    import keras

    tf = load_tensorflow()
    keras.utils.set_random_seed(seed)
    model = build_keras_model(graph, seed=seed)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            # 0.99 does not get anywhere within so few steps: errors would not compare.
            layer.momentum = 0.9
    loss: Any = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.SGD(RATE, MOMENTUM, weight_decay=DECAY / RATE)
    model.compile(optimizer, loss, metrics=["accuracy"])
    pipeline = (
        tf.data.Dataset.from_tensor_slices((dataset.train.x, dataset.train.y))
        .map(per_sample(dataset, tf), num_parallel_calls=tf.data.AUTOTUNE)
        .shuffle(8 * BATCH)
        .batch(BATCH)
        .prefetch(tf.data.AUTOTUNE)
    )
    held_out, unseen = (
        tf.data.Dataset.from_tensor_slices((dataset.inputs(split), split.y)).batch(BATCH)
        for split in (dataset.validation, dataset.test)
    )
    # Keras says that it will not shuffle what is shuffled already, and that it traces again.
    warnings.filterwarnings("ignore", "`shuffle=True` was passed", UserWarning)
    tf.get_logger().setLevel("ERROR")
    history = model.fit(pipeline, epochs=epochs, validation_data=held_out, verbose=0)
    logits = model.predict(unseen, verbose=0)
    best = 1.0 - max(history.history["val_accuracy"])
    return best, classification_error(logits, dataset.test.y)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="digits")
    parser.add_argument("--path", type=Path)
    parser.add_argument("--candidates", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--networks", choices=("plain", "random"), default="plain")
    parser.add_argument("--model-size", type=int, default=20_000, help="of random ones, bytes")
    parser.add_argument("--peak-memory", type=int, default=10_000, help="likewise")
    args = parser.parse_args()
    load_tensorflow()
    dataset = load_dataset(args.data, args.path)
    data = training_data(dataset)
    ours, theirs = Side(), Side()
    source = plain_networks(dataset)
    if args.networks == "random":
        source = random_networks(dataset, args.seed, args.model_size, args.peak_memory)
    print(f"{dataset.name}: {len(dataset.train.y)} samples, {args.epochs} epochs, augmentation:")
    print(f"  {dataset.augmentation.describe()}")
    for number in range(args.candidates):
        graph = next(source)
        for mine in (True, False) if number % 2 else (False, True):
            side = ours if mine else theirs
            start, cpu = time.perf_counter(), time.process_time()
            if mine:
                validation, test = by_trainer(graph, data, args.epochs, number)
            else:
                validation, test = by_fit(graph, dataset, args.epochs, number)
            forget_models()
            side.seconds.append(time.perf_counter() - start)
            side.cpu_seconds.append(time.process_time() - cpu)
            side.validation.append(validation)
            side.test.append(test)
        print(
            f"  candidate {number}: trainer {ours.seconds[-1]:6.2f} s, "
            f"fit {theirs.seconds[-1]:6.2f} s; validation errors "
            f"{ours.validation[-1]:.4f}, {theirs.validation[-1]:.4f}",
            flush=True,
        )
    print(ours.line("trainer"))
    print(theirs.line("fit"))
    print(
        f"ratio {sum(theirs.seconds) / sum(ours.seconds):.2f}"
        f"  (of CPU time, which other programs disturb less: "
        f"{sum(theirs.cpu_seconds) / sum(ours.cpu_seconds):.2f})"
    )


if __name__ == "__main__":
    main()
