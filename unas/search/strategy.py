# SPDX-License-Identifier: Apache-2.0
"""What a strategy is, and what it needs of a search space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from unas.architecture import Architecture
from unas.candidate import Candidate
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
    """A candidate to judge.

    Attributes:
        index: Its number in the study, from 0: what its record's ``index`` must be.
        candidate: The candidate.
        repeated: It was proposed before, and nothing new was found in the allowed tries: the space
            is all but exhausted. Its former record tells all.
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
