# SPDX-License-Identifier: Apache-2.0
"""``results/<study>/``: the exact study, what it was made with, the journal, the networks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unas._text import read_json_file
from unas.config import StudyConfig
from unas.errors import ConfigError, StoreError
from unas.store.calibration import Models, read_models
from unas.store.environment import host, origin
from unas.store.folder import write_atomic
from unas.store.measurements import read_samples
from unas.store.study_folder import ENVIRONMENT, STUDY
from unas.study.predictor import Calibrated

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
_SAMPLES, _MODELS = "samples.jsonl", "models.json"
_TEACHER = "teacher of the distillation"
_SHA256 = 64  # hexadecimal digits


def read_calibrated(folder: Path) -> tuple[Calibrated, dict[str, Any]]:
    """What a study takes from a calibration, and how its environment names it.

    Raises:
        StoreError: There is none, or it is not readable.
    """
    models: Models = read_models(folder)
    samples = read_samples(folder / _SAMPLES) if (folder / _SAMPLES).exists() else ()
    digest = hashlib.sha256((folder / _MODELS).read_bytes())
    if samples:
        digest.update((folder / _SAMPLES).read_bytes())
    told = {
        "name": folder.name,
        "sha256": digest.hexdigest(),
        "model": models.default.name,
        "fitted_on": dict(models.default.identity),
        "samples": len(samples),
    }
    return Calibrated(models.default, samples, models.arena), told


def described(
    study: StudyConfig,
    dataset: Dataset,
    *,
    board: Board | None,
    source: str | None,
    calibration: Mapping[str, Any] | None,
    command: Mapping[str, Any],
) -> dict[str, Any]:
    """All that a reader needs to judge or repeat a study. No path and no name of the machine.

    Args:
        study: As it runs.
        dataset: That it learns.
        board: Kind of board; None where no candidate sees one.
        source: What the board's numbers come from: a unit, or the virtual board's revision.
        calibration: From ``read_calibrated``.
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
) -> None:
    """Write ``study.toml`` and ``environment.json``; the latter stays as it is if a study goes on.

    Args:
        folder: Of the study.
        study: As it runs.
        environment: From ``described``.
        goes_on: Whether the journal holds records already.

    Raises:
        StoreError: Calibration, data or teacher are others than the study began with, or the disk
            refuses.
    """
    place = folder / ENVIRONMENT
    if goes_on and place.exists():
        _check_begun(place, environment)
    else:
        write_atomic(place, (json.dumps(environment, indent=2) + "\n").encode())
    write_atomic(folder / STUDY, study.portable.to_toml().encode())


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


def _check_begun(place: Path, environment: Mapping[str, Any]) -> None:
    """The journal's digest covers the study alone, and that leaves out what lies outside of it."""
    try:
        begun = read_json_file(place, "restore it, or begin anew")
        before, now = _given(begun), _given(environment)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise StoreError(f"cannot read {place}: {error}; restore it, or begin anew") from error
    for what in dict.fromkeys((*before, *now)):
        told = before.get(what, "none"), now.get(what, "none")
        if what == _TEACHER and what not in before:  # begun by a version that did not look at it
            continue
        if told[0] != told[1]:
            first, second = (text[:12] if len(text) == _SHA256 else text for text in told)
            raise StoreError(
                f"{place.parent} began with another {what} ({first}, now {second}); restore that "
                "one, or begin a new study under another name"
            )


def _given(environment: Mapping[str, Any]) -> dict[str, str]:
    """What must not change while a study goes on, by its name for people."""
    found: dict[str, str | None] = {}
    found["calibration of the board"] = (environment["calibration"] or {}).get("sha256")
    if "teacher_sha256" in environment:
        found[_TEACHER] = environment["teacher_sha256"]
    data = environment.get("data")
    if data is not None:
        provenance = data["provenance"]
        for file in provenance["files"]:
            found[f"data file {file['name']}"] = file["sha256"]
        found["shape of the input"] = " x ".join(map(str, data["input_shape"]))
        found["list of classes"] = ", ".join(data["class_names"])
        for name, size in data["splits"].items():
            found[f"{name} split"] = f"{size} samples"
        found["split of the data"] = f"{provenance['split']}; seed {provenance['seed']}"
    return {what: "none" if told is None else str(told) for what, told in found.items()}
