# SPDX-License-Identifier: Apache-2.0
"""The parts of a training step: optimisers, losses, rates, batches."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.training_cases import little_data, little_network, scale, tf
from unas._process import run
from unas.config import OptimizerConfig, OptimizerName, PlateauConfig, TrainingConfig
from unas.errors import ToolError
from unas.train.backend import configure
from unas.train.data import training_data
from unas.train.datasets import load_dataset
from unas.train.optimization import (
    LearningRate,
    classification_loss,
    descend,
    mistakes,
    slot_count,
    teacher_loss,
)
from unas.train.program import Program
from unas.train.result import classification_error

RATES = (0.1, 0.1, 0.02, 0.005)


def steps(config: OptimizerConfig) -> list[NDArray[np.float32]]:
    """Weights after each of a few steps down a crooked valley."""
    weights, slots = tf.constant([1.0, -2.0, 0.5]), (tf.zeros(3),) * slot_count(config)
    seen = []
    for step, rate in enumerate(RATES):
        gradient = weights * tf.constant([0.5, 3.0, -1.0]) + 0.1
        weights, slots = descend(
            tf, config, weights, gradient, slots, tf.constant(rate), tf.constant(float(step))
        )
        seen.append(weights.numpy())
    return seen


@pytest.mark.parametrize(
    ("config", "keras_optimizer"),
    [
        (OptimizerConfig(momentum=0.8), lambda: keras.optimizers.SGD(momentum=0.8)),
        (OptimizerConfig(OptimizerName.ADAM), keras.optimizers.Adam),
    ],
)
def test_optimizers_are_those_of_keras(config: OptimizerConfig, keras_optimizer: type) -> None:
    optimizer, weights = keras_optimizer(), keras.Variable([1.0, -2.0, 0.5])
    for rate, seen in zip(RATES, steps(config), strict=True):
        optimizer.learning_rate = rate
        gradient = tf.constant((weights.numpy() * [0.5, 3.0, -1.0] + 0.1).astype(np.float32))
        optimizer.apply([gradient], [weights])
        np.testing.assert_allclose(seen, weights.numpy(), rtol=1e-5)


@pytest.mark.parametrize("name", OptimizerName)
def test_weight_decay_takes_its_share_whatever_the_rate(name: OptimizerName) -> None:
    config = OptimizerConfig(name, weight_decay=0.25)
    slots = (tf.zeros(2),) * slot_count(config)
    weights, _ = descend(
        tf,
        config,
        tf.constant([4.0, -8.0]),
        tf.zeros(2),
        slots,
        tf.constant(1e-9),
        tf.constant(0.0),
    )
    np.testing.assert_allclose(weights.numpy(), [3.0, -6.0])


def test_losses_are_those_of_keras() -> None:
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(7, 4)).astype(np.float32), rng.integers(0, 4, 7)
    expected = keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
    loss = classification_loss(tf, tf.constant(logits), tf.constant(labels))
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    one, truth = logits[:, :1], labels % 2
    expected = keras.losses.binary_crossentropy(truth[:, None], one, from_logits=True)
    loss = classification_loss(tf, tf.constant(one), tf.constant(truth))
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_one_logit_has_its_threshold_at_zero() -> None:
    logits, labels = np.array([[0.3], [-0.3], [0.7], [-2]], np.float32), np.array([1, 0, 0, 1])
    assert int(mistakes(tf, tf.constant(logits), tf.constant(labels))) == 2
    assert classification_error(logits, labels) == 0.5
    steps_above = np.array([[4], [-3], [9], [-20]], np.int8)
    assert classification_error(steps_above, labels, boundary=-10) == 0.75


@pytest.mark.parametrize("classes", [1, 3])
def test_a_teacher_is_matched_best_by_itself(classes: int) -> None:
    rng = np.random.default_rng(0)
    teacher = tf.constant(rng.normal(size=(5, classes)), tf.float32)
    own = teacher_loss(tf, teacher, teacher, 3.0).numpy()
    other = teacher_loss(tf, teacher + rng.normal(size=(5, classes)), teacher, 3.0).numpy()
    assert own.shape == (5,)
    assert (own < other).all()


def test_a_teachers_gradient_keeps_its_size_when_the_temperature_changes() -> None:
    """To first order in 1/T it is (student - teacher) / classes (Hinton et al., eq. 4)."""
    student, teacher = tf.constant([[0.3, -0.1, -0.2]]), tf.constant([[0.1, 0.4, -0.5]])
    with tf.GradientTape() as tape:
        tape.watch(student)
        loss = teacher_loss(tf, student, teacher, 1000.0)
    expected = (student - teacher) / 3
    np.testing.assert_allclose(tape.gradient(loss, student), expected, rtol=0.05, atol=1e-3)


def test_the_rate_falls_when_validation_loss_does_not() -> None:
    rates = LearningRate(
        TrainingConfig(optimizer=OptimizerConfig(learning_rate=0.4), plateau=PlateauConfig(0.5, 2))
    )
    seen = []
    for epoch, loss in enumerate([1.0, 0.9, 0.95, 0.9, 0.9, 0.8, 0.8, 0.8]):
        seen.append(rates.at(epoch))
        rates.update(loss)
    assert seen == [0.4, 0.4, 0.4, 0.4, 0.2, 0.2, 0.2, 0.2]
    assert rates.at(8) == 0.1


def test_the_rate_follows_its_schedule() -> None:
    training = TrainingConfig(epochs=9, schedule=((2, 0.1), (5, 0.02)))
    rates = LearningRate(training)
    assert [rates.at(e) for e in (0, 1, 2, 4, 5, 8)] == [0.01, 0.01, 0.1, 0.1, 0.02, 0.02]


@pytest.mark.parametrize("augmentation", [False, True])
def test_data_sets_become_tensors(augmentation: bool) -> None:
    digits = load_dataset("digits", shift_px=1)
    data = training_data(digits, augmentation=augmentation)
    assert (data.input_shape, data.num_classes) == ((8, 8, 1), 10)
    for split, tensors in (
        (digits.train, data.train),
        (digits.validation, data.validation),
        (digits.test, data.test),
    ):
        np.testing.assert_allclose(data.plain(tensors.x), digits.inputs(split), atol=1e-6)
        np.testing.assert_array_equal(tensors.y, split.y)
    seed, some = tf.constant([1, 2]), data.train.x[:20]
    changed = np.abs(data.prepare(some, seed) - data.plain(some)).max() > 0
    assert changed == augmentation
    counts = np.bincount(digits.train.y)
    np.testing.assert_allclose(
        np.array(data.class_weights()) * counts, data.train.count / 10, rtol=1e-6
    )


def test_threads_are_chosen_before_tensorflow_works() -> None:
    tf.zeros(1)
    with pytest.raises(ToolError, match=r"call configure\(\) before the first training"):
        configure(threads=77)


def test_tensorflow_is_imported_by_training_not_by_importing() -> None:
    code = "import sys, unas.train.trainer, unas.train.result; print('tensorflow' in sys.modules)"
    assert run([sys.executable, "-c", code], timeout_s=60).stdout.strip() == "False"


def test_an_epoch_sees_every_sample_once_in_an_order_of_its_own() -> None:
    data = little_data(count=50)
    stamped = data.train.x.numpy()
    stamped[:, 0, 0, 0] = np.arange(50)
    batches: list[tuple[list[int], tuple[int, ...]]] = []

    def note(x: NDArray[np.uint8], seed: NDArray[np.int32]) -> NDArray[np.uint8]:
        batches.append((x[:, 0, 0, 0].tolist(), tuple(seed.tolist())))
        return x

    def prepare(x: Any, seed: Any) -> Any:
        return scale(tf.ensure_shape(tf.numpy_function(note, [x, seed], tf.uint8), (None, 6, 6, 1)))

    data = replace(data, train=replace(data.train, x=tf.constant(stamped)), prepare=prepare)
    program = Program(little_network(), data, TrainingConfig(batch_size=16))
    state = program.initial(0)
    for epoch in range(2):
        program.epoch(state, seed=5, epoch=epoch, rate=0.1, sparsity=None)
    assert sorted(len(samples) for samples, _ in batches) == [12, 12, 12, 12, 13, 13, 13, 13]
    assert len({seed for _, seed in batches}) == 8
    first, second = (
        [sample for samples, _ in half for sample in samples] for half in (batches[:4], batches[4:])
    )
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second
