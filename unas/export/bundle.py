# SPDX-License-Identifier: Apache-2.0
"""All that one takes home of a network: files, C array, project, model card."""

from __future__ import annotations

import hashlib
import json
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from unas.artifact import Flatbuffer
from unas.board import Board
from unas.errors import StoreError
from unas.export.card import model_card
from unas.export.network import ExportedNetwork, Sample, exported_network, seeded_sample
from unas.export.project import app_files, c_array_files
from unas.firmware.build import compiler_version
from unas.firmware.recipe import Recipe
from unas.firmware.runtimes import BUILTIN, Runtime
from unas.record import Record
from unas.store.folder import results_folder
from unas.store.study_folder import KERAS_FILE, TFLITE_FILE, StudyResults

CARD, GENES, PROJECT = "MODEL_CARD.md", "candidate.json", "project"


@dataclass(frozen=True, slots=True)
class Bundle:
    """What was written.

    Attributes:
        folder: Where.
        network: What was taken home.
        sample: What its program runs first.
        files: Paths in the folder, sorted.
    """

    folder: Path
    network: ExportedNetwork
    sample: Sample
    files: tuple[str, ...]


def best_record(study: StudyResults) -> Record:
    """The network with the least validation error of those that keep every bound and were kept.

    Where networks were trained again at the end, only these count, by the mean over all their
    trainings that did not diverge: one lucky run is no winner. Of equal ones the smallest. The test
    error has no say: it would be no test any more.

    Raises:
        StoreError: None keeps every bound, or none of these was kept.
    """
    feasible = [record for record in study.records if record.feasible]
    if not feasible:
        raise StoreError(
            f"no network of {study.name} keeps every bound yet; search on, or name one of the "
            "front with --candidate"
        )
    kept = [record for record in feasible if study.flatbuffer(record) is not None]
    if not kept:
        raise StoreError(
            f"no network of {study.name} lies in {study.folder / 'networks'}; networks stay on the "
            "machine that searched, export there"
        )
    again = [r for r in kept if not all(final.diverged for final in study.finals_of(r))]
    return min(
        again or kept,
        key=lambda r: (_mean_error(study, r), r.values.get("model_size_bytes", 0.0), r.index),
    )


def _mean_error(study: StudyResults, record: Record) -> float:
    """On the validation split, over the training of the record and those at the end."""
    errors = [final.training.val_error for final in study.finals_of(record)]
    known = [error for error in errors if error is not None]
    return statistics.fmean([record.values["error"], *known])


def write_bundle(
    study: StudyResults,
    record: Record,
    board: Board,
    place: Path,
    *,
    runtime: Runtime = BUILTIN,
    sample: Callable[[ExportedNetwork], Sample] = seeded_sample,
) -> Bundle:
    """Write a network's files into a new folder.

    Args:
        study: Where it was found.
        record: Which network.
        board: What the project is for.
        place: The folder; it must be empty or not exist.
        runtime: What runs it, one of ours.
        sample: Gives the input that the program runs first.

    Raises:
        StoreError: The network was not kept or is another one, or the place is taken.
        ModelError: The file cannot be read.
        ConfigError: The board's or runtime's description does not do.
    """
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise StoreError(f"{place} holds something already; name another place with --to")
    model = _model(study, record)
    network = exported_network(model, record.candidate.short_id, study.environment.get("data"))
    first = sample(network)
    recipe = Recipe(board, compiler_version(), runtime)
    files = {
        TFLITE_FILE: model.data,
        GENES: (json.dumps(record.candidate.to_json_dict(), indent=1) + "\n").encode(),
        CARD: model_card(study, record, network, recipe).encode(),
        **c_array_files(network),
        **{f"{PROJECT}/{name}": data for name, data in app_files(recipe, network, first).items()},
    }
    weights = study.network_folder(record) / KERAS_FILE
    if weights.is_file():
        files[KERAS_FILE] = weights.read_bytes()
    with results_folder(place) as folder:
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
    return Bundle(place, network, first, tuple(sorted(files)))


def _model(study: StudyResults, record: Record) -> Flatbuffer:
    data = study.flatbuffer(record)
    short_id = record.candidate.short_id
    if data is None:
        raise StoreError(
            f"the network {short_id} was not kept: only those of the front are; "
            f"{_kept_words(study)}"
        )
    wanted = None if record.training is None else record.training.model_sha256
    if wanted is not None and hashlib.sha256(data).hexdigest() != wanted:
        raise StoreError(
            f"{study.network_folder(record) / TFLITE_FILE} is not the file that was judged; "
            "restore it, or search on with --resume"
        )
    return Flatbuffer(data, short_id)


def _kept_words(study: StudyResults) -> str:
    kept = [r.candidate.short_id for r in study.records if study.flatbuffer(r) is not None]
    return f"kept are {', '.join(dict.fromkeys(kept))}" if kept else "none of this study is here"
