# SPDX-License-Identifier: Apache-2.0
"""A whole study file as one value."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from unas._codec import plain_table
from unas._text import toml_text
from unas.config.board import BoardConfig, LatencyConfig, LatencyMode
from unas.config.checks import require
from unas.config.search import DataConfig, ResourcesConfig, SearchConfig, SpaceConfig
from unas.config.training import DistillationConfig, PruningConfig, TrainingConfig
from unas.constraints import Constraints

SCHEMA = 1
CONSTRAINT_KEYS = {
    "error": "error",
    "peak_memory": "peak_memory_bytes",
    "model_size": "model_size_bytes",
    "macs": "macs",
    "latency": "latency_us",
}
"""Keys of the table [constraints] and the fields they set."""

# These change which records come, or where their input lies, but no record's meaning.
_NOT_IN_DIGEST = {
    "data": ("path",),
    "search": ("rounds", "trainings", "workers", "final_seeds"),
    "board": ("tflm",),
}


@dataclass(frozen=True, slots=True)
class StudyConfig:
    """All of a study file.

    Attributes:
        name: For people and folders: letters, digits, spaces and ``. _ + -``; default: the file's
            stem. Not in the digest.
        data: Table [data].
        space: Table [space].
        resources: Table [resources].
        constraints: Table [constraints]: ``error`` (share, 0 to 1), ``peak_memory`` and
            ``model_size`` (``"64KB"`` or bytes), ``macs``, ``latency`` (``"50ms"``, or a number of
            microseconds); one that is left out leaves its quantity free.
        search: Table [search].
        training: Table [training].
        pruning: Table [pruning]; without it nothing is pruned.
        distillation: Table [distillation]; without it there is no teacher.
        latency: Table [latency].
        board: Table [board].
    """

    name: str
    data: DataConfig
    space: SpaceConfig = field(default_factory=SpaceConfig)
    resources: ResourcesConfig = field(default_factory=ResourcesConfig)
    constraints: Constraints = field(default_factory=Constraints)
    search: SearchConfig = field(default_factory=SearchConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    pruning: PruningConfig | None = None
    distillation: DistillationConfig | None = None
    latency: LatencyConfig = field(default_factory=LatencyConfig)
    board: BoardConfig = field(default_factory=BoardConfig)

    def __post_init__(self) -> None:
        require(
            self.pruning is None or self.pruning.finish_epoch < self.training.epochs,
            f"[pruning] finish_epoch must be below the {self.training.epochs} epochs of "
            "[training]; prune earlier or train longer",
        )
        require(
            self.constraints.latency_us is None
            or self.constraints.macs is not None
            or self.latency.mode is not LatencyMode.MACS,
            "[constraints] latency needs a time, or macs to stand for it: set [latency] mode to "
            '"predicted" or "measured", or bound macs too',
        )
        require(
            bool(self.constraints.bounds()),
            "[constraints] is empty; bound one quantity at least, it is what the search aims at",
        )

    @property
    def judged(self) -> Constraints:
        """The bounds of this search, with one latency term only.

        In mode ``"macs"`` that is ``macs``; otherwise ``latency_us``, where it is bounded. So one
        study file with both bounds can be searched in each mode.
        """
        if self.latency.mode is LatencyMode.MACS:
            return replace(self.constraints, latency_us=None)
        if self.constraints.latency_us is not None:
            return replace(self.constraints, macs=None)
        return self.constraints

    def to_dict(self) -> dict[str, Any]:
        """The study as TOML types, every default written out; reading it gives an equal study."""
        tables = {
            f.name: plain_table(getattr(self, f.name))
            for f in fields(self)
            if f.name not in ("name", "constraints") and getattr(self, f.name) is not None
        }
        tables["constraints"] = _constraints_table(self.constraints)
        return {"schema": SCHEMA, "name": self.name, **tables}

    def to_toml(self) -> str:
        """``to_dict`` as a study file."""
        return toml_text(self.to_dict())

    def evaluation_settings(self) -> dict[str, Any]:
        """``to_dict`` without what changes no record's meaning: equal for equal searches."""
        return _evaluation_settings(self.to_dict())

    @property
    def digest(self) -> str:
        """SHA-256 of ``judging``; see ``table_digest``."""
        return table_digest(self.to_dict())

    @property
    def portable(self) -> StudyConfig:
        """The same study without the places where things lie on this machine."""
        return replace(
            self, data=replace(self.data, path=None), board=replace(self.board, tflm=None)
        )


def table_digest(study: Mapping[str, Any]) -> str:
    """SHA-256 over all of a study that gives a record its meaning.

    Args:
        study: What ``to_dict`` gave, maybe of an earlier version with fewer keys.
    """
    text = json.dumps(_evaluation_settings(study), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _evaluation_settings(study: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in study.items() if key != "name"}
    for table, keys in _NOT_IN_DIGEST.items():
        if isinstance(kept.get(table), Mapping):
            kept[table] = {k: v for k, v in kept[table].items() if k not in keys}
    return kept


def _constraints_table(constraints: Constraints) -> dict[str, Any]:
    bounds = {key: getattr(constraints, name) for key, name in CONSTRAINT_KEYS.items()}
    if bounds["latency"] is not None:
        bounds["latency"] = float(bounds["latency"])
    return {key: bound for key, bound in bounds.items() if bound is not None}
