# SPDX-License-Identifier: Apache-2.0
"""How many rounds a second a search makes when judging costs nothing.

    python benchmarks/search_rounds.py [--rounds 2000] [--journal]

The evaluator is a fake that reads a few genes; what is timed is proposing (random draws, morphs,
tournaments, hashes, duplicates) and telling, in CPU time, so that a busy machine shows no less;
with --journal also an fsync a record, in wall time.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from unas.architecture import CnnArchitecture, CnnPlusArchitecture
from unas.config import StudyConfig, study_from_toml
from unas.record import Outcome, Record, Stage
from unas.space.catalogue import SPACE_NAMES, find_space
from unas.store.journal import Journal
from unas.strategies.catalogue import make_strategy
from unas.strategies.strategy import Proposal

_STUDY = """
[data]
name = "none"
[space]
name = "{space}"
[constraints]
error = 0.1
peak_memory = 20000
model_size = 20000
[search]
strategy = "{strategy}"
[pruning]
finish_epoch = 10
"""


def judged(proposal: Proposal) -> Record:
    """A made-up record: more units and layers, less error and more of everything else."""
    arch = proposal.candidate.architecture
    layers = sum(layer.units for layer in arch.dense)
    if isinstance(arch, CnnArchitecture | CnnPlusArchitecture):
        layers += sum(100 * len(block.layers) for block in arch.blocks)
    values = {"error": 30.0 / (100 + layers), "peak_memory_bytes": 10.0 * layers}
    values["model_size_bytes"] = 50.0 * layers
    return Record(proposal.index, proposal.candidate, Outcome.COMPLETE, Stage.DONE, values)


def rounds_a_second(study: StudyConfig, rounds: int, journal: Path | None) -> float:
    """Of a whole search from its beginning."""
    strategy = make_strategy(study, find_space(study.space.name))
    with contextlib.ExitStack() as stack:
        append: Callable[[Record], object] = lambda _: None  # noqa: E731
        if journal is not None:
            append = stack.enter_context(Journal(journal, study)).append
        clock = time.process_time if journal is None else time.perf_counter
        start = clock()
        for _ in range(rounds):
            record = judged(strategy.ask())
            strategy.tell(record)
            append(record)
        return rounds / (clock() - start)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2000, help="records a search")
    parser.add_argument("--journal", action="store_true", help="write a journal too")
    args = parser.parse_args()
    print(f"{'space':8} {'strategy':16} {'rounds/s':>9}")
    for space in SPACE_NAMES:
        for strategy in ("random", "aging_evolution"):
            study = study_from_toml(_STUDY.format(space=space, strategy=strategy), "study", "study")
            with tempfile.TemporaryDirectory() as folder:
                journal = Path(folder) / "journal.jsonl" if args.journal else None
                rate = rounds_a_second(study, args.rounds, journal)
            print(f"{space:8} {strategy:16} {rate:9.0f}")


if __name__ == "__main__":
    main()
