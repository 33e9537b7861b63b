# SPDX-License-Identifier: Apache-2.0
"""A network's training, compiled: a whole epoch is one call into TensorFlow.

Shuffling, augmentation, masks, gradients and the optimiser all run inside one graph, in a loop over
the steps. Everything that changes is handed in and given back (``TrainingState``), every random
number comes from a seed that is handed in: the same inputs give the same weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from unas.config import DistillationConfig, PruningConfig, TrainingConfig
from unas.graph import DenseOptions, Graph
from unas.train.backend import load_tensorflow
from unas.train.data import TensorSplit, TrainingData
from unas.train.distillation import Teacher
from unas.train.forward import Forward
from unas.train.layout import WeightLayout, initial_moments, initial_weights, layout_of
from unas.train.masks import ChannelMasks, Masks, WeightMasks, choose
from unas.train.optimization import (
    classification_loss,
    descend,
    mistakes,
    slot_count,
    teacher_loss,
)

# Evaluation goes through as many samples at a time as have this much in their largest activation:
# enough to keep the cores busy, little enough to stay in their caches.
_EVALUATION_BYTES = 16 * 1024 * 1024
_LARGEST_EVALUATION = 2048
_NO_CHOICE = -1.0  # as sparsity: masks stay as they are
_SEED_RANGE = 2**31 - 1


@dataclass(frozen=True, slots=True, eq=False)
class TrainingState:
    """All that training changes, as tensors.

    Attributes:
        weights: Dense ones, as ``WeightLayout`` places them.
        slots: What the optimiser remembers.
        moments: Running mean and variance of the batch normalisations.
        mask: 1 or 0 for each channel or weight that can be pruned.
    """

    weights: Any
    slots: tuple[Any, ...]
    moments: Any
    mask: Any


class Program:
    """The training of one network on one data set.

    Args:
        graph: The network.
        data: What it learns.
        training: Batches, optimiser, regularisation; the caller decides on rates and epochs.
        masks: What can be pruned, or None.
        pruning: How often masks are chosen; None without masks.
        teacher: The teacher, or None.
        distillation: Weight and temperature of its loss; None without teacher.
    """

    def __init__(
        self,
        graph: Graph,
        data: TrainingData,
        training: TrainingConfig,
        *,
        masks: Masks | None = None,
        pruning: PruningConfig | None = None,
        teacher: Teacher | None = None,
        distillation: DistillationConfig | None = None,
    ) -> None:
        self._tf = load_tensorflow()
        self._graph, self._data, self._training = graph, data, training
        self._masks, self._interval = masks, pruning.interval if pruning else 1
        self._teacher, self._distillation = teacher, distillation
        self.layout: WeightLayout = layout_of(graph)
        self.steps = -(-data.train.count // training.batch_size)
        # Many steps to an epoch: Keras' momentum of 0.99. With few, the moments must follow faster.
        self._moment_rate = min(max(2.0 / self.steps, 0.01), 0.1)
        # Traced at the first use, and once: concrete functions never do it again on their own.
        self._compiled: dict[Callable[..., Any], Any] = {}

    def initial(self, seed: int) -> TrainingState:
        """The state before the first step."""
        tf, size = self._tf, self._masks.size if self._masks else 0
        return TrainingState(
            weights=tf.constant(initial_weights(self.layout, seed)),
            slots=(tf.zeros((self.layout.size,)),) * slot_count(self._training.optimizer),
            moments=tf.constant(initial_moments(self.layout)),
            mask=tf.ones((size,)),
        )

    def epoch(
        self, state: TrainingState, *, seed: int, epoch: int, rate: float, sparsity: float | None
    ) -> tuple[TrainingState, float, float]:
        """Go once through the training split.

        Args:
            state: Before.
            seed: Of this training.
            epoch: Counted from 0.
            rate: Learning rate.
            sparsity: Share to prune; None leaves the masks as they are.

        Returns:
            The state after, mean loss and error on the training split along the way.
        """
        tf, train = self._tf, self._data.train
        choice = _NO_CHOICE if sparsity is None else sparsity
        weights, slots, moments, mask, loss, wrong = self._run(
            self._epoch,
            (state.weights, state.slots, state.moments, state.mask),
            train.x,
            train.y,
            tf.constant([seed % _SEED_RANGE, epoch], tf.int32),
            tf.constant(epoch * self.steps, tf.float32),
            tf.constant(rate, tf.float32),
            tf.constant(choice, tf.float32),
        )
        after = TrainingState(weights, slots, moments, mask)
        return after, float(loss) / self.steps, int(wrong) / train.count

    def evaluate(self, state: TrainingState, split: TensorSplit) -> tuple[float, float]:
        """Mean loss (cross-entropy alone) and error of the masked network on a split."""
        largest = max(tensor.elements for tensor in self._graph.tensors if not tensor.constant)
        batch = max(min(_EVALUATION_BYTES // (4 * largest), _LARGEST_EVALUATION), 1)
        loss, wrong = 0.0, 0
        for start in range(0, split.count, batch):
            part = slice(start, start + batch)
            more = self._run(
                self._evaluation,
                state.weights,
                state.moments,
                state.mask,
                split.x[part],
                split.y[part],
            )
            loss, wrong = loss + float(more[0]), wrong + int(more[1])
        return loss / split.count, wrong / split.count

    def logits(self, state: TrainingState, inputs: Any) -> Any:
        """The masked network's output for a batch of its inputs."""
        return self._forward(state.weights, state.moments, state.mask, None)(inputs)

    def _run(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call one of the functions below, compiled for batches of any size."""
        compiled = self._compiled.get(function)
        if compiled is None:
            tf = self._tf
            free = function == self._evaluation
            shapes = tf.nest.map_structure(lambda x: tf.TensorSpec(x.shape, x.dtype), args)
            if free:
                *state, x, y = shapes
                any_size = (tf.TensorSpec((None, *s.shape[1:]), s.dtype) for s in (x, y))
                shapes = (*state, *any_size)
            compiled = tf.function(function, autograph=False).get_concrete_function(*shapes)
            self._compiled[function] = compiled
        return compiled(*args)

    def _epoch(
        self, before: Any, x: Any, y: Any, seed: Any, first: Any, rate: Any, sparsity: Any
    ) -> Any:
        tf, steps, count = self._tf, self.steps, self._data.train.count
        order = tf.random.experimental.stateless_shuffle(tf.range(count), seed)

        def step(i: Any, state: Any, loss: Any, wrong: Any) -> Any:
            weights, slots, moments, mask = state
            # Batches differ by one sample at most: the last is no remainder of a few.
            begin, end = (tf.cast(j * count // steps, tf.int32) for j in (i, i + 1))
            pick = order[begin:end]
            now = tf.random.experimental.stateless_fold_in(seed, i)
            mask = self._chosen(weights, mask, i, sparsity)
            labels = tf.gather(y, pick)
            inputs = self._data.prepare(tf.gather(x, pick), now)
            forward = self._forward(weights, None, mask, now)
            logits = forward(inputs)
            total = self._loss(weights, logits, labels, inputs)
            (gradient,) = tf.gradients(total, [weights])
            count_before = first + tf.cast(i, tf.float32)
            if forward.seen:
                share = tf.maximum(self._moment_rate, 1.0 / (count_before + 1.0))
                moments = moments + share * (tf.concat(forward.seen, 0) - moments)
            weights, slots = descend(
                tf, self._training.optimizer, weights, gradient, slots, rate, count_before
            )
            state = (weights, slots, moments, mask)
            return i + 1, state, loss + total, wrong + mistakes(tf, logits, labels)

        start = (tf.constant(0, tf.int64), before, tf.constant(0.0), tf.constant(0))
        _, after, loss, wrong = tf.while_loop(
            lambda i, *_: i < steps, step, start, parallel_iterations=2
        )
        return (*after, loss, wrong)

    def _evaluation(self, weights: Any, moments: Any, mask: Any, x: Any, y: Any) -> Any:
        tf = self._tf
        logits = self._forward(weights, moments, mask, None)(self._data.plain(x))
        loss = tf.reduce_sum(classification_loss(tf, logits, y))
        return loss, mistakes(tf, logits, y)

    def _forward(self, vector: Any, moments: Any, mask: Any, seed: Any) -> Forward:
        """A pass with the weights in a vector; in training (``moments`` is None) with dropout."""
        tf, weights, masks = self._tf, self._weights_of(vector), {}
        match self._masks:
            case ChannelMasks() as channels:
                masks = channels.by_operator(tf, mask)
            case WeightMasks() as single:
                weights = single.applied(tf, mask, weights)
        known = None if moments is None else self._moments(moments)
        rate = self._training.dropout
        dropout = (rate, seed) if rate and moments is None else None
        return Forward(
            tf, self._graph, weights, masks, known, dropout, feedback=1.0 / self._interval
        )

    def _weights_of(self, vector: Any) -> dict[tuple[int, str], Any]:
        tf, tensors = self._tf, self.layout.tensors
        parts = tf.split(vector, [tensor.size for tensor in tensors])
        return {
            (tensor.position, tensor.role): tf.reshape(part, tensor.shape)
            for tensor, part in zip(tensors, parts, strict=True)
        }

    def _moments(self, vector: Any) -> dict[int, tuple[Any, Any]]:
        if not self.layout.normalised:
            return {}
        sizes = [channels for _, channels in self.layout.normalised for _ in range(2)]
        parts: Sequence[Any] = self._tf.split(vector, sizes)
        return {
            position: (parts[2 * i], parts[2 * i + 1])
            for i, (position, _) in enumerate(self.layout.normalised)
        }

    def _chosen(self, weights: Any, mask: Any, i: Any, sparsity: Any) -> Any:
        """The masks of a step: chosen anew every so often, while pruning is on."""
        masks = self._masks
        if masks is None:
            return mask
        tf = self._tf
        return tf.cond(
            tf.logical_and(sparsity >= 0.0, i % self._interval == 0),
            lambda: choose(tf, masks.saliency(tf, self._weights_of(weights)), sparsity),
            lambda: mask,
        )

    def _loss(self, weights: Any, logits: Any, labels: Any, inputs: Any) -> Any:
        tf, training = self._tf, self._training
        losses = classification_loss(tf, logits, labels)
        if training.class_weights:
            losses = losses * tf.gather(tf.constant(self._data.class_weights()), labels)
        total = tf.reduce_mean(losses)
        if self._teacher is not None and self._distillation is not None:
            soft = teacher_loss(
                tf, logits, self._teacher.logits(inputs), self._distillation.temperature
            )
            total += self._distillation.alpha * tf.reduce_mean(soft)
        if training.l2:
            dense = (
                weight
                for (position, role), weight in self._weights_of(weights).items()
                if role == "kernel"
                and isinstance(self._graph.operators[position].options, DenseOptions)
            )
            total += training.l2 * tf.add_n([tf.reduce_sum(kernel * kernel) for kernel in dense])
        return total
