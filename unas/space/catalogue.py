# SPDX-License-Identifier: Apache-2.0
"""The search spaces by name, behind one interface, with ranges overridden by a study file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from unas._codec import near_names
from unas.architecture import (
    Architecture,
    CnnArchitecture,
    CnnPlusArchitecture,
    MlpArchitecture,
)
from unas.errors import ArchitectureError, ConfigError
from unas.graph import Graph
from unas.space.build import build_graph
from unas.space.cnn import CNN_SPACE, CnnSpace, random_architecture
from unas.space.cnn_plus import CNN_PLUS_1D_SPACE, CNN_PLUS_SPACE, CnnPlusSpace, random_cnn_plus
from unas.space.cnn_plus_morphs import cnn_plus_morphs
from unas.space.mlp import MLP_SPACE, MlpSpace, mlp_morphs, random_mlp
from unas.space.morph_parts import Morph
from unas.space.morphs import morphs as cnn_morphs
from unas.space.ranges import IntRange


class Space(Protocol):
    """A search space. Randomness comes from the generators handed in, and from nothing else."""

    @property
    def name(self) -> str:
        """As in study files."""
        ...

    def random(self, rng: np.random.Generator) -> Architecture:
        """A random architecture of the space."""
        ...

    def morphs(self, arch: Architecture) -> Sequence[Morph[Architecture]]:
        """All single-step changes that stay in the space, in a fixed order.

        Raises:
            ArchitectureError: The architecture belongs to another space.
        """
        ...

    def morph(self, rng: np.random.Generator, arch: Architecture) -> Architecture:
        """A child that differs by one uniformly drawn change.

        Raises:
            ArchitectureError: The architecture belongs to another space, or nothing can change.
        """
        ...

    def validate(self, arch: Architecture) -> None:
        """Does nothing if the architecture is in the space.

        Raises:
            ArchitectureError: It is not; names the gene.
        """
        ...

    def graph(
        self, arch: Architecture, input_shape: tuple[int, int, int], num_classes: int
    ) -> Graph:
        """The network, from (height, width, channels) to logits; see ``build_graph``."""
        ...


_A = TypeVar("_A", CnnArchitecture, CnnPlusArchitecture, MlpArchitecture)


@dataclass(frozen=True, slots=True)
class CatalogueSpace(Generic[_A]):
    """A space made of functions; see ``Space`` for what its methods do.

    Attributes:
        name: As in study files.
        kind: Class of its architectures.
        draw: Makes a random architecture.
        list_morphs: All changes of an architecture.
        check: Raises an error if an architecture is out of range.
    """

    name: str
    kind: type[_A]
    draw: Callable[[np.random.Generator], _A]
    list_morphs: Callable[[_A], Sequence[Morph[_A]]]
    check: Callable[[_A], None]

    def random(self, rng: np.random.Generator) -> Architecture:
        """A random architecture."""
        return self.draw(rng)

    def morphs(self, arch: Architecture) -> Sequence[Morph[Architecture]]:
        """All changes."""
        return self.list_morphs(self._own(arch))

    def morph(self, rng: np.random.Generator, arch: Architecture) -> Architecture:
        """One change, made."""
        choices = self.morphs(arch)
        if not choices:
            raise ArchitectureError(
                f"nothing of architecture {arch.short_id} can change in this space {self.name}; "
                "widen its ranges"
            )
        return choices[int(rng.integers(len(choices)))].apply(rng)

    def validate(self, arch: Architecture) -> None:
        """Whether all genes are in range."""
        self.check(self._own(arch))

    def graph(
        self, arch: Architecture, input_shape: tuple[int, int, int], num_classes: int
    ) -> Graph:
        """The network."""
        return build_graph(self._own(arch), input_shape, num_classes)

    def _own(self, arch: Architecture) -> _A:
        if not isinstance(arch, self.kind):
            raise ArchitectureError(
                f"architecture {arch.short_id} is a {type(arch).__name__}, and the space "
                f"{self.name} has only {self.kind.__name__}; take the space that it was drawn from"
            )
        return arch


def cnn_space(ranges: CnnSpace = CNN_SPACE) -> Space:
    """μNAS's convolutional space, or a variant of it."""
    return CatalogueSpace(
        "cnn",
        CnnArchitecture,
        partial(random_architecture, space=ranges),
        partial(cnn_morphs, space=ranges),
        ranges.validate,
    )


