# SPDX-License-Identifier: Apache-2.0
"""Settings of aging evolution and random search compared on a stand-in for training, in minutes.

Real trainings decide how good a strategy is (``unas-hil plot strategies``), but a hundred of them
take half an hour. Here space, resource models and strategies are the real ones, and only the error
of a network is guessed: a kernel regression over genes and sizes of all networks that the recorded
searches trained, and a deviation for each network of the size that training noise has. First it
says how well it guesses networks it was not fitted on. Its numbers choose settings; they are no
results. Usage:

    python benchmarks/strategy_settings.py [--results DIR] [--seeds 20] [--trainings 100]

DIR holds searches of one study in the space ``cnn``.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unas.architecture import CnnArchitecture, LayerType, PoolingKind
from unas.candidate import Candidate
from unas.config import StrategyName, StudyConfig
from unas.errors import UnasError
from unas.graph import Graph, OperatorKind
from unas.record import Outcome, Record, Stage
from unas.resources.estimate import estimate
from unas.space.catalogue import find_space
from unas.store.study_folder import StudyResults, read_study
from unas.strategies.catalogue import make_strategy
from unas.strategies.progress import covered_share
from unas.strategies.strategy import Strategy
from unas.study.context import evenly_kept, exported, pruned_to

Row = NDArray[np.float64]
_RESULTS = Path("results/published/mnist_t10k_strategies")
_NOISE = 0.2  # of log error between seeds: some 0.5 points of 2.5 % on 800 validation samples
_HOPELESS = 0.3  # error above which a network is given up, about as the study's [training] does
_SETTINGS = ((24, 8, 60, 0.05), (24, 24, 60, 0.05), (24, 24, 150, 0.05), (24, 24, 150, 0.1),
             (50, 25, 150, 0.1), (50, 50, 150, 0.1), (100, 25, 150, 0.1))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Network:
    """What is known of a candidate without training it."""

    candidate: Candidate
    values: dict[str, float]
    features: Row


class Networks:
    """Makes them for one study."""

    def __init__(self, study: StudyResults) -> None:
        data = study.environment["data"]
        self._shape, self._classes = tuple(data["input_shape"]), int(data["num_classes"])
        self._space = find_space(study.config.space.name, study.config.space.options)

    def of(self, candidate: Candidate) -> Network:
        """As the judge sees it before training: evenly pruned."""
        graph = self._space.graph(candidate.architecture, self._shape, self._classes)
        kept = evenly_kept(graph, candidate.sparsity or 0.0)
        graph = exported(pruned_to(graph, kept))
        found = estimate(graph)
        values = {
            "peak_memory_bytes": float(found.peak_memory_bytes),
            "model_size_bytes": float(found.model_size_bytes),
            "macs": float(found.macs),
        }
        return Network(candidate, values, _features(candidate, graph, values))


def _features(candidate: Candidate, graph: Graph, values: dict[str, float]) -> Row:
    arch = candidate.architecture
    assert isinstance(arch, CnnArchitecture), "searches of the space cnn only"
    layers = [layer for block in arch.blocks for layer in block.layers]
    convolved = [
        graph.tensors[op.output]
        for op in graph.operators
        if op.kind in (OperatorKind.CONV_2D, OperatorKind.DEPTHWISE_CONV_2D)
    ]
    dense = next(op for op in graph.operators if op.kind is OperatorKind.FULLY_CONNECTED)
    channels = [tensor.shape[-1] for tensor in convolved]
    shares = (
        [layer.batch_norm for layer in layers],
        [layer.relu for layer in layers],
        [layer.type is LayerType.DEPTHWISE for layer in layers],
        [layer.type is LayerType.POINTWISE for layer in layers],
        [arch.pooling is not None],
        [arch.pooling is not None and arch.pooling.kind is PoolingKind.MAX],
        [layers[0].prepool],
        [layers[0].type is LayerType.CONV],
    )
    counts = (
        len(layers),
        len(arch.blocks),
        sum(not block.parallel for block in arch.blocks),
        sum(layer.prepool for layer in layers),
        sum(layer.stride > 1 for layer in layers),
        min(channels),
        max(channels),
        channels[0],
        layers[0].kernel_size,
        layers[0].stride,
        arch.pooling.size if arch.pooling else 0,
        len(arch.dense),
        min(layer.units for layer in arch.dense),
    )
    sizes = (
        *values.values(),
        min(tensor.elements for tensor in convolved),
        convolved[0].elements,
        graph.tensors[dense.inputs[0]].elements,
    )
    means = (float(np.mean(share)) for share in shares)
    logs = (math.log(size) for size in sizes)
    return np.array([candidate.sparsity or 0.0, *means, *counts, *logs])


class GuessedError:
    """Kernel regression of log error, features in standard deviations."""

    def __init__(self, features: Row, errors: Row) -> None:
        self._middle, self._scale = features.mean(0), features.std(0) + 1e-9
        self._known, self._mean = self._scaled(features), errors.mean()
        kernel = self._kernel(self._known) + 0.25 * np.eye(len(features))
        self._weights = np.linalg.solve(kernel, errors - self._mean)

    def __call__(self, features: Row) -> Row:
        """Log errors of networks, shape (networks, features)."""
        guessed: Row = self._kernel(self._scaled(features)) @ self._weights + self._mean
        return guessed

    def _scaled(self, features: Row) -> Row:
        scaled: Row = np.clip((features - self._middle) / self._scale, -3.0, 3.0)
        return scaled

    def _kernel(self, rows: Row) -> Row:
        distances = ((rows[:, None] - self._known[None]) ** 2).sum(-1)
        kernel: Row = np.exp(-distances / 50.0) + 0.02 * rows @ self._known.T
        return kernel


def _fitted(studies: Sequence[StudyResults], networks: Networks) -> GuessedError:
    """On all trained networks; prints how well it does on ones it does not know."""
    features, errors = [], []
    for study in studies:
        for record in study.records:
            if record.training is not None:
                error = record.values.get("error", record.training.float_val_error)
                features.append(networks.of(record.candidate).features)
                errors.append(math.log(max(error, 0.005)))
    x, y = np.array(features), np.array(errors)
    fold = np.random.default_rng(0).permutation(len(y)) % 10
    guessed = np.empty_like(y)
    for one in range(10):
        guessed[fold == one] = GuessedError(x[fold != one], y[fold != one])(x[fold == one])
    correlation = np.corrcoef(guessed, y)[0, 1]
    print(f"{len(y)} trained networks; log error guessed, 10-fold: correlation {correlation:.2f}")
    return GuessedError(x, y)


def _search(
    strategy: Strategy, study: StudyConfig, networks: Networks, guess: GuessedError, trainings: int
) -> list[Record]:
    """Records of one search, its errors guessed."""
    records, trained, bounds = list[Record](), 0, study.judged
    while trained < trainings:
        proposal = strategy.ask()
        network = networks.of(proposal.candidate)
        outcome, values = Outcome.INFEASIBLE, network.values
        if not bounds.violations(values):
            trained += 1
            rng = np.random.default_rng(int(proposal.candidate.sha256[:8], 16))
            error = math.exp(guess(network.features[None])[0] + rng.normal(0.0, _NOISE))
            outcome = Outcome.STOPPED_EARLY if error > _HOPELESS else Outcome.COMPLETE
            values = values if error > _HOPELESS else values | {"error": error}
        violations = bounds.violations(values)
        stage = Stage.RESOURCES if outcome is Outcome.INFEASIBLE else Stage.DONE
        record = Record(
            proposal.index, proposal.candidate, outcome, stage, values=values, violations=violations
        )
        strategy.tell(record)
        records.append(record)
    return records


def _row(name: str, search: Callable[[int], list[Record]], seeds: int, study: StudyConfig) -> str:
    found = [search(1000 + seed) for seed in range(seeds)]
    cells = [name.ljust(34)]
    for reach in (1.0, 2.0):
        shares = [100 * covered_share(one, study.judged, reach=reach) for one in found]
        cells.append(f"{np.mean(shares):6.2f} +- {np.std(shares, ddof=1):5.2f}")
    cells.append(f"{np.mean([sum(r.feasible for r in one) for one in found]):6.1f}")
    return "  ".join(cells)


def _studies(results: Path) -> list[StudyResults]:
    names = sorted(path.parent.name for path in results.glob("*/journal.jsonl"))
    return [read_study(name, results) for name in names]


def main() -> None:
    """Compare settings and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=_RESULTS)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--trainings", type=int, default=100)
    args = parser.parse_args()
    studies = _studies(args.results)
    if not studies:
        raise SystemExit(f"{args.results} holds no searches; name a folder that does")
    networks, study = Networks(studies[0]), studies[0].config
    guess = _fitted(studies, networks)

    def search(**settings: Any) -> Callable[[int], list[Record]]:
        def one(seed: int) -> list[Record]:
            config = replace(study, search=replace(study.search, seed=seed, **settings))
            strategy = make_strategy(config, find_space(study.space.name, study.space.options))
            return _search(strategy, study, networks, guess, args.trainings)

        return one

    print(f"covered hypervolume after {args.trainings} guessed trainings, %; {args.seeds} seeds")
    print("population sample initial step".ljust(34), "within bounds    up to twice      kept")
    rows = {"random": search(strategy=StrategyName.RANDOM)} | {
        "".join(f"{value:<8g}" for value in setting): search(
            strategy=StrategyName.AGING_EVOLUTION,
            **dict(zip(("population", "sample", "initial", "sparsity_step"), setting, strict=True)),
        )
        for setting in _SETTINGS
    }
    for name, one in rows.items():
        print(_row(name, one, args.seeds, study), flush=True)


if __name__ == "__main__":
    try:
        main()
    except UnasError as error:
        raise SystemExit(str(error)) from error
