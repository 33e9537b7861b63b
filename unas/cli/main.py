# SPDX-License-Identifier: Apache-2.0
"""The program ``unas-hil``: one file a command, imported only when it is called."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import typer
from typer.core import TyperCommand

from unas.cli.commands import (
    boards,
    calibrate,
    compare,
    estimate,
    export,
    measure,
    plot,
    predict,
    quality,
    replay,
    report,
    run,
    search,
)
from unas.cli.options import OLD_SPELLINGS
from unas.cli.output import note
from unas.errors import ToolError, UnasError

_INTERRUPTED = 130  # what Typer makes of Ctrl-C

app = typer.Typer(
    name="unas-hil",
    help="Find neural networks that fit a microcontroller, judged by the board itself.\n\n"
    "Example: unas-hil calibrate --board f746",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _options(
    verbose: bool = typer.Option(False, "-v", "--verbose", help="Show tracebacks and tool output."),
) -> None:
    """Find neural networks that fit a microcontroller, judged by the board itself."""


_COMMANDS: dict[str, Callable[..., None]] = {
    "boards": boards.command,
    "estimate": estimate.command,
    "measure": measure.command,
    "compare": compare.command,
    "calibrate": calibrate.command,
    "predict": predict.command,
    "quality": quality.command,
    "run": run.command,
    "search": search.command,
    "replay": replay.command,
    "report": report.command,
    "export": export.command,
}


class _Command(TyperCommand):
    """A command that also takes the old spellings of its options."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments, old spellings replaced by new ones."""
        spellings = OLD_SPELLINGS.get(self.name or "", {})
        renamed = []
        for argument in args:
            option, equals, value = argument.partition("=")
            renamed.append(spellings.get(option, option) + equals + value)
        return super().parse_args(ctx, renamed)


for _name, _function in _COMMANDS.items():
    app.command(name=_name, cls=_Command)(_function)
app.add_typer(plot.app, name="plot")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program: one line and exit code 1 for every error that is the world's fault."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    # -v is accepted anywhere: people append it to the command that failed.
    verbose = "-v" in given or "--verbose" in given
    given = [argument for argument in given if argument not in ("-v", "--verbose")]
    try:
        app(given, prog_name="unas-hil")
    except UnasError as error:
        if verbose:
            traceback.print_exception(error)
            if isinstance(error, ToolError) and error.output:
                sys.stderr.write(error.output)
        note(f"error: {' '.join(str(error).split())}")
        raise SystemExit(1) from error
    except SystemExit as end:
        if end.code == _INTERRUPTED and given[:1] == ["search"]:
            note("stopped: every record is kept, the same command with --resume goes on from there")
        elif end.code == _INTERRUPTED and given[:1] != ["run"]:
            note("stopped: what was measured is kept, the same command goes on from there")
        raise


if __name__ == "__main__":
    main()
