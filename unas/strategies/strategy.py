# SPDX-License-Identifier: Apache-2.0
"""What a strategy is, what all of them share, and the baseline: random search."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from unas.architecture import Architecture
from unas.candidate import Candidate
from unas.errors import StoreError
from unas.record import Record


class SearchSpace(Protocol):
    """What may be proposed. ``unas.space.catalogue.find_space`` gives the real ones."""

    def random(self, rng: np.random.Generator) -> Architecture:
        """A random architecture; equal states of ``rng`` give equal ones."""
        ...

    def morph(self, rng: np.random.Generator, arch: Architecture) -> Architecture:
        """An architecture one step away; the parent is not changed."""
        ...


@dataclass(frozen=True, slots=True)
class Proposal:
    """A candidate to evaluate.

    Attributes:
        index: Its number in the study, from 0: what its record's ``index`` must be.
        candidate: The candidate.
        repeated: It was proposed before, and nothing new was found in the allowed tries: the space
            is all but exhausted. Its former record holds.
    """

    index: int
    candidate: Candidate
    repeated: bool = False


class Strategy(Protocol):
    """Proposes candidates and learns from records. ``unas.testing`` holds the contract.

    A strategy is a function of its settings and of the records it was told, in their order: a new
    one that is told a journal's records goes on as the old one would have. Several proposals may be
    open at once; those that were open when a study broke off are proposed anew under their numbers.
    """

    def ask(self) -> Proposal:
        """A candidate under the lowest number that is neither open nor told."""
        ...

    def tell(self, record: Record) -> None:
        """Learn a record; one of an earlier run need not have been asked for.

        Raises:
            StoreError: A record of that number was told before.
        """
        ...


@dataclass(frozen=True, slots=True)
class SparsityGene:
    """Range and step of the sparsity gene.

    Attributes:
        low: Smallest sparsity.
        high: Largest sparsity.
        step: Standard deviation of a child's difference to its parent.
    """

    low: float
    high: float
    step: float = 0.05

    def draw(self, rng: np.random.Generator) -> float:
        """Uniform over the range."""
        return float(rng.uniform(self.low, self.high))

    def child(self, rng: np.random.Generator, parent: float) -> float:
        """The parent's and a normal step, clipped to the range."""
        return min(max(parent + float(rng.normal(0.0, self.step)), self.low), self.high)


class Ledger:
    """Numbers proposals, and keeps account of candidates that were proposed.

    Randomness is derived from the seed and the proposal's number alone, so nothing of it has to be
    stored for going on later.
    """

    def __init__(self, seed: int, tries: int) -> None:
        self._seed, self._tries = seed, max(tries, 1)
        self._next = 0
        self._used: set[int] = set()  # numbers from _next on that are taken
        self._recorded: set[int] = set()
        self._seen: set[str] = set()
        self._open: dict[int, tuple[Candidate, str]] = {}  # digests are not computed twice

    def propose(self, draw: Callable[[int, np.random.Generator], Candidate]) -> Proposal:
        """A proposal under the lowest free number.

        Args:
            draw: Makes a candidate from the number and a generator; called again while what it
                makes was proposed before.
        """
        index = self._take_number()
        rng = np.random.default_rng((self._seed, index))
        for _ in range(self._tries):
            candidate = draw(index, rng)
            digest = candidate.sha256
            repeated = digest in self._seen
            if not repeated:
                break
        self._seen.add(digest)
        self._open[index] = candidate, digest
        return Proposal(index, candidate, repeated)

    def note(self, record: Record) -> str:
        """Remember a record's number and candidate.

        Returns:
            The candidate's ``sha256``.

        Raises:
            StoreError: A record of that number is known.
        """
        if record.index in self._recorded:
            raise StoreError(
                f"record {record.index} was told twice; number each record as its proposal was"
            )
        self._recorded.add(record.index)
        if record.index >= self._next:
            self._used.add(record.index)
        proposed, digest = self._open.pop(record.index, (None, ""))
        if proposed is not record.candidate:
            digest = record.candidate.sha256
            self._seen.add(digest)
        return digest

    def _take_number(self) -> int:
        while self._next in self._used:
            self._used.remove(self._next)
            self._next += 1
        self._next += 1
        return self._next - 1


def random_candidate(
    rng: np.random.Generator, space: SearchSpace, sparsity: SparsityGene | None
) -> Candidate:
    """A candidate without parent, every gene drawn."""
    architecture = space.random(rng)
    return Candidate(architecture, None if sparsity is None else sparsity.draw(rng))


class RandomSearch:
    """Proposes random candidates, whatever the records; none twice while the space has others."""

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: int = 0,
        tries: int = 50,
        sparsity: SparsityGene | None = None,
    ) -> None:
        self._space, self._sparsity = space, sparsity
        self._ledger = Ledger(seed, tries)

    def ask(self) -> Proposal:
        """A random candidate."""
        return self._ledger.propose(
            lambda _, rng: random_candidate(rng, self._space, self._sparsity)
        )

    def tell(self, record: Record) -> None:
        """Remember that the candidate was there.

        Raises:
            StoreError: A record of that number was told before.
        """
        self._ledger.note(record)
