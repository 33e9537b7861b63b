# SPDX-License-Identifier: Apache-2.0
"""Trains one candidate: epochs, pruning, early termination, and the weights that are kept."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

from unas.config import DistillationConfig, PruningConfig, TrainingConfig
from unas.errors import ConfigError
from unas.graph import Graph
from unas.train.data import TrainingData
from unas.train.distillation import Teacher
from unas.train.layout import layout_of
from unas.train.masks import Masks, channel_masks, weight_masks
from unas.train.optimization import LearningRate, sparsity_at
from unas.train.program import Program, TrainingState
from unas.train.rebuild import rebuilt
from unas.train.result import EpochReport, Trained

OnEpoch = Callable[[EpochReport], None]


def train(
    graph: Graph,
    data: TrainingData,
    training: TrainingConfig,
    *,
    seed: int,
    pruning: PruningConfig | None = None,
    sparsity: float | None = None,
    teacher: Teacher | None = None,
    distillation: DistillationConfig | None = None,
    on_epoch: OnEpoch | None = None,
) -> Trained:
    """Train a network once. ``Trainer`` trains the same one with several seeds.

    Args:
        graph: The network, from (1, height, width, channels) to (1, classes) of logits.
        data: What to learn; its test split is only looked at when all is over.
        training: Epochs, optimiser, regularisation, early termination.
        seed: Of weights, order, augmentation and dropout.
        pruning: When and what to prune; None not to.
        sparsity: The candidate's gene, 0..1; None or 0 not to prune. A network without anything to
            prune, as one of depthwise layers alone, is trained as it is.
        teacher: The teacher, or None.
        distillation: Weight and temperature of its loss; its ``teacher`` path is not read.
        on_epoch: Called after every epoch.

    Returns:
        The network and its errors, all of the same weights.

    Raises:
        ConfigError: Pruning does not end within the epochs, or graph and data do not fit.
        ArchitectureError: An operator cannot be trained.
    """
    trainer = Trainer(
        graph,
        data,
        training,
        pruning=pruning,
        sparsity=sparsity,
        teacher=teacher,
        distillation=distillation,
    )
    return trainer.run(seed, on_epoch)


class Trainer:
    """A network and how to train it; compiled at the first run, used again by later ones.

    Args and errors are those of ``train``.
    """

    def __init__(
        self,
        graph: Graph,
        data: TrainingData,
        training: TrainingConfig,
        *,
        pruning: PruningConfig | None = None,
        sparsity: float | None = None,
        teacher: Teacher | None = None,
        distillation: DistillationConfig | None = None,
    ) -> None:
        _check(graph, data, training, pruning)
        self._graph, self._data, self._training = graph, data, training
        self._sparsity = sparsity or 0.0
        self._masks = _masks(graph, pruning if sparsity else None)
        self._pruning = pruning if self._masks is not None else None
        self._program = Program(
            graph,
            data,
            training,
            masks=self._masks,
            pruning=self._pruning,
            teacher=teacher,
            distillation=distillation or (DistillationConfig("") if teacher else None),
        )

    def run(self, seed: int, on_epoch: OnEpoch | None = None) -> Trained:
        """Train with one seed."""
        began, program = time.monotonic(), self._program
        state, rates = program.initial(seed), LearningRate(self._training)
        run = _Run(state)
        for epoch in range(self._training.epochs):
            start, rate = time.monotonic(), rates.at(epoch)
            state, loss, error = program.epoch(
                state, seed=seed, epoch=epoch, rate=rate, sparsity=self._sparsity_in(epoch)
            )
            validation = program.evaluate(state, self._data.validation)
            report = EpochReport(
                epoch=epoch,
                learning_rate=rate,
                sparsity=self._pruned_share(state),
                train_loss=loss,
                train_error=error,
                validation_loss=validation[0],
                validation_error=validation[1],
                seconds=time.monotonic() - start,
            )
            run.add(report, state, final_masks=self._is_final(epoch))
            rates.update(report.validation_loss)
            if on_epoch is not None:
                on_epoch(report)
            run.stopped_early = _stop_reason(self._training, run.reports)
            if run.stopped_early or self._is_over(run):
                break
        return self._finished(run, began)

    def _sparsity_in(self, epoch: int) -> float | None:
        """Share to prune in an epoch; None where the masks stay as they are."""
        pruning = self._pruning
        if pruning is None or not pruning.start_epoch <= epoch <= pruning.finish_epoch:
            return None
        return sparsity_at(pruning, self._sparsity, epoch)

    def _pruned_share(self, state: TrainingState) -> float:
        if self._masks is None:
            return 0.0
        return 1.0 - float(state.mask.numpy().mean())

    def _is_final(self, epoch: int) -> bool:
        """Whether the masks at the end of an epoch are those that stay."""
        return self._pruning is None or epoch >= self._pruning.finish_epoch

    def _is_over(self, run: _Run) -> bool:
        stop = self._training.early_stop
        return stop is not None and run.waited(stop.min_delta) >= stop.patience

    def _finished(self, run: _Run, began: float) -> Trained:
        best, state = run.best, run.state
        test_error = None
        if run.stopped_early is None:
            _, test_error = self._program.evaluate(state, self._data.test)
        graph, model, kept = rebuilt(
            self._graph,
            self._program.layout,
            self._masks,
            state.weights.numpy(),
            state.moments.numpy(),
            state.mask.numpy(),
        )
        return Trained(
            graph=graph,
            model=model,
            epochs=tuple(run.reports),
            best_epoch=best.epoch,
            validation_error=best.validation_error,
            test_error=test_error,
            stopped_early=run.stopped_early,
            kept=() if _diverged(run.reports[-1]) else kept,
            sparsity=self._pruned_share(state),
            seconds=time.monotonic() - began,
        )


class _Run:
    """The epochs of one run so far, and the state of its best one."""

    def __init__(self, state: TrainingState) -> None:
        self.reports: list[EpochReport] = []
        self.state = state
        self.stopped_early: str | None = None
        self._candidates: list[EpochReport] = []  # epochs that may be the best one
        self._best: EpochReport | None = None

    @property
    def best(self) -> EpochReport:
        """The best epoch; before the masks are final, the latest one.

        Of a training that diverged, the one with the least validation error, whatever the masks.
        """
        if _diverged(self.reports[-1]):
            return min(self.reports, key=lambda report: report.validation_error)
        return self._best or self.reports[-1]

    def add(self, report: EpochReport, state: TrainingState, *, final_masks: bool) -> None:
        self.reports.append(report)
        if not final_masks:
            self.state = state
            return
        self._candidates.append(report)
        if self._best is None or _rank(report) < _rank(self._best):
            self._best, self.state = report, state

    def waited(self, min_delta: float) -> int:
        """Epochs since the validation error last got better by more than ``min_delta``."""
        best, waited = 2.0, 0
        for report in self._candidates:
            if report.validation_error < best - min_delta:
                best, waited = report.validation_error, 0
            else:
                waited += 1
        return waited


def _rank(report: EpochReport) -> tuple[float, float]:
    return report.validation_error, report.validation_loss


def _diverged(report: EpochReport) -> bool:
    """Whether the loss is not a number: it will never be one again."""
    return not math.isfinite(report.train_loss)


def _stop_reason(training: TrainingConfig, reports: Sequence[EpochReport]) -> str | None:
    """Why training should be stopped early after these epochs; None if it should go on."""
    if _diverged(reports[-1]):
        return f"diverged: the loss of epoch {reports[-1].epoch} is not a number"
    for epochs, limit in training.hopeless:
        best = min(report.validation_error for report in reports)
        if len(reports) == epochs and best > limit:
            error = f"validation error {best:.4f}"
            return f"stopped early: {error} after {epochs} epochs, above {limit:g}"
    return None


def _masks(graph: Graph, pruning: PruningConfig | None) -> Masks | None:
    if pruning is None:
        return None
    layout = layout_of(graph)
    return channel_masks(graph, layout) if pruning.structured else weight_masks(graph, layout)


def _check(
    graph: Graph, data: TrainingData, training: TrainingConfig, pruning: PruningConfig | None
) -> None:
    shapes = graph.tensors[graph.inputs[0]].shape[1:], graph.tensors[graph.outputs[0]].shape[1:]
    wanted = data.input_shape, (1 if data.num_classes == 2 else data.num_classes,)
    if shapes != wanted:
        raise ConfigError(
            f"the network goes from {shapes[0]} to {shapes[1]}, the data from {wanted[0]} to "
            f"{wanted[1]}; build it for this data set"
        )
    if pruning is not None and pruning.finish_epoch >= training.epochs:
        raise ConfigError(
            f"pruning ends in epoch {pruning.finish_epoch} of {training.epochs}, counted from 0; "
            "leave at least one epoch with the final masks"
        )
