# SPDX-License-Identifier: Apache-2.0
"""What training gives: the network, its epochs and its errors; without TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unas.graph import Graph

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, slots=True)
class EpochReport:
    """One epoch.

    Attributes:
        epoch: Counted from 0.
        learning_rate: In this epoch.
        sparsity: Share of channels (weights) that the masks take away at its end.
        train_loss: Mean over the training split along the way, all terms.
        train_error: Likewise, 0..1: of augmented samples, by weights that changed meanwhile.
        validation_loss: Mean cross-entropy on the validation split at its end.
        validation_error: 0..1.
        seconds: Compute time.
    """

    epoch: int
    learning_rate: float
    sparsity: float
    train_loss: float
    train_error: float
    validation_loss: float
    validation_error: float
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A trained network. All its parts belong to the same weights, those of ``best_epoch``.

    Attributes:
        graph: What is left of the network: without the pruned channels.
        model: The float network of exactly this graph.
        epochs: Every epoch that was run, in order.
        best_epoch: The one with the least validation error; with pruning, among those with the
            final masks, unless training diverged. Of equal ones the one with the least validation
            loss.
        validation_error: Of the float network, 0..1.
        test_error: Of the float network, 0..1; None if training was stopped early.
        stopped_early: Why training was stopped early, or None.
        kept: With structured pruning, for each group of channels (``unas.graph.channels``) which of
            them stayed; otherwise, or if training diverged, empty.
        sparsity: Share of channels (weights) that were pruned.
        seconds: Compute time of all of it.
    """

    graph: Graph
    model: keras.Model
    epochs: tuple[EpochReport, ...]
    best_epoch: int
    validation_error: float
    test_error: float | None
    stopped_early: str | None
    kept: tuple[NDArray[np.bool_], ...]
    sparsity: float
    seconds: float


def classification_error(
    outputs: NDArray[Any], labels: NDArray[Any], *, boundary: float = 0.0
) -> float:
    """Share of samples that are classified wrongly, 0..1.

    Args:
        outputs: (n, classes) logits, or (n, 1) for two classes. Quantised ones will do as they are:
            their order is that of the logits. Of equal ones the first counts.
        labels: (n,) class numbers.
        boundary: With one logit, class 1 is what lies above: 0, or an int8 model's zero point.
    """
    outputs = outputs.reshape(len(labels), -1)
    if outputs.shape[1] == 1:
        guesses = (outputs[:, 0].astype(np.float64) > boundary).astype(np.int64)
    else:
        guesses = outputs.argmax(1)
    return float(np.mean(guesses != labels))
