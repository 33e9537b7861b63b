# SPDX-License-Identifier: Apache-2.0
"""``unas-hil export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unas.cli.output import note, print_pairs
from unas.errors import ConfigError

if TYPE_CHECKING:
    from unas.export.bundle import Bundle
    from unas.export.network import ExportedNetwork, Sample
    from unas.firmware.runtimes import Runtime
    from unas.record import Record
    from unas.store.study_folder import StudyResults


def command(
    study: Annotated[str, typer.Argument(help="A study's results folder, or its name.")],
    candidate: Annotated[
        str | None,
        typer.Option("--candidate", help="Digest of the candidate, or its first digits."),
    ] = None,
    best: Annotated[
        bool,
        typer.Option(
            "--best",
            help="The least validation error among those that keep the bounds, mean of all "
            "trainings where there are final seeds.",
        ),
    ] = False,
    to: Annotated[
        Path | None,
        typer.Option("--to", help="New folder. Default: STUDY-CANDIDATE here.", show_default=False),
    ] = None,
    board: Annotated[
        str | None,
        typer.Option("--board", help="Default: the study's.", show_default=False),
    ] = None,
    runtime: Annotated[
        str, typer.Option("--runtime", help="builtin or builtin-plain (no DSP instructions).")
    ] = "builtin",
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            help="Where the data set lies: the program's sample is taken from its test split.",
            show_default=False,
        ),
    ] = None,
    results: Annotated[Path, typer.Option("--results", help="Directory of results.")] = Path(
        "results"
    ),
) -> None:
    """Take a network home: Keras model, .tflite, C array, a project for the board, a model card.

    Example: unas-hil export digits_f746 --best --to my_network
    """
    from unas.board import load_board
    from unas.export.bundle import write_bundle
    from unas.store.study_folder import read_study

    if (candidate is None) is not best:
        raise ConfigError("say which network: either --candidate HASH or --best")
    found = read_study(study, results)
    record = _record(found, candidate)
    bundle = write_bundle(
        found,
        record,
        load_board(board or found.config.board.id),
        to or Path(f"{found.name}-{record.candidate.short_id}"),
        runtime=_runtime(runtime),
        sample=lambda network: _sample(network, found, record, data),
    )
    _print(bundle, record)


def _record(study: StudyResults, candidate: str | None) -> Record:
    from unas.export.bundle import best_record

    return best_record(study) if candidate is None else study.find(candidate)


def _runtime(name: str) -> Runtime:
    from unas.firmware.runtimes import find_runtime

    if name == "tflm":
        raise ConfigError(
            "a project with TensorFlow Lite Micro would need your tree of it; export with "
            "--runtime builtin, and give model_data.c to your own build"
        )
    return find_runtime(name)


def _sample(
    network: ExportedNetwork, study: StudyResults, record: Record, path: Path | None
) -> Sample:
    """The first sample of the test split: as kept, or from the data set; else pseudo-random."""
    from unas.export.network import data_sample, kept_sample, seeded_sample

    kept = kept_sample(study, record, network) if path is None else None
    if kept is not None:
        return kept
    if path is None:
        note("the program's sample is pseudo-random; --data PATH takes one of the test split")
        return seeded_sample(network)
    from unas.train.datasets import load_dataset

    config = study.config.data
    dataset = load_dataset(config.name, str(path), **config.options)
    values = dataset.inputs(dataset.test, 0, 1)[0]
    origin = f"the first sample of the test split of {config.name}"
    return data_sample(network, values, int(dataset.test.y[0]), origin)


def _print(bundle: Bundle, record: Record) -> None:
    network, folder = bundle.network, bundle.folder
    error = (
        "not known"
        if record.training is None
        else f"{100 * record.values['error']:.2f} % (validation)"
    )
    pairs = {
        "network": f"{record.candidate.sha256}",
        "int8 error": error,
        "file": f"{network.model.flatbuffer_bytes:,} B, {folder / 'model.tflite'}",
        "C array": f"{folder / 'model_data.c'}, {folder / 'model_data.h'}",
        "project": f"{folder / 'project'}: pio run -d {folder / 'project'}",
        "its sample": bundle.sample.origin,
        "model card": f"{folder / 'MODEL_CARD.md'}",
    }
    if "model.keras" in bundle.files:
        pairs["Keras model"] = f"{folder / 'model.keras'}"
    else:
        note("the Keras model was not kept with this network; all else is there")
    if not record.feasible:
        note(f"it violates {', '.join(record.violations)}: see the model card")
    print_pairs(f"{network.id} taken to {folder}", pairs)
