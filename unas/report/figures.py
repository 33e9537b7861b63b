# SPDX-License-Identifier: Apache-2.0
"""Figures by name: of a calibration or of a study, drawn one by one or as far as there are data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from matplotlib.figure import Figure

from unas.errors import StoreError
from unas.report.style import save

SourceT = TypeVar("SourceT")


@dataclass(frozen=True, slots=True)
class FigureSet(Generic[SourceT]):
    """The figures of one kind of results.

    Attributes:
        functions: By name, which is also the stem of the files. A function raises a StoreError if
            the results do not hold what its figure shows.
    """

    functions: Mapping[str, Callable[[SourceT], Figure]]

    def __iter__(self) -> Iterator[str]:
        return iter(self.functions)

    def __len__(self) -> int:
        return len(self.functions)

    def __contains__(self, name: object) -> bool:
        return name in self.functions

    def draw(self, source: SourceT, folder: Path, name: str) -> tuple[Path, Path]:
        """Draw one figure as PNG and SVG.

        Args:
            source: The results.
            folder: Folder for the files.
            name: Name of the figure.

        Raises:
            StoreError: The results do not hold what the figure shows.
        """
        return save(self.functions[name](source), folder, name)

    def available(self, source: SourceT) -> dict[str, Figure]:
        """Every figure for which the results hold the data, by name."""
        figures = {}
        for name, function in self.functions.items():
            try:
                figures[name] = function(source)
            except StoreError:  # not an error: results of another kind, or too few of them yet
                continue
        return figures

    def draw_all(self, source: SourceT, folder: Path) -> tuple[Path, ...]:
        """Draw every figure for which the results hold the data; remove older files of others.

        Returns:
            Paths of the files.
        """
        figures = self.available(source)
        for name in self:
            if name not in figures:
                for suffix in (".png", ".svg"):
                    (folder / f"{name}{suffix}").unlink(missing_ok=True)
        return tuple(
            path for name, figure in figures.items() for path in save(figure, folder, name)
        )
