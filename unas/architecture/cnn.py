# SPDX-License-Identifier: Apache-2.0
"""Networks of μNAS's two search spaces: convolutional ones, and multi-layer perceptrons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from unas.architecture.layers import (
    ConvBlock,
    DenseLayer,
    Pooling,
)
from unas.architecture.record import Genes
from unas.errors import ArchitectureError


@dataclass(frozen=True, slots=True)
class CnnArchitecture(Genes):
    """A convolutional network: blocks, final pooling, hidden dense layers.

    The output layer is implied: one logit per class, or a single one for two classes.

    Raises:
        ArchitectureError: No block, or a first block that is parallel to nothing.
    """

    space: ClassVar[str] = "cnn"
    blocks: tuple[ConvBlock, ...]
    pooling: Pooling | None
    dense: tuple[DenseLayer, ...]

    def __post_init__(self) -> None:
        if not self.blocks or self.blocks[0].parallel:
            raise ArchitectureError("the first block must exist and be serial; make it so")


@dataclass(frozen=True, slots=True)
class MlpArchitecture(Genes):
    """A multi-layer perceptron: hidden dense layers with ReLU, and the implied output layer."""

    space: ClassVar[str] = "mlp"
    dense: tuple[DenseLayer, ...]
