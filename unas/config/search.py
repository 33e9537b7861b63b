# SPDX-License-Identifier: Apache-2.0
"""What is searched, by which strategy, and for which data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from unas.config.checks import require, require_at_least, require_share

Options = Mapping[str, Any]
"""TOML scalars and arrays of them by name; who reads them refuses what it does not know."""


class StrategyName(StrEnum):
    """What proposes candidates."""

    AGING_EVOLUTION = "aging_evolution"
    RANDOM = "random"


class MacCount(StrEnum):
    """Which count of operations a MAC bound means."""

    EXACT = "exact"
    PAPER = "paper"


@dataclass(frozen=True, slots=True)
class DataConfig:
    """[data].

    Attributes:
        name: Of the data set, as ``"digits"``, or of a loader for your own. No default.
        path: Folder or file where it lies; default: the loader's own way (bundled, or what Keras
            downloads). Not in the digest.
        options: Table [data.options], handed to the loader; default: empty.
    """

    name: str
    path: str | None = None
    options: Options = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SpaceConfig:
    """[space].

    Attributes:
        name: ``"cnn"`` (the paper's, default), ``"mlp"`` (likewise), ``"cnn+"`` (wider), or
            ``"cnn+1d"`` (the wider one for sequences).
        options: Table [space.options]: other ranges than the space's own, by the names of its
            fields, as ``blocks = [1, 4]``, ``kernel_sizes = [3, 5]`` or ``p_relu = 1.0``; default:
            empty.
    """

    name: str = "cnn"
    options: Options = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ResourcesConfig:
    """[resources]: which of two figures a bound means.

    Attributes:
        count_input: Whether peak memory counts the network's input, as a real arena does; default
            true. The paper's bounds do not.
        macs: ``"exact"`` (default), or ``"paper"``: with pools and additions.
    """

    count_input: bool = True
    macs: MacCount = MacCount.EXACT


@dataclass(frozen=True, slots=True)
class SearchConfig:
    """[search].

    Attributes:
        strategy: ``"aging_evolution"`` (default) or ``"random"``.
        rounds: Records in all, the random start included; default 2000. Not in the digest: a
            finished study may go on.
        trainings: The search also ends with this many trained candidates; default: no such end.
            Not in the digest.
        population: Of aging evolution; default 100.
        sample: Drawn from it, with replacement, for one parent; default 25.
        initial: Random candidates at the start; default: as many as the population.
        sparsity_step: Standard deviation of the sparsity gene's change; default 0.05.
        tries: How often a candidate that was seen before is drawn again; default 50.
        cap: Quantities count up to this multiple of their bound; default 10, as in the reference.
        seed: Of everything that is drawn; default 0.
        workers: Candidates that are trained at once; default 1. Not in the digest.
        final_seeds: How often each network of the front is trained anew at the end; default 3; 0:
            not at all. Not in the digest.
    """

    strategy: StrategyName = StrategyName.AGING_EVOLUTION
    rounds: int = 2000
    trainings: int | None = None
    population: int = 100
    sample: int = 25
    initial: int | None = None
    sparsity_step: float = 0.05
    tries: int = 50
    cap: float = 10.0
    seed: int = 0
    workers: int = 1
    final_seeds: int = 3

    def __post_init__(self) -> None:
        for name in (
            "rounds",
            "trainings",
            "population",
            "sample",
            "initial",
            "tries",
            "workers",
            "cap",
        ):
            require_at_least(name, getattr(self, name), 1)
        for name in ("seed", "final_seeds"):
            require_at_least(name, getattr(self, name), 0)
        require_share("sparsity_step", self.sparsity_step)
        require(self.seed < 2**31, f"'seed' is {self.seed}; it must be below 2**31")
