# SPDX-License-Identifier: Apache-2.0
"""Aging evolution with μNAS's random scalarisation, as an asynchronous steady state.

Real et al.: "Regularized Evolution for Image Classifier Architecture Search", AAAI 2019.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from unas.candidate import Candidate
from unas.constraints import Constraints
from unas.record import Outcome, Record
from unas.search.proposals import Ledger, SparsityGene
from unas.search.random_search import random_candidate
from unas.search.scalarise import Ratios, Scalarisation
from unas.search.strategy import Proposal, SearchSpace


class AgingEvolution:
    """The first candidates are random; each later one is a morph of a tournament's winner.

    A tournament draws ``sample`` members of the population, with replacement, and one set of
    weights. A record that is told joins the population and the oldest member leaves. FAILED records
    do not join: nothing is known of them. INFEASIBLE and PRUNED ones do, see
    ``unas.search.scalarise``.
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
            population: Members that may become parents.
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
        self._members: deque[tuple[Candidate, str, Ratios]] = deque(maxlen=population)
        self._ledger = Ledger(seed, tries)

    @property
    def population(self) -> tuple[Candidate, ...]:
        """Candidates that may become parents, oldest first."""
        return tuple(candidate for candidate, _, _ in self._members)

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
            ratios = self._scalarisation.ratios(record.values)
            self._members.append((record.candidate, digest, ratios))

    def _draw(self, index: int, rng: np.random.Generator) -> Candidate:
        if index < self._initial or not self._members:
            return random_candidate(rng, self._space, self._sparsity)
        parent, digest = self._tournament(rng)
        child = self._space.morph(rng, parent.architecture)
        return Candidate(child, self._child_sparsity(rng, parent), digest)

    def _tournament(self, rng: np.random.Generator) -> tuple[Candidate, str]:
        """The winner and its digest."""
        drawn = rng.integers(len(self._members), size=self._sample)
        weights = self._scalarisation.draw_weights(rng)
        members = [self._members[i] for i in drawn.tolist()]
        rows = np.array([ratios for _, _, ratios in members])
        return members[self._scalarisation.best(rows, weights)][:2]

    def _child_sparsity(self, rng: np.random.Generator, parent: Candidate) -> float | None:
        if self._sparsity is None:
            return None
        if parent.sparsity is None:
            return self._sparsity.draw(rng)
        return self._sparsity.child(rng, parent.sparsity)
