# SPDX-License-Identifier: Apache-2.0
"""How weights are optimised: loss, optimiser, and the schedules of learning rate and sparsity.

Functions that take ``tf`` are called while a training step is compiled. With two classes there is
one logit, positive for class 1.

Weight decay is decoupled (Loshchilov and Hutter, "Decoupled Weight Decay Regularization"): each
step first takes ``weight_decay * weight`` away, whatever the learning rate. That is what the
paper's optimisers, those of TensorFlow Addons, do; Keras 3 multiplies by the learning rate.
"""

from __future__ import annotations

import math
from typing import Any

from unas.config import OptimizerConfig, OptimizerName, PruningConfig, TrainingConfig

# Adam's, as Kingma and Ba and, for epsilon, Keras choose them.
_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-7
# Keras' ReduceLROnPlateau: less than that is no improvement.
_PLATEAU_MIN_DELTA = 1e-4

Slots = tuple[Any, ...]


def classification_loss(tf: Any, logits: Any, labels: Any) -> Any:
    """Cross-entropy of each sample, (n,), from (n, classes) or (n, 1) logits."""
    if logits.shape[-1] == 1:
        truth = tf.cast(labels, logits.dtype)
        return tf.nn.sigmoid_cross_entropy_with_logits(truth, logits[:, 0])
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)


def teacher_loss(tf: Any, logits: Any, teacher: Any, temperature: float) -> Any:
    """T^2 CE(softmax(teacher / T), softmax(student / T)) of each sample, (n,).

    Source: Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network"; T^2 keeps the
    size of its gradients when T changes.
    """
    soft, student = teacher / temperature, logits / temperature
    if logits.shape[-1] == 1:
        loss = tf.nn.sigmoid_cross_entropy_with_logits(tf.sigmoid(soft), student)[:, 0]
    else:
        loss = tf.nn.softmax_cross_entropy_with_logits(tf.nn.softmax(soft), student)
    return temperature**2 * loss


def mistakes(tf: Any, logits: Any, labels: Any) -> Any:
    """How many samples are classified wrongly, as an int32."""
    if logits.shape[-1] == 1:
        guess = tf.cast(logits[:, 0] > 0.0, labels.dtype)
    else:
        guess = tf.argmax(logits, 1, labels.dtype)
    return tf.math.count_nonzero(guess != labels, dtype=tf.int32)


def slot_count(config: OptimizerConfig) -> int:
    """How many vectors the optimiser remembers from step to step; all begin as zeros."""
    return 2 if config.name is OptimizerName.ADAM else 1


def descend(
    tf: Any,
    config: OptimizerConfig,
    weights: Any,
    gradient: Any,
    slots: Slots,
    rate: Any,
    step: Any,
) -> tuple[Any, Slots]:
    """One step.

    Args:
        tf: The module.
        config: Optimiser, momentum, weight decay.
        weights: Vector.
        gradient: Of the loss, without decay.
        slots: From the step before.
        rate: Learning rate.
        step: Counted from 0 through the whole training, as a float.

    Returns:
        New weights and slots.
    """
    weights = weights * (1.0 - config.weight_decay)
    if config.name is OptimizerName.SGD:
        velocity = config.momentum * slots[0] - rate * gradient
        return weights + velocity, (velocity,)
    mean = slots[0] + (1.0 - _BETA_1) * (gradient - slots[0])
    square = slots[1] + (1.0 - _BETA_2) * (gradient * gradient - slots[1])
    count = step + 1.0
    # Both moments begin as zeros; this takes the zeros' share out again.
    rate = rate * tf.sqrt(1.0 - tf.pow(_BETA_2, count)) / (1.0 - tf.pow(_BETA_1, count))
    return weights - rate * mean / (tf.sqrt(square) + _EPSILON), (mean, square)


def sparsity_at(pruning: PruningConfig, final: float, epoch: int) -> float:
    """Share of channels, or weights, that are pruned in an epoch.

    Rises from 0 in ``start_epoch`` to ``final`` in ``finish_epoch`` with the cube of the way left:
    s(e) = s_f (1 - (1 - (e - e0) / (e1 - e0))^3). Source: Zhu and Gupta, "To prune, or not to
    prune", equation 1, as Lin et al., "Dynamic Model Pruning with Feedback" (ICLR 2020) use it.

    Args:
        pruning: Start and finish.
        final: s_f, 0..1.
        epoch: Counted from 0.
    """
    first, last = pruning.start_epoch, pruning.finish_epoch
    way = min(max((epoch - first) / (last - first), 0.0), 1.0)
    return final * (1.0 - (1.0 - way) ** 3)


class LearningRate:
    """The learning rate: as scheduled, or reduced whenever validation loss stops falling."""

    def __init__(self, training: TrainingConfig) -> None:
        self._training, self._scale = training, 1.0
        self._best, self._waited = math.inf, 0

    def at(self, epoch: int) -> float:
        """Learning rate of an epoch, counted from 0; after ``update`` of all epochs before."""
        return self._training.learning_rate(epoch) * self._scale

    def update(self, validation_loss: float) -> None:
        """Take in an epoch's validation loss."""
        plateau = self._training.plateau
        if plateau is None:
            return
        if validation_loss < self._best - _PLATEAU_MIN_DELTA:
            self._best, self._waited = validation_loss, 0
            return
        self._waited += 1
        if self._waited >= plateau.patience:
            self._scale, self._waited = self._scale * plateau.factor, 0
