# SPDX-License-Identifier: Apache-2.0
"""Export of a network of a study: Keras model, .tflite, C array, project, model card."""

from __future__ import annotations

import hashlib
import json
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unas.artifact import Flatbuffer
from unas.board import Board, load_board
from unas.errors import ConfigError, StoreError
from unas.exports.card import model_card
from unas.exports.network import ExportedNetwork, exported_network
from unas.exports.project import app_files, c_array_files
from unas.exports.sample import InputSample, choose_sample
from unas.firmware.build import compiler_version
from unas.firmware.recipe import Recipe
from unas.firmware.runtimes import BUILTIN, Runtime, find_runtime
from unas.record import Record
from unas.store.folder import results_folder
from unas.store.study_folder import ENVIRONMENT, KERAS_FILE, TFLITE_FILE, StudyResults

CARD, GENES, PROJECT = "MODEL_CARD.md", "candidate.json", "project"


@dataclass(frozen=True, slots=True)
class Bundle:
    """An exported network.

    Attributes:
        folder: Where its files are.
        record: Of the network.
        network: What its C code states about it.
        sample: The input that its program runs first.
        files: Paths in the folder, sorted.
    """

    folder: Path
    record: Record
    network: ExportedNetwork
    sample: InputSample
    files: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The folder, its files and the record of the network as JSON types."""
        return {
            "folder": str(self.folder),
            "files": list(self.files),
            "record": self.record.to_json_dict(),
        }


def best_record(study: StudyResults) -> Record:
    """The feasible network with the smallest validation error, of those whose file was kept.

    Where trainings were repeated at the end, only their networks count, by the mean over all
    trainings that did not diverge: one lucky training decides nothing. Of equal ones the smallest
    network. The test error is not looked at: it would be no test any more.

    Raises:
        StoreError: None is feasible, or none of these was kept.
    """
    feasible = [record for record in study.records if record.feasible]
    if not feasible:
        raise StoreError(
            f"no network of {study.name} is feasible yet; search on, or name one of the "
            "front with --candidate"
        )
    kept = [record for record in feasible if study.flatbuffer(record) is not None]
    if not kept:
        raise StoreError(
            f"no network of {study.name} lies in {study.folder / 'networks'}; networks stay on the "
            "machine that searched, export there"
        )
    repeated = [r for r in kept if not all(final.diverged for final in study.finals_of(r))]
    return min(
        repeated or kept,
        key=lambda r: (_mean_error(study, r), r.values.get("model_size_bytes", 0.0), r.index),
    )


def _mean_error(study: StudyResults, record: Record) -> float:
    """On the validation split, over the training of the record and those at the end."""
    errors = [final.training.val_error for final in study.finals_of(record)]
    known = [error for error in errors if error is not None]
    return statistics.fmean([record.values["error"], *known])


def export_network(
    study: StudyResults,
    *,
    candidate: str | None = None,
    board: Board | None = None,
    runtime: str = BUILTIN.name,
    data: Path | None = None,
    to: Path | None = None,
) -> Bundle:
    """Write a network of a study into a new folder: all that is needed to use it elsewhere.

    Args:
        study: Where it was found.
        candidate: Digest of the candidate, or its first digits; None: ``best_record``.
        board: What the project is for; None: the study's.
        runtime: Name of the runtime in the project: ``"builtin"`` or ``"builtin-plain"``.
        data: Where the study's data set lies: the program's sample is then taken from its test
            split. None: the sample that was kept with the network, else a pseudo-random one.
        to: The folder; it must be empty or not exist. None: ``STUDY-CANDIDATE`` here.

    Raises:
        StoreError: There is no such network, it was not kept, or the place is taken.
        ConfigError: The board's description cannot be used, or the runtime needs a library.
        DataError: The data set cannot be used.
        ModelError: The network's file cannot be read.
        ToolError: There is no C compiler.
    """
    record = best_record(study) if candidate is None else study.find(candidate)
    return write_bundle(
        study,
        record,
        board or load_board(study.config.board.id),
        to or Path(f"{study.name}-{record.candidate.short_id}"),
        runtime=_own_runtime(runtime),
        data=data,
    )


def _own_runtime(name: str) -> Runtime:
    if name == "tflm":
        raise ConfigError(
            "a project with TensorFlow Lite Micro would need your tree of it; export with "
            "--runtime builtin, and give model_data.c to your own build"
        )
    return find_runtime(name)


def write_bundle(
    study: StudyResults,
    record: Record,
    board: Board,
    place: Path,
    *,
    runtime: Runtime = BUILTIN,
    data: Path | None = None,
) -> Bundle:
    """Write the network of a record into a new folder; see ``export_network``.

    Args:
        study: Where it was found.
        record: Which network.
        board: What the project is for.
        place: The folder; it must be empty or not exist.
        runtime: What runs it, one of ours.
        data: Where the study's data set lies, or None.

    Raises:
        StoreError: The network was not kept or is another one, or the place is taken.
        ModelError: The file cannot be read.
        ConfigError: The board's or runtime's description cannot be used.
    """
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise StoreError(f"{place} holds something already; name another place with --to")
    model = _model(study, record)
    network = exported_network(model, record.candidate.short_id, _data_table(study))
    sample = choose_sample(study, record, network, data)
    recipe = Recipe(board, compiler_version(), runtime)
    files = {
        TFLITE_FILE: model.data,
        GENES: (json.dumps(record.candidate.to_json_dict(), indent=1) + "\n").encode(),
        CARD: model_card(study, record, network, recipe).encode(),
        **c_array_files(network),
        **{
            f"{PROJECT}/{name}": content
            for name, content in app_files(recipe, network, sample).items()
        },
    }
    weights = study.network_folder(record) / KERAS_FILE
    if weights.is_file():
        files[KERAS_FILE] = weights.read_bytes()
    with results_folder(place) as folder:
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
    return Bundle(place, record, network, sample, tuple(sorted(files)))


def _data_table(study: StudyResults) -> Mapping[str, Any]:
    """Table ``data`` of the study's ``environment.json``; empty where it is not there."""
    table = study.environment.get("data") or {}
    if not isinstance(table, Mapping):
        raise StoreError(
            f"{study.folder / ENVIRONMENT}: 'data' is {type(table).__name__}, no table; restore "
            "the file"
        )
    return table


def _model(study: StudyResults, record: Record) -> Flatbuffer:
    data = study.flatbuffer(record)
    short_id = record.candidate.short_id
    if data is None:
        raise StoreError(
            f"the network {short_id} was not kept: only those of the front are; {_kept_text(study)}"
        )
    wanted = None if record.training is None else record.training.model_sha256
    if wanted is not None and hashlib.sha256(data).hexdigest() != wanted:
        raise StoreError(
            f"{study.network_folder(record) / TFLITE_FILE} is not the file that was judged; "
            "restore it, or search on with --resume"
        )
    return Flatbuffer(data, short_id)


def _kept_text(study: StudyResults) -> str:
    kept = [r.candidate.short_id for r in study.records if study.flatbuffer(r) is not None]
    return f"kept are {', '.join(dict.fromkeys(kept))}" if kept else "none of this study is here"