def cnn_plus_space(ranges: CnnPlusSpace = CNN_PLUS_SPACE) -> Space:
    """The wider convolutional space, or a variant of it."""
    return CatalogueSpace(
        "cnn+",
        CnnPlusArchitecture,
        partial(random_cnn_plus, space=ranges),
        partial(cnn_plus_morphs, space=ranges),
        ranges.validate,
    )


def mlp_space(ranges: MlpSpace = MLP_SPACE) -> Space:
    """μNAS's space of multi-layer perceptrons, or a variant of it."""
    return CatalogueSpace(
        "mlp",
        MlpArchitecture,
        partial(random_mlp, space=ranges),
        partial(mlp_morphs, space=ranges),
        ranges.validate,
    )


_FACTORIES: dict[str, Callable[[Mapping[str, object]], Space]] = {
    "cnn": lambda overrides: cnn_space(with_overrides(CNN_SPACE, overrides)),
    "cnn+": lambda overrides: cnn_plus_space(with_overrides(CNN_PLUS_SPACE, overrides)),
    "cnn+1d": lambda overrides: cnn_plus_space(with_overrides(CNN_PLUS_1D_SPACE, overrides)),
    "mlp": lambda overrides: mlp_space(with_overrides(MLP_SPACE, overrides)),
}
SPACE_NAMES = tuple(_FACTORIES)
"""Names of all spaces; ``cnn+1d`` is ``cnn+`` for sequences, inputs of shape (samples, 1, c)."""


def find_space(name: str, overrides: Mapping[str, object] | None = None) -> Space:
    """A space by its name in a study file.

    Args:
        name: One of ``SPACE_NAMES``.
        overrides: Other ranges than the space's own, as plain values by the field names of
            ``CnnSpace``, ``CnnPlusSpace`` or ``MlpSpace``: [low, high], a list of choices, or a
            probability.

    Raises:
        ConfigError: There is no such space or override, or an override cannot have that value.
    """
    if name not in _FACTORIES:
        raise ConfigError(f"there is no search space {name!r}; {near_names(name, SPACE_NAMES)}")
    return _FACTORIES[name](overrides or {})


_R = TypeVar("_R", CnnSpace, CnnPlusSpace, MlpSpace)


def with_overrides(ranges: _R, overrides: Mapping[str, object], where: str = "space.options") -> _R:
    """The ranges with some of them replaced.

    Args:
        ranges: Ranges to start from.
        overrides: By field name: [low, high] for a range, a list for a choice, a number from 0
            to 1 for a probability. Members of a choice keep the order of the space.
        where: Name of the overrides, for messages.

    Raises:
        ConfigError: There is no such range, or it cannot have that value.
    """
    known: dict[str, Any] = {field.name: getattr(ranges, field.name) for field in fields(ranges)}
    for name in overrides:
        if name not in known:
            raise ConfigError(f"{where}: unknown key {name!r}; {near_names(name, known)}")
    changes: dict[str, Any] = {
        name: _value(f"{where}.{name}", known[name], overrides[name]) for name in overrides
    }
    return replace(ranges, **changes)


def _value(where: str, old: Any, new: Any) -> Any:
    if isinstance(old, IntRange):
        return _range(where, new)
    if isinstance(old, float):
        if type(new) not in (int, float) or not 0 <= new <= 1:
            raise ConfigError(f"{where} is {new!r}; give a probability from 0 to 1")
        return float(new)
    if not isinstance(new, list | tuple) or not new or len(set(map(repr, new))) < len(new):
        raise ConfigError(f"{where} is {new!r}; give a list of one or more different values")
    kind = type(old[0])
    return _members(where, kind, new) if issubclass(kind, StrEnum) else _sizes(where, new)


def _range(where: str, new: Any) -> IntRange:
    is_pair = isinstance(new, list | tuple) and [type(x) for x in new] == [int, int]
    if not is_pair or new[0] > new[1]:
        raise ConfigError(f"{where} is {new!r}; give [smallest, largest], both whole numbers")
    return IntRange(new[0], new[1])


def _members(where: str, kind: type[StrEnum], new: Iterable[object]) -> tuple[StrEnum, ...]:
    known = {member.value: member for member in kind}
    for value in new:
        if value not in known:
            raise ConfigError(f"{where}: unknown value {value!r}; {near_names(str(value), known)}")
    return tuple(member for value, member in known.items() if value in new)


def _sizes(where: str, new: Iterable[Any]) -> tuple[int, ...]:
    if not all(type(value) is int and value >= 1 for value in new):
        raise ConfigError(f"{where} is {new!r}; give whole numbers from 1 upwards")
    return tuple(sorted(new))
