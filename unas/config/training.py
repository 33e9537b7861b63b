# SPDX-License-Identifier: Apache-2.0
"""How candidates are trained, pruned and taught."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from enum import StrEnum

from unas.config.checks import require, require_at_least, require_positive, require_share


class OptimizerName(StrEnum):
    """What moves the weights. SGDW and AdamW are these with a ``weight_decay``."""

    SGD = "sgd"
    ADAM = "adam"


@dataclass(frozen=True, slots=True)
class OptimizerConfig:
    """[training.optimizer].

    Attributes:
        name: ``"sgd"`` (default) or ``"adam"``.
        learning_rate: In the first epoch; default 0.01.
        momentum: Of sgd; default 0.9. Adam has its usual 0.9 and 0.999.
        weight_decay: Decoupled (Loshchilov and Hutter, "Decoupled Weight Decay Regularization"):
            each step also takes ``weight_decay * weight`` away, whatever the learning rate is, as
            the SGDW and AdamW of TensorFlow Addons do that the paper used; default 0.
    """

    name: OptimizerName = OptimizerName.SGD
    learning_rate: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        require_positive("learning_rate", self.learning_rate)
        require_share("momentum", self.momentum, below=True)
        require_share("weight_decay", self.weight_decay, below=True)


@dataclass(frozen=True, slots=True)
class PlateauConfig:
    """[training.plateau]: a smaller learning rate when validation loss stops falling.

    Attributes:
        factor: What the rate is multiplied by; default 0.5.
        patience: Epochs without improvement before that; default 4.
    """

    factor: float = 0.5
    patience: int = 4

    def __post_init__(self) -> None:
        require_positive("factor", self.factor)
        require_share("factor", self.factor, below=True)
        require_at_least("patience", self.patience, 1)


@dataclass(frozen=True, slots=True)
class EarlyStopConfig:
    """[training.early_stop]: training ends when it no longer helps; the record is COMPLETE.

    Attributes:
        patience: Epochs without improvement of the validation error that are waited for; default
            10. With pruning they count from the epoch in which the final sparsity is reached.
        min_delta: Least improvement of the validation error that counts; default 0.
    """

    patience: int = 10
    min_delta: float = 0.0

    def __post_init__(self) -> None:
        require_at_least("patience", self.patience, 1)
        require_share("min_delta", self.min_delta)


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """[training].

    Attributes:
        epochs: Passes over the training split; default 75.
        batch_size: Samples a step; default 128.
        optimizer: Table of its own.
        schedule: Learning rates after the first: ``[[25, 0.005], [35, 0.001]]`` is 0.005 from epoch
            25 on (counted from 0), then 0.001 from epoch 35 on; default: no change.
        plateau: Table of its own; default: none. Not together with ``schedule``.
        early_stop: Table of its own; default: none.
        hopeless: Early end of candidates without prospects, recorded as STOPPED_EARLY:
            ``[[3, 0.5]]`` stops a candidate whose best validation error after 3 epochs is above
            0.5; default: every candidate is trained to the end. Final trainings always are.
        dropout: Rate before each hidden dense layer while training; default 0.
        l2: Factor of the squared kernels of dense layers in the loss; default 0.
        class_weights: Whether rare classes count more, in inverse proportion to their share of the
            training split; default false.
        augmentation: Whether training samples are changed at random, as is usual for the data set;
            default true.
    """

    epochs: int = 75
    batch_size: int = 128
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: tuple[tuple[int, float], ...] = ()
    plateau: PlateauConfig | None = None
    early_stop: EarlyStopConfig | None = None
    hopeless: tuple[tuple[int, float], ...] = ()
    dropout: float = 0.0
    l2: float = 0.0
    class_weights: bool = False
    augmentation: bool = True

    def __post_init__(self) -> None:
        require_at_least("epochs", self.epochs, 1)
        require_at_least("batch_size", self.batch_size, 1)
        require_share("dropout", self.dropout, below=True)
        require_at_least("l2", self.l2, 0)
        require(
            not (self.schedule and self.plateau),
            "'schedule' and 'plateau' both set the learning rate; leave one out",
        )
        for name, steps in (("schedule", self.schedule), ("hopeless", self.hopeless)):
            epochs = [epoch for epoch, _ in steps]
            require(
                all(0 < a < b for a, b in itertools.pairwise([*epochs, self.epochs])),
                f"the epochs of {name!r} are {epochs}; they must rise, within 1..{self.epochs - 1}",
            )
        for _, rate in self.schedule:
            require_positive("schedule", rate)
        for _, error in self.hopeless:
            require_share("hopeless", error)

    def learning_rate(self, epoch: int) -> float:
        """The scheduled learning rate in an epoch, counted from 0."""
        rates = [rate for start, rate in self.schedule if start <= epoch]
        return rates[-1] if rates else self.optimizer.learning_rate


@dataclass(frozen=True, slots=True)
class PruningConfig:
    """[pruning]: Dynamic Model Pruning with Feedback (Lin et al., ICLR 2020) while training.

    Attributes:
        finish_epoch: Epoch, counted from 0, in which the candidate's sparsity is reached; masks are
            frozen from its end on. No default; the epochs after it are fine tuning.
        start_epoch: Epoch in which pruning begins; default 0.
        structured: Whole channels and units (default), or single weights. Those without structure
            shrink neither memory nor latency, and model size only if zeros are not stored.
        min_sparsity: Lower end of the gene; default 0.05.
        max_sparsity: Upper end of the gene; default 0.8.
        interval: Steps between two choices of what is pruned; default 16.
    """

    finish_epoch: int
    start_epoch: int = 0
    structured: bool = True
    min_sparsity: float = 0.05
    max_sparsity: float = 0.8
    interval: int = 16

    def __post_init__(self) -> None:
        require_at_least("start_epoch", self.start_epoch, 0)
        require_at_least("interval", self.interval, 1)
        require(
            self.finish_epoch > self.start_epoch,
            f"'finish_epoch' is {self.finish_epoch} and 'start_epoch' {self.start_epoch}; pruning "
            "takes one epoch at least",
        )
        require_share("min_sparsity", self.min_sparsity)
        require_share("max_sparsity", self.max_sparsity, below=True)
        require(
            self.min_sparsity <= self.max_sparsity,
            "'min_sparsity' is above 'max_sparsity'; swap them",
        )


@dataclass(frozen=True, slots=True)
class DistillationConfig:
    """[distillation]: candidates also learn from a teacher's softened answers.

    The loss gains ``alpha * temperature**2 * CE(softmax(teacher / T), softmax(student / T))``.

    Attributes:
        teacher: Path of a trained Keras model (``.keras``) with the same input and logits. No
            default.
        alpha: Weight of that loss; default 0.3.
        temperature: T; default 1.
    """

    teacher: str
    alpha: float = 0.3
    temperature: float = 1.0

    def __post_init__(self) -> None:
        require_at_least("alpha", self.alpha, 0)
        require_positive("temperature", self.temperature)
