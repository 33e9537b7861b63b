# SPDX-License-Identifier: Apache-2.0
"""``unas-hil estimate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unas.cli.options import FormatOption, SeedOption
from unas.cli.output import Format, print_json, print_pairs, print_table
from unas.errors import ModelError

if TYPE_CHECKING:
    from unas.artifact import Flatbuffer
    from unas.resources.estimate import ResourceEstimate


def command(
    model: Annotated[
        Path | None, typer.Argument(help="An int8 .tflite file.", show_default=False)
    ] = None,
    random: Annotated[
        bool, typer.Option("--random", help="Draw a network of the CNN search space instead.")
    ] = False,
    seed: SeedOption = 0,
    output: FormatOption = Format.TABLE,
) -> None:
    """Analytic figures of a network: MACs, model size, peak memory. Nothing is run.

    Example: unas-hil estimate model.tflite
    """
    from unas.calibration.draw import random_model
    from unas.resources.estimate import estimate
    from unas.tflite.model_file import load_model

    if (model is None) == (not random):
        raise ModelError("name one model, or ask for --random: unas-hil estimate model.tflite")
    network = random_model(seed) if model is None else load_model(model)
    figures = estimate(network.graph)
    if output is Format.JSON:
        print_json(_as_json(network.flatbuffer, figures))
    else:
        _print(network.flatbuffer, figures)


def _as_json(flatbuffer: Flatbuffer, figures: ResourceEstimate) -> dict[str, Any]:
    return {
        "model": flatbuffer.name,
        "model_sha256": flatbuffer.sha256,
        "provenance": "predicted",
        "macs": figures.macs,
        "paper_macs": figures.paper_macs,
        "model_size_bytes": figures.model_size_bytes,
        "flatbuffer_bytes": flatbuffer.flatbuffer_bytes,
        "peak_memory_bytes": figures.peak_memory_bytes,
        "peak_memory_without_input_bytes": figures.peak_memory_without_input_bytes,
        "operators": [
            {
                "index": op.position,
                "name": str(op.kind),
                "output_shape": list(op.output_shape),
                "macs": op.macs,
                "model_size_bytes": op.model_size_bytes,
                "working_set_bytes": op.working_set_bytes,
            }
            for op in figures.operators
        ],
    }


def _print(flatbuffer: Flatbuffer, figures: ResourceEstimate) -> None:
    print_pairs(
        f"{flatbuffer.name} (predicted)",
        {
            "MACs": f"{figures.macs:,} (counted as in μNAS: {figures.paper_macs:,})",
            "model size": f"{figures.model_size_bytes:,} B at 1 B a parameter",
            "flatbuffer": f"{flatbuffer.flatbuffer_bytes:,} B",
            "peak memory": f"{figures.peak_memory_bytes:,} B with the input buffer, "
            f"{figures.peak_memory_without_input_bytes:,} B without",
        },
    )
    print_table(
        "Operators in the order of least peak memory",
        ["operator", "#", "output", "MACs", "parameters", "working set"],
        [
            [
                str(op.kind),
                str(op.position),
                "x".join(map(str, op.output_shape)),
                f"{op.macs:,}",
                f"{op.model_size_bytes:,}",
                f"{op.working_set_bytes:,} B",
            ]
            for op in figures.operators
        ],
    )
