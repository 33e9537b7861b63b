# SPDX-License-Identifier: Apache-2.0
"""μNAS's search space of multi-layer perceptrons, and random draws from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unas.architecture import DenseLayer, MlpArchitecture
from unas.errors import ArchitectureError
from unas.space.ranges import IntRange


@dataclass(frozen=True, slots=True)
class MlpSpace:
    """Ranges of all genes, both ends included; draws are uniform. μNAS's values are ``MLP_SPACE``.

    Attributes:
        dense_layers: Hidden dense layers.
        units: Of a hidden dense layer.
    """

    dense_layers: IntRange
    units: IntRange

    def validate(self, arch: MlpArchitecture) -> None:
        """Does nothing if the architecture is in this space.

        Raises:
            ArchitectureError: It is not; names the gene.
        """
        genes = [("number of hidden dense layers", len(arch.dense), self.dense_layers)]
        genes += [(f"dense[{i}]: units", x.units, self.units) for i, x in enumerate(arch.dense)]
        for what, value, allowed in genes:
            if value not in allowed:
                raise ArchitectureError(f"{what} is {value}; in this search space it is {allowed}")


MLP_SPACE = MlpSpace(dense_layers=IntRange(1, 7), units=IntRange(10, 256))


def random_mlp(rng: np.random.Generator, space: MlpSpace = MLP_SPACE) -> MlpArchitecture:
    """One random architecture; equal states of ``rng`` give equal architectures."""
    count = space.dense_layers.draw(rng)
    return MlpArchitecture(tuple(DenseLayer(space.units.draw(rng)) for _ in range(count)))
