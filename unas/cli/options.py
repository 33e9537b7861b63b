# SPDX-License-Identifier: Apache-2.0
"""The arguments and options that several commands have, declared once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unas.cli.output import Format, note

if TYPE_CHECKING:
    from unas.firmware.runtimes import Runtime
    from unas.hil.measure import Procedure
    from unas.lab.bench import Bench, Emulation

BoardOption = Annotated[
    str,
    typer.Option("--board", help="Kind of board: an id (see 'unas-hil boards') or a .toml file."),
]
UnitOption = Annotated[
    str | None,
    typer.Option("--unit", help="A unit of hardware_map.toml; default: the one plugged in."),
]
VirtualOption = Annotated[
    bool, typer.Option("--virtual", help="Use the virtual board even if a unit is plugged in.")
]
RunsOption = Annotated[
    int, typer.Option("--runs", min=1, max=256, help="Timed inferences a model.")
]
WarmupOption = Annotated[
    int,
    typer.Option("--warmup", min=0, max=1000, help="Inferences before them, after the cold one."),
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, max=2**31 - 1, help="Seed of the draw.")]
WorkersOption = Annotated[
    int, typer.Option("--workers", min=1, max=64, help="Virtual boards at work at once.")
]
RuntimeOption = Annotated[
    str,
    typer.Option(
        "--runtime",
        help="What runs the model: builtin, builtin-plain (its kernels without DSP instructions), "
        "tflm (TensorFlow Lite Micro, see --tflm).",
    ),
]
TflmOption = Annotated[
    str | None,
    typer.Option(
        "--tflm",
        metavar="DIR",
        help="TensorFlow Lite Micro: a tree written by its create_tflm_tree.py, a PlatformIO "
        "library, or OWNER/NAME@VERSION of PlatformIO's registry; default: $UNAS_TFLM.",
        show_default=False,
    ),
]
EmulatorOption = Annotated[
    str,
    typer.Option(
        "--emulator",
        help="What plays a virtual board: unicorn, or qemu (an386 and an500 only).",
    ),
]
TimingOption = Annotated[
    str | None,
    typer.Option(
        "--timing",
        help="What a virtual board's cycles are: instructions, pipeline, pipeline+memory. "
        "Default: the best it has.",
        show_default=False,
    ),
]
ResultsOption = Annotated[Path, typer.Option("--results", help="Directory of results.")]
RESULTS = Path("results")
FormatOption = Annotated[Format, typer.Option("--format", help="How to print.")]
InputSeedOption = Annotated[
    int, typer.Option("--seed", min=1, max=2**31 - 1, help="Seed of the input.")
]
ModelArgument = Annotated[Path, typer.Argument(help="An int8 .tflite file.", show_default=False)]
StudyArgument = Annotated[
    str, typer.Argument(metavar="STUDY", help="A study's results folder, or its name.")
]
FreshOption = Annotated[
    bool, typer.Option("--fresh", help="Measure again what was measured before.")
]


OLD_SPELLINGS = {
    "calibrate": {"--models": "--networks", "--until": "--target-error"},
    "predict": {"--model": "--latency-model"},
}
"""Of each command, options that had another name: the old one still works, --help has the new."""


def choose_runtime(name: str, tflm: str | None) -> Runtime:
    """The runtime that --runtime and --tflm name.

    Raises:
        ConfigError: No such runtime, or no usable library.
    """
    from unas.firmware.runtimes import find_runtime

    return find_runtime(name, tflm)


def choose_emulation(emulator: str, timing: str | None) -> Emulation:
    """The emulation that --emulator and --timing name.

    Raises:
        ConfigError: No such emulator or timing mode, or one that the emulator has not.
    """
    from unas.lab.bench import find_emulation

    return find_emulation(emulator, timing)


def choose_bench(
    board_argument: str,
    unit_name: str | None,
    virtual: bool,
    workers: int,
    procedure: Procedure,
    runtime: Runtime,
    emulation: Emulation,
) -> Bench:
    """The bench to measure on; says in one line when it is the virtual board.

    Raises:
        ConfigError: No such board or unit, or both --unit and --virtual.
    """
    from unas.lab.bench import open_bench

    return open_bench(
        board_argument,
        unit_name,
        virtual=virtual,
        workers=workers,
        procedure=procedure,
        runtime=runtime,
        emulation=emulation,
        log=note,
    )
