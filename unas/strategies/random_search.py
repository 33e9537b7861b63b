# SPDX-License-Identifier: Apache-2.0
"""Random search: the baseline."""

from __future__ import annotations

import numpy as np

from unas.candidate import Candidate
from unas.record import Record
from unas.strategies.strategy import Ledger, Proposal, SearchSpace, SparsityGene


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
