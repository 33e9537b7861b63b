# SPDX-License-Identifier: Apache-2.0
"""What a study file says: one frozen dataclass a table, with every default documented."""

from __future__ import annotations

from unas.config.board import BoardConfig, LatencyConfig, LatencyMode
from unas.config.load import load_study, study_from_toml
from unas.config.search import (
    DataConfig,
    MacCount,
    Options,
    ResourcesConfig,
    SearchConfig,
    SpaceConfig,
    StrategyName,
)
from unas.config.study import StudyConfig
from unas.config.training import (
    DistillationConfig,
    EarlyStopConfig,
    OptimizerConfig,
    OptimizerName,
    PlateauConfig,
    PruningConfig,
    TrainingConfig,
)

__all__ = [
    "BoardConfig",
    "DataConfig",
    "DistillationConfig",
    "EarlyStopConfig",
    "LatencyConfig",
    "LatencyMode",
    "MacCount",
    "OptimizerConfig",
    "OptimizerName",
    "Options",
    "PlateauConfig",
    "PruningConfig",
    "ResourcesConfig",
    "SearchConfig",
    "SpaceConfig",
    "StrategyName",
    "StudyConfig",
    "TrainingConfig",
    "load_study",
    "study_from_toml",
]
