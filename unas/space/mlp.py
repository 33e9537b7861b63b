# SPDX-License-Identifier: Apache-2.0
"""μNAS's search space of multi-layer perceptrons, random draws from it, and its morphisms."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from unas.architecture import DenseLayer, MlpArchitecture
from unas.space.morph_parts import Morph, dense_morphs
from unas.space.ranges import IntRange, check_gene, check_minimum

# The reference has no step of 3 here.
_UNIT_STEPS = (-5, -1, 1, 5)


@dataclass(frozen=True, slots=True)
class MlpSpace:
    """Ranges of all genes, both ends included; draws are uniform. μNAS's values are ``MLP_SPACE``.

    Attributes:
        dense_layers: Hidden dense layers.
        units: Of a hidden dense layer.

    Raises:
        ConfigError: A range begins below what a network can have.
    """

    dense_layers: IntRange
    units: IntRange

    def __post_init__(self) -> None:
        check_minimum(0, dense_layers=self.dense_layers)
        check_minimum(1, units=self.units)

    def validate(self, arch: MlpArchitecture) -> None:
        """Does nothing if the architecture is in this space.

        Raises:
            ArchitectureError: It is not; names the gene.
        """
        genes = [("number of hidden dense layers", len(arch.dense), self.dense_layers)]
        genes += [(f"dense[{i}]: units", x.units, self.units) for i, x in enumerate(arch.dense)]
        for what, value, allowed in genes:
            check_gene(what, value, allowed)


MLP_SPACE = MlpSpace(dense_layers=IntRange(1, 7), units=IntRange(10, 256))


def random_mlp(rng: np.random.Generator, space: MlpSpace = MLP_SPACE) -> MlpArchitecture:
    """One random architecture; equal states of ``rng`` give equal architectures."""
    count = space.dense_layers.draw(rng)
    return MlpArchitecture(tuple(DenseLayer(space.units.draw(rng)) for _ in range(count)))


def mlp_morphs(
    parent: MlpArchitecture, space: MlpSpace = MLP_SPACE
) -> list[Morph[MlpArchitecture]]:
    """All morphisms of a parent that stay in the space, in a fixed order.

    They are those of the reference: a random layer less, a random layer more at the end, units of
    one layer up or down by 1 or 5.
    """

    def rebuild(layers: tuple[DenseLayer, ...]) -> MlpArchitecture:
        return replace(parent, dense=layers)

    return list(dense_morphs(parent.dense, space.dense_layers, space.units, rebuild, _UNIT_STEPS))
