# SPDX-License-Identifier: Apache-2.0
"""What the input of a network means: the steps from a raw sample to int8 values, as formulas.

Without them an exported network cannot be used: the file knows how reals became int8, but not how
raw samples became reals.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unas.errors import StoreError
from unas.tflite.io_quantization import IoQuantization

_AXES = ("row", "column", "channel")


def input_steps(data: Mapping[str, Any], io: IoQuantization) -> tuple[str, ...]:
    """One line a step, from the raw sample to the input tensor.

    Args:
        data: Table ``data`` of a study's ``environment.json``.
        io: How the input tensor stands for reals.

    Returns:
        Nothing where the study did not record it: files of earlier versions.

    Raises:
        StoreError: What it recorded cannot be read.
    """
    if not data.get("normalisation"):
        return ()
    try:
        offset, scale = (
            np.atleast_1d(np.asarray(data["normalisation"][key], np.float64))
            for key in ("offset", "scale")
        )
        raw, value = _raw_steps(data)
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(
            f"environment.json: the table 'data' cannot be read: {error!r}; restore the file"
        ) from error
    return (
        *raw,
        f"x = {_formula(value, offset, scale)}: the real input, what the network was trained on",
        f"q = round(x / {io.input_scale!r}) + ({io.input_zero}), kept within -128 to 127: "
        "the int8 input",
        *_lists(offset=offset, scale=scale),
    )


def _raw_steps(data: Mapping[str, Any]) -> tuple[list[str], str]:
    """Lines on what comes in, and the letter that the normalisation sees."""
    low, high = data["stored"]["range"]
    raw = (
        f"r: a value of a raw sample, {data['stored']['type']}, {low:g} to {high:g} in the first "
        "training samples"
    )
    if not data.get("features"):
        return [raw], "r"
    return [raw, f"m: {one_line(data['features']['words'])}"], "m"


def _formula(value: str, offset: NDArray[np.float64], scale: NDArray[np.float64]) -> str:
    moved = f"({value} - {_named('offset', offset)})" if offset.any() else value
    return f"{moved} * {_named('scale', scale)}"


def _named(name: str, values: NDArray[np.float64]) -> str:
    return f"{values.item():.9g}" if values.size == 1 else f"{name}[i]"


def _lists(**arrays: NDArray[np.float64]) -> list[str]:
    """The values of arrays that are more than a number."""
    lines = []
    for name, values in arrays.items():
        if values.size == 1 or not values.any():
            continue
        axes = [axis for axis, n in zip(_AXES[-values.ndim :], values.shape, strict=True) if n > 1]
        numbers = ", ".join(f"{value:.9g}" for value in values.ravel())
        lines.append(f"{name}[i], i being the {' and '.join(axes)}: {numbers}")
    return lines


def one_line(text: object) -> str:
    """Text for a comment in C: blanks for line breaks, and nothing that ends the comment."""
    return " ".join(str(text).replace("*/", "* /").split())
