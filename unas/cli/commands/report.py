# SPDX-License-Identifier: Apache-2.0
"""``unas-hil report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    study: Annotated[str, typer.Argument(help="A study's results folder, or its name.")],
    to: Annotated[
        Path | None,
        typer.Option("--to", help="The page. Default: report.html in the study's folder."),
    ] = None,
    results: Annotated[Path, typer.Option("--results", help="Directory of results.")] = Path(
        "results"
    ),
) -> None:
    """Write one self-contained HTML page about a study: front, drawings, numbers, failures.

    It needs no network and no JavaScript, and may be passed on as it is.

    Example: unas-hil report digits_f746
    """
    from unas.errors import StoreError
    from unas.report.study.page import study_page
    from unas.store.folder import write_atomic
    from unas.store.study_folder import read_study

    found = read_study(study, results)
    place = to or found.folder / "report.html"
    if place.is_dir():  # drawing the figures takes a while
        raise StoreError(f"{place} is a directory; name a file: --to {place / 'report.html'}")
    write_atomic(place, study_page(found, results).encode())
    typer.echo(place)
