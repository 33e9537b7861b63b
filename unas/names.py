# SPDX-License-Identifier: Apache-2.0
"""Names that are stored in results and spelled on the command line, each as one type."""

from __future__ import annotations

import difflib
from enum import StrEnum
from typing import TypeVar

from unas.errors import ConfigError

_Name = TypeVar("_Name", bound=StrEnum)


class RuntimeName(StrEnum):
    """What runs a model on a board."""

    BUILTIN = "builtin"
    BUILTIN_PLAIN = "builtin-plain"  # its kernels without DSP instructions
    TFLM = "tflm"  # TensorFlow Lite Micro


class KernelSet(StrEnum):
    """The kernels that a device reports, hence whose working memory and sharing rules hold."""

    DSP = "dsp"  # of the built-in runtime, with the DSP extension of Armv7E-M
    PLAIN = "plain"  # of the built-in runtime, for any core
    CMSIS_NN = "cmsis-nn"  # of TensorFlow Lite Micro, with CMSIS-NN
    REFERENCE = "reference"  # of TensorFlow Lite Micro, portable


class Timing(StrEnum):
    """What the cycles of a measurement are."""

    SILICON = "silicon"  # counted by the core of a unit
    INSTRUCTIONS = "instructions"  # one for each instruction
    PIPELINE = "pipeline"  # of the core in front of a memory without wait states
    PIPELINE_MEMORY = "pipeline+memory"  # of the core, its caches, buses and flash


VIRTUAL_TIMINGS = (Timing.INSTRUCTIONS, Timing.PIPELINE, Timing.PIPELINE_MEMORY)
"""The timing modes of a virtual board, from the simplest to the best."""


class Emulator(StrEnum):
    """What runs the firmware of a virtual board."""

    UNICORN = "unicorn"
    QEMU = "qemu"


class LatencyModelName(StrEnum):
    """A fitted latency model, from the best to the simplest."""

    BOOSTED = "boosted"
    OPERATOR_LINEAR = "operator-linear"
    MAC_LINE = "mac-line"


def find_name(names: type[_Name], text: str, what: str) -> _Name:
    """The name that a text spells.

    Args:
        names: Known ones.
        text: As in a file or on the command line.
        what: Kind of name, for the message: "emulator".

    Raises:
        ConfigError: It is not known; the message has those that are.
    """
    try:
        return names(text)
    except ValueError:
        near = difflib.get_close_matches(text, list(names), n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise ConfigError(f"no {what} {text!r}; {hint}known: {', '.join(names)}") from None
