# SPDX-License-Identifier: Apache-2.0
"""SGDW and AdamW on one flat vector of weights.

Weight decay is decoupled (Loshchilov and Hutter, "Decoupled Weight Decay Regularization"): each
step first takes ``weight_decay * weight`` away, whatever the learning rate. That is what the
paper's optimisers, those of TensorFlow Addons, do; Keras 3 multiplies by the learning rate.
"""

from __future__ import annotations

from typing import Any

from unas.config import OptimizerConfig, OptimizerName

# Adam's, as Kingma and Ba and, for epsilon, Keras choose them.
_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-7

Slots = tuple[Any, ...]


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
