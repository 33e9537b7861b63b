# SPDX-License-Identifier: Apache-2.0
"""``study.toml`` and ``environment.json``: the exact study, and what it is made with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unas._text import read_json_file
from unas.config import StudyConfig
from unas.errors import ConfigError, StoreError
from unas.store.environment import host, origin
from unas.store.folder import write_atomic
from unas.store.study_folder import ENVIRONMENT, STUDY

if TYPE_CHECKING:
    from unas.board import Board
    from unas.train.datasets import Dataset

_PACKAGES = (
    "numpy",
    "tensorflow",
    "keras",
    "scikit-learn",
    "platformio",
    "unicorn",
    "tflite-micro",
)
_TEACHER = "teacher of the distillation"
_SHA256 = 64  # hexadecimal digits


def describe_study(
    study: StudyConfig,
    dataset: Dataset,
    *,
    board: Board | None,
    source: str | None,
    calibration: Mapping[str, Any] | None,
    command: Mapping[str, Any],
) -> dict[str, Any]:
    """All that a reader needs to assess or repeat a study. No path and no name of the machine.

    Args:
        study: As it runs.
        dataset: What its networks learn.
        board: Kind of board; None where no candidate runs on one.
        source: What the board's numbers come from: a unit, or the virtual board's revision.
        calibration: From ``unas.study.setup.read_calibrated``.
        command: The options that were given.

    Raises:
        ConfigError: There is no teacher where the study says; every training would fail.
    """
    return {
        **origin(command),
        "study_sha256": study.digest,
        "latency_mode": str(study.latency.mode),
        "board": board and board.id,
        "board_file_sha256": board and board.file_sha256,
        "runtime": board and study.board.runtime,
        "source": source,
        "calibration": calibration and dict(calibration),
        "data": {
            "name": dataset.name,
            "input_shape": list(dataset.input_shape),
            "num_classes": dataset.num_classes,
            "class_names": list(dataset.class_names),
            "splits": {name: len(split) for name, split in dataset.splits._asdict().items()},
            "provenance": dataset.provenance.to_json(),
            **dataset.input_to_json(),
            "augmentation": dataset.augmentation.describe()
            if study.training.augmentation
            else "none",
        },
        "teacher_sha256": _teacher_sha256(study),
        **host(_PACKAGES),
    }


def write_description(
    folder: Path, study: StudyConfig, environment: Mapping[str, Any], *, goes_on: bool
) -> dict[str, Any]:
    """Write ``study.toml`` and ``environment.json``; the latter stays as it is if a study goes on.

    Args:
        folder: Of the study.
        study: As it runs.
        environment: From ``describe_study``.
        goes_on: Whether the journal holds records already.

    Returns:
        The environment as it is in the folder.

    Raises:
        StoreError: Calibration, data or teacher are others than the study began with, or the disk
            refuses.
    """
    path = folder / ENVIRONMENT
    if goes_on and path.exists():
        stored = _check_begun(path, environment)
    else:
        text = json.dumps(environment, indent=2) + "\n"
        write_atomic(path, text.encode())
        stored = json.loads(text)
    write_atomic(folder / STUDY, study.portable.to_toml().encode())
    return stored


def _teacher_sha256(study: StudyConfig) -> str | None:
    if study.distillation is None:
        return None
    path = Path(study.distillation.teacher).expanduser()
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ConfigError(
            f"[distillation] teacher: cannot read {path}: {error.strerror}; give the path of a "
            "trained .keras file"
        ) from error


def _check_begun(path: Path, environment: Mapping[str, Any]) -> dict[str, Any]:
    """The stored environment, if what lies outside of the study is still what it began with.

    The journal's digest covers the study alone.
    """
    try:
        stored: dict[str, Any] = read_json_file(path, "restore it, or begin anew")
        before, now = _fixed_inputs(stored), _fixed_inputs(environment)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise StoreError(f"cannot read {path}: {error}; restore it, or begin anew") from error
    for what in dict.fromkeys((*before, *now)):
        values = before.get(what, "none"), now.get(what, "none")
        if what == _TEACHER and what not in before:  # begun by a version that did not look at it
            continue
        if values[0] != values[1]:
            first, second = (text[:12] if len(text) == _SHA256 else text for text in values)
            raise StoreError(
                f"{path.parent} began with another {what} ({first}, now {second}); restore that "
                "one, or begin a new study under another name"
            )
    return stored


def _fixed_inputs(environment: Mapping[str, Any]) -> dict[str, str]:
    """What must not change while a study goes on, by its name for people."""
    inputs: dict[str, str | None] = {}
    inputs["calibration of the board"] = (environment["calibration"] or {}).get("sha256")
    if "teacher_sha256" in environment:
        inputs[_TEACHER] = environment["teacher_sha256"]
    data = environment.get("data")
    if data is not None:
        provenance = data["provenance"]
        for file in provenance["files"]:
            inputs[f"data file {file['name']}"] = file["sha256"]
        inputs["shape of the input"] = " x ".join(map(str, data["input_shape"]))
        inputs["list of classes"] = ", ".join(data["class_names"])
        for name, size in data["splits"].items():
            inputs[f"{name} split"] = f"{size} samples"
        inputs["split of the data"] = f"{provenance['split']}; seed {provenance['seed']}"
    return {what: "none" if value is None else str(value) for what, value in inputs.items()}
