# SPDX-License-Identifier: Apache-2.0
"""A network of μNAS's search space of multi-layer perceptrons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from unas.architecture.layers import DenseLayer
from unas.architecture.record import Genes


@dataclass(frozen=True, slots=True)
class MlpArchitecture(Genes):
    """A multi-layer perceptron: hidden dense layers with ReLU, and the implied output layer."""

    space: ClassVar[str] = "mlp"
    dense: tuple[DenseLayer, ...]
