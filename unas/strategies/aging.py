# SPDX-License-Identifier: Apache-2.0
"""Aging evolution with μNAS's random scalarisation, as an asynchronous steady state.

Real et al.: "Regularized Evolution for Image Classifier Architecture Search", AAAI 2019.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unas.candidate import Candidate
from unas.constraints import Constraints
from unas.record import Outcome, Record
from unas.strategies.scalarise import Ratios, Scalarisation
from unas.strategies.strategy import Ledger, Proposal, SearchSpace, SparsityGene, random_candidate


@dataclass(frozen=True, slots=True, eq=False)
class _Member:
    """One of the population, and whether it was trained to the end."""

    candidate: Candidate
    digest: str
    ratios: Ratios
    complete: bool


class AgingEvolution:
    """The first candidates are random; each later one is a morph of a tournament's winner.

    A tournament draws ``sample`` members of the population, with replacement, and one set of
    weights. Each record that the strategy is told joins the population, and the oldest member
    leaves. FAILED records do not join: nothing is known of them. INFEASIBLE and STOPPED_EARLY
    ones do, see ``unas.strategies.scalarise``, but are the first to leave: where most draws break a
    bound, they would crowd out the few networks that were trained to the end, and these are what
    children should come from.

    An INFEASIBLE record that violates no bound was refused by the board: its arena or flash did not
    suffice. Its numbers may all be good, and none tells what it lacks, so they count as not known:
    such a member is a parent only where nothing better was drawn.
    """

    def __init__(
        self,
        space: SearchSpace,
        constraints: Constraints,
        *,
        population: int = 100,
        sample: int = 25,
        initial: int | None = None,
        seed: int = 0,
        tries: int = 50,
        cap: float = 10.0,
        sparsity: SparsityGene | None = None,
    ) -> None:
        """A search that knows nothing yet.

        Args:
            space: Random draws and morphs.
            constraints: What counts, and its bounds.
            population: Members that may become parents, at least one.
            sample: Members of one tournament.
            initial: Random candidates at the start; None: as many as the population.
            seed: Of all that is drawn.
            tries: Draws of one proposal while what comes was proposed before.
            cap: Of the scalarisation.
            sparsity: The sparsity gene; None: candidates have none.
        """
        self._space, self._sparsity, self._sample = space, sparsity, sample
        self._initial = population if initial is None else initial
        self._scalarisation = Scalarisation(constraints, cap)
        self._members: list[_Member] = []
        self._population = population
        self._ledger = Ledger(seed, tries)

    @property
    def population(self) -> tuple[Candidate, ...]:
        """Candidates that may become parents, oldest first."""
        return tuple(member.candidate for member in self._members)

    def ask(self) -> Proposal:
        """A random candidate at the start, or where nothing is known yet; then a child."""
        return self._ledger.propose(self._draw)

    def tell(self, record: Record) -> None:
        """Let the record join the population, and its oldest member leave.

        Raises:
            StoreError: A record of that number was told before.
        """
        digest = self._ledger.note(record)
        if record.outcome is not Outcome.FAILED:
            refused = record.outcome is Outcome.INFEASIBLE and not record.violations
            ratios = self._scalarisation.ratios({} if refused else record.values)
            complete = record.outcome is Outcome.COMPLETE
            self._members.append(_Member(record.candidate, digest, ratios, complete))
        if len(self._members) > self._population:
            crowd = (i for i, member in enumerate(self._members) if not member.complete)
            del self._members[next(crowd, 0)]

    def _draw(self, index: int, rng: np.random.Generator) -> Candidate:
        if index < self._initial or not self._members:
            return random_candidate(rng, self._space, self._sparsity)
        winner = self._tournament(rng)
        child = self._space.morph(rng, winner.candidate.architecture)
        return Candidate(child, self._child_sparsity(rng, winner.candidate), winner.digest)

    def _tournament(self, rng: np.random.Generator) -> _Member:
        drawn = rng.integers(len(self._members), size=self._sample)
        weights = self._scalarisation.draw_weights(rng)
        members = [self._members[int(i)] for i in drawn]
        rows = np.array([member.ratios for member in members])
        return members[self._scalarisation.best(rows, weights)]

    def _child_sparsity(self, rng: np.random.Generator, parent: Candidate) -> float | None:
        if self._sparsity is None:
            return None
        if parent.sparsity is None:
            return self._sparsity.draw(rng)
        return self._sparsity.child(rng, parent.sparsity)
