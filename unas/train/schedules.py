# SPDX-License-Identifier: Apache-2.0
"""What changes from epoch to epoch: learning rate and sparsity."""

from __future__ import annotations

import math

from unas.config import PruningConfig, TrainingConfig

# Keras' ReduceLROnPlateau: less than that is no improvement.
_PLATEAU_MIN_DELTA = 1e-4


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
        """For an epoch, counted from 0; after ``saw`` was told about all before it."""
        return self._training.learning_rate(epoch) * self._scale

    def saw(self, validation_loss: float) -> None:
        """Told after every epoch."""
        plateau = self._training.plateau
        if plateau is None:
            return
        if validation_loss < self._best - _PLATEAU_MIN_DELTA:
            self._best, self._waited = validation_loss, 0
            return
        self._waited += 1
        if self._waited >= plateau.patience:
            self._scale, self._waited = self._scale * plateau.factor, 0
