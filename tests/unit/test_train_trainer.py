# SPDX-License-Identifier: Apache-2.0
"""Whole trainings of tiny networks."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests.training_cases import branching_network, little_data, little_network, scale, tf
from unas.config import (
    DistillationConfig,
    EarlyStopConfig,
    OptimizerConfig,
    OptimizerName,
    PruningConfig,
    TrainingConfig,
)
from unas.errors import ConfigError, ModelError
from unas.train.data import TensorSplit, TrainingData
from unas.train.distillation import Teacher, load_teacher
from unas.train.keras_model import build_keras_model, save_model
from unas.train.result import EpochReport, Trained, classification_error
from unas.train.trainer import Trainer, train

ADAM = OptimizerConfig(OptimizerName.ADAM, learning_rate=0.01, weight_decay=1e-4)
SHORT = TrainingConfig(epochs=8, batch_size=20, optimizer=ADAM)
PRUNING = PruningConfig(finish_epoch=4, start_epoch=1, interval=2)


def error_of(model: keras.Model, split: TensorSplit) -> float:
    return classification_error(model(scale(split.x)).numpy(), split.y.numpy())


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return little_data()


@pytest.fixture(scope="module")
def pruner(data: TrainingData) -> Trainer:
    training = replace(SHORT, dropout=0.1)
    return Trainer(branching_network(), data, training, pruning=PRUNING, sparsity=0.5)


@pytest.fixture(scope="module")
def pruned(pruner: Trainer) -> Trained:
    return pruner.run(3)


@pytest.mark.slow
def test_it_learns(pruned: Trained) -> None:
    assert pruned.validation_error < 0.15  # chance: 0.67
    assert pruned.epochs[-1].train_loss < pruned.epochs[0].train_loss
    assert pruned.stopped_early is None


def test_errors_model_and_graph_are_of_the_same_weights(
    pruned: Trained, data: TrainingData
) -> None:
    assert error_of(pruned.model, data.validation) == pytest.approx(pruned.validation_error)
    assert pruned.test_error is not None
    assert error_of(pruned.model, data.test) == pytest.approx(pruned.test_error)
    best = pruned.epochs[pruned.best_epoch]
    assert best.validation_error == pruned.validation_error
    shapes = {x.shape for x in pruned.model.get_weights() if x.ndim == 2}
    dense = [pruned.graph.tensors[op.inputs[1]].shape for op in pruned.graph.operators[-2:]]
    assert shapes == {shape[::-1] for shape in dense}


def test_the_best_epoch_is_one_with_the_final_masks(pruned: Trained) -> None:
    assert pruned.best_epoch >= PRUNING.finish_epoch
    final = pruned.epochs[PRUNING.finish_epoch :]
    assert pruned.validation_error == min(report.validation_error for report in final)
    assert {report.sparsity for report in final} == {pruned.sparsity}


def test_half_of_the_channels_go(pruned: Trained) -> None:
    sizes = [(int(keep.sum()), len(keep)) for keep in pruned.kept]
    assert sum(size for _, size in sizes) == 21
    assert sum(left for left, _ in sizes) == 11
    assert all(left for left, _ in sizes)
    shares = [report.sparsity for report in pruned.epochs]
    assert shares[:2] == [0, 0]
    assert shares == sorted(shares)


def test_a_seed_says_everything(pruner: Trainer, pruned: Trained) -> None:
    again, other = pruner.run(3), pruner.run(4)
    for a, b in zip(again.model.get_weights(), pruned.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    same = [replace(report, seconds=0) for report in again.epochs]
    assert same == [replace(report, seconds=0) for report in pruned.epochs]
    assert other.epochs[0].train_loss != pruned.epochs[0].train_loss


def test_two_classes_share_a_logit() -> None:
    data, seen = little_data(2, noise=0.1), list[EpochReport]()
    training = TrainingConfig(
        epochs=6, batch_size=16, optimizer=ADAM, l2=1e-3, class_weights=True, dropout=0.1
    )
    result = train(little_network(2), data, training, seed=0, on_epoch=seen.append)
    assert result.model.output_shape == (None, 1)
    assert result.validation_error < 0.1
    assert error_of(result.model, data.validation) == pytest.approx(result.validation_error)
    assert tuple(seen) == result.epochs
    assert result.best_epoch == min(
        range(6), key=lambda i: (seen[i].validation_error, seen[i].validation_loss)
    )


def test_ends_before_the_last_epoch(data: TrainingData) -> None:
    """One that stopped getting better is complete, one that was stopped early is not."""
    stop = EarlyStopConfig(patience=2, min_delta=0.9)
    limit = ((2, 0.0), (3, 1.0))
    training = TrainingConfig(
        epochs=9, optimizer=OptimizerConfig(learning_rate=1e-6), early_stop=stop
    )
    stopped = train(little_network(), data, training, seed=0)
    assert (len(stopped.epochs), stopped.stopped_early) == (3, None)
    assert stopped.test_error is not None
    hopeless = train(little_network(), data, replace(training, hopeless=limit), seed=0)
    assert len(hopeless.epochs) == 2
    assert hopeless.test_error is None
    assert hopeless.stopped_early is not None
    assert hopeless.stopped_early.startswith("stopped early: validation error 0.")
    assert hopeless.stopped_early.endswith("after 2 epochs, above 0")


def test_a_training_that_diverges_ends_with_what_it_was_before(data: TrainingData) -> None:
    wild = TrainingConfig(epochs=9, optimizer=OptimizerConfig(learning_rate=1e30))
    pruning = replace(PRUNING, start_epoch=0, finish_epoch=8)
    result = train(little_network(), data, wild, seed=0, pruning=pruning, sparsity=0.5)
    *_, last = result.epochs
    assert not math.isfinite(last.train_loss)
    assert len(result.epochs) < wild.epochs
    assert result.stopped_early == f"diverged: the loss of epoch {last.epoch} is not a number"
    assert result.validation_error == min(epoch.validation_error for epoch in result.epochs)
    assert result.epochs[result.best_epoch].validation_error == result.validation_error
    assert (result.test_error, result.kept) == (None, ())


def test_a_student_believes_its_teacher(data: TrainingData) -> None:
    """The teacher calls every class by the name of the next one; half of the student goes."""

    def next_class(inputs: Any) -> Any:
        stripes = tf.gather(tf.reduce_mean(inputs, (2, 3)), (0, 2, 4), axis=1)
        return 8.0 * tf.one_hot((tf.argmax(stripes, 1) + 1) % 3, 3)

    result = train(
        little_network(filters=6),
        data,
        SHORT,
        seed=0,
        pruning=replace(PRUNING, structured=False),
        sparsity=0.3,
        teacher=Teacher("renamer", next_class),
        distillation=DistillationConfig("", alpha=50.0, temperature=2.0),
    )
    truth = (data.test.y.numpy() + 1) % 3
    assert classification_error(result.model(scale(data.test.x)).numpy(), truth) < 0.2
    assert sum(int((w == 0).sum()) for w in result.model.get_weights()) > 100


def test_a_teacher_from_a_file(data: TrainingData, tmp_path: Path) -> None:
    graph = little_network()
    model = build_keras_model(graph, seed=9)
    save_model(model, tmp_path / "teacher.keras")
    teacher = load_teacher(tmp_path / "teacher.keras", data.input_shape, 3)
    x = scale(data.test.x)
    np.testing.assert_allclose(teacher.logits(x), model(x), rtol=1e-6)
    result = train(graph, data, replace(SHORT, epochs=1), seed=0, teacher=teacher)
    assert len(result.epochs) == 1


def test_no_teacher(tmp_path: Path) -> None:
    model = build_keras_model(little_network(), seed=0)
    inputs = keras.Input((6, 6, 1))
    soft = keras.Model(inputs, keras.layers.Softmax()(model(inputs)))
    save_model(soft, tmp_path / "soft.keras")
    (tmp_path / "text.keras").write_text("no model")
    for name, shape, complaint in (
        ("soft.keras", (6, 6, 1), "ends with a softmax; save it without"),
        ("soft.keras", (8, 8, 1), r"goes from \(6, 6, 1\) to .* same data set"),
        ("text.keras", (6, 6, 1), "holds no model .* write one"),
        ("none.keras", (6, 6, 1), "holds no model .* write one"),
    ):
        with pytest.raises(ModelError, match=complaint):
            load_teacher(tmp_path / name, shape, 3)


def test_what_does_not_fit_is_refused(data: TrainingData) -> None:
    with pytest.raises(ConfigError, match=r"goes from \(6, 6, 1\) to \(4,\), the data from"):
        Trainer(little_network(4), data, SHORT)
    with pytest.raises(ConfigError, match="ends in epoch 8 of 8, counted from 0; leave"):
        Trainer(little_network(), data, SHORT, pruning=PruningConfig(8), sparsity=0.5)
