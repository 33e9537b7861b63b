# SPDX-License-Identifier: Apache-2.0
"""A search on a real space whose trainings are guessed from recorded ones.

Space, resource models, bounds and strategies are those of the published MNIST searches; only the
error of a network is not trained but predicted: kernel ridge regression of the log error over genes
and sizes, fitted on every network that was trained there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unas.architecture import CnnArchitecture, LayerType
from unas.candidate import Candidate
from unas.constraints import Constraints
from unas.graph.pruning import channel_groups, prune_graph
from unas.record import Outcome, Record, Stage
from unas.resources.counts import macs, model_size_bytes
from unas.resources.order_search import peak_memory
from unas.space.build import build_graph
from unas.space.catalogue import find_space
from unas.store.study_folder import read_study
from unas.strategies.strategy import Proposal, SearchSpace, Strategy
from unas.tflite.lowering import lower_graph

Vector = NDArray[np.float64]
PUBLISHED = Path(__file__).parents[2] / "results" / "published" / "mnist_t10k_strategies"
_SHAPE, _CLASSES = (28, 28, 1), 10
_STOPPED_ERROR = 0.3  # training stops early at about this error in the recorded searches
_SMALLEST_ERROR = 0.005
_LENGTH_SCALE, _RIDGE = 4.0, 0.3  # of features in standard deviations, of log errors


class GuessedError:
    """Kernel ridge regression of log errors; features in standard deviations."""

    def __init__(self, features: Vector, log_errors: Vector) -> None:
        self._middle, self._scale = features.mean(axis=0), features.std(axis=0) + 1e-9
        self._known, self._mean = self._scaled(features), log_errors.mean()
        kernel = _kernel(self._known, self._known) + _RIDGE * np.eye(len(features))
        self._weights = np.linalg.solve(kernel, log_errors - self._mean)

    def __call__(self, features: Vector) -> Vector:
        """Log errors of networks, shape (networks,)."""
        guessed: Vector = _kernel(self._scaled(features), self._known) @ self._weights + self._mean
        return guessed

    def _scaled(self, features: Vector) -> Vector:
        scaled: Vector = np.clip((features - self._middle) / self._scale, -3.0, 3.0)
        return scaled


@dataclass(frozen=True, slots=True)
class RecordedProblem:
    """What the recorded searches searched.

    Attributes:
        space: Where candidates come from.
        bounds: What a network must keep.
        features: Of the recorded networks, shape (networks, features).
        log_errors: Of the recorded networks, shape (networks,).
        guess: Fitted on them.
    """

    space: SearchSpace
    bounds: Constraints
    features: Vector
    log_errors: Vector
    guess: GuessedError

    @classmethod
    def read(cls) -> RecordedProblem:
        """From all published searches; networks that they have in common count once."""
        names = sorted(path.parent.name for path in PUBLISHED.glob("*/journal.jsonl"))
        studies = [read_study(name, PUBLISHED) for name in names]
        known = {
            record.candidate.sha256: (record.candidate, record.values, record.training)
            for study in studies
            for record in study.records
        }
        features, errors = [], []
        for candidate, values, training in known.values():
            if training is not None:
                features.append(_features(candidate, values))
                errors.append(values.get("error", training.float_val_error))
        config = studies[0].config
        rows, logs = np.array(features), np.log(np.maximum(errors, _SMALLEST_ERROR))
        space = find_space(config.space.name, config.space.options)
        return cls(space, config.judged, rows, logs, GuessedError(rows, logs))

    def record(self, proposal: Proposal) -> Record:
        """Evaluate as a study does: sizes first, then the error of what keeps their bounds."""
        candidate = proposal.candidate
        values = _sizes(candidate)
        outcome, stage = Outcome.INFEASIBLE, Stage.RESOURCES
        if not self.bounds.violations(values):
            stage = Stage.DONE
            error = math.exp(float(self.guess(_features(candidate, values)[None])[0]))
            outcome = Outcome.STOPPED_EARLY if error > _STOPPED_ERROR else Outcome.COMPLETE
            values = values if error > _STOPPED_ERROR else values | {"error": error}
        violations = self.bounds.violations(values)
        return Record(proposal.index, candidate, outcome, stage, values, violations)

    def search(self, strategy: Strategy, trainings: int) -> list[Record]:
        """The records of a search that ends after so many trainings."""
        records: list[Record] = []
        while sum(record.stage is Stage.DONE for record in records) < trainings:
            records.append(self.record(strategy.ask()))
            strategy.tell(records[-1])
        return records


def _sizes(candidate: Candidate) -> dict[str, float]:
    """Of the exported network, every channel group pruned to the same share."""
    graph = build_graph(candidate.architecture, _SHAPE, _CLASSES)
    groups = channel_groups(graph)
    stays = 1.0 - (candidate.sparsity or 0.0)
    keep = [np.arange(group.size) < max(round(stays * group.size), 1) for group in groups]
    graph = lower_graph(prune_graph(graph, groups, keep))
    peak = peak_memory(graph, count_input=True, in_place_add=False)
    return {
        "peak_memory_bytes": float(peak.bytes),
        "model_size_bytes": float(model_size_bytes(graph)),
        "macs": float(macs(graph)),
    }


def _features(candidate: Candidate, values: Mapping[str, float]) -> Vector:
    arch = candidate.architecture
    assert isinstance(arch, CnnArchitecture)
    layers = [layer for block in arch.blocks for layer in block.layers]
    filters = [layer.filters or 0 for layer in layers]
    sizes = (values[name] for name in ("peak_memory_bytes", "model_size_bytes", "macs"))
    return np.array(
        [
            *map(math.log, sizes),
            candidate.sparsity or 0.0,
            len(layers),
            sum(not block.parallel for block in arch.blocks),
            sum(layer.type is LayerType.CONV for layer in layers),
            sum(layer.type is LayerType.DEPTHWISE for layer in layers),
            sum(layer.stride > 1 for layer in layers),
            sum(layer.prepool for layer in layers),
            float(np.mean([layer.relu for layer in layers])),
            float(np.mean([layer.batch_norm for layer in layers])),
            math.log1p(max(filters)),
            math.log1p(filters[0]),
            layers[0].kernel_size,
            arch.pooling.size if arch.pooling else 0,
            len(arch.dense),
            min(layer.units for layer in arch.dense),
        ]
    )


def _kernel(left: Vector, right: Vector) -> Vector:
    squares = ((left[:, None] - right[None]) ** 2).sum(axis=-1)
    kernel: Vector = np.exp(-squares / (2.0 * _LENGTH_SCALE**2))
    return kernel
