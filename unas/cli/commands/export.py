# SPDX-License-Identifier: Apache-2.0
"""``unas-hil export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unas.cli.options import RESULTS, ResultsOption, StudyArgument
from unas.cli.output import note, print_pairs
from unas.errors import ConfigError

if TYPE_CHECKING:
    from unas.exports.bundle import Bundle


def command(
    study: StudyArgument,
    candidate: Annotated[
        str | None,
        typer.Option("--candidate", help="Digest of the candidate, or its first digits."),
    ] = None,
    best: Annotated[
        bool,
        typer.Option(
            "--best",
            help="The feasible network with the smallest validation error, by the mean of all "
            "trainings where they were repeated.",
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
    results: ResultsOption = RESULTS,
) -> None:
    """Export a network: Keras model, .tflite, C array, a project for the board, a model card.

    Example: unas-hil export digits_f746 --best --to my_network
    """
    from unas.board import load_board
    from unas.exports.bundle import export_network
    from unas.store.study_folder import read_study

    if (candidate is None) is not best:
        raise ConfigError("say which network: either --candidate HASH or --best")
    bundle = export_network(
        read_study(study, results),
        candidate=candidate,
        board=None if board is None else load_board(board),
        runtime=runtime,
        data=data,
        to=to,
    )
    if bundle.sample.label is None:
        note("the program's sample is pseudo-random; --data PATH takes one of the test split")
    _print(bundle)


def _print(bundle: Bundle) -> None:
    from unas.record.wording import percent

    network, folder, record = bundle.network, bundle.folder, bundle.record
    known = "error" in record.values
    pairs = {
        "network": f"{record.candidate.sha256}",
        "int8 error": f"{percent(record.values['error'])} (validation)" if known else "not known",
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
    print_pairs(f"{network.id} exported to {folder}", pairs)
