# SPDX-License-Identifier: Apache-2.0
"""``unas-hil report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unas.cli.options import RESULTS, ResultsOption, StudyArgument


def command(
    study: StudyArgument,
    to: Annotated[
        Path | None,
        typer.Option("--to", help="The page. Default: report.html in the study's folder."),
    ] = None,
    results: ResultsOption = RESULTS,
) -> None:
    """Write one self-contained HTML page about a study: front, drawings, numbers, failures.

    It needs no network and no JavaScript, and may be passed on as it is.

    Example: unas-hil report digits_f746
    """
    from unas.report.study.page import write_page
    from unas.store.study_folder import read_study

    typer.echo(write_page(read_study(study, results), results, to))
