# SPDX-License-Identifier: Apache-2.0
"""Which board a study is for, and where its latency comes from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from unas.config.checks import require


class LatencyMode(StrEnum):
    """Where the latency term comes from."""

    MACS = "macs"  # no time at all: the bound on MACs stands for it, as in the paper
    PREDICTED = "predicted"  # the calibrated model; the board is asked where that is not enough
    MEASURED = "measured"  # every candidate runs on the board, real or virtual


@dataclass(frozen=True, slots=True)
class LatencyConfig:
    """[latency].

    Attributes:
        mode: ``"macs"`` (default), ``"predicted"`` or ``"measured"``.
        calibration: Folder of the calibration for ``"predicted"``; default: the committed one of
            the board.
        ask: Whether in mode ``"predicted"`` the board is asked where the interval straddles the
            limit or the candidate would enter the front; default true.
    """

    mode: LatencyMode = LatencyMode.MACS
    calibration: str | None = None
    ask: bool = True


@dataclass(frozen=True, slots=True)
class BoardConfig:
    """[board].

    Attributes:
        id: Kind of board: an id of ``unas-hil boards`` or a ``.toml`` file; default ``"f746"``.
        runtime: ``"builtin"`` (default), ``"builtin-plain"`` or ``"tflm"``.
        tflm: TensorFlow Lite Micro for that runtime: a tree, a PlatformIO library or
            ``OWNER/NAME@VERSION``; default: ``$UNAS_TFLM``. Not in the digest.
        virtual: Whether the virtual board is taken even if a unit is plugged in; default false.
        emulator: What plays it: ``"unicorn"`` (default) or ``"qemu"``.
        timing: What its cycles are; default: the best it has.
        runs: Timed inferences a candidate; default 3.
        warmup: Inferences before them, after the cold one; default 1.
    """

    id: str = "f746"
    runtime: str = "builtin"
    tflm: str | None = None
    virtual: bool = False
    emulator: str = "unicorn"
    timing: str | None = None
    runs: int = 3
    warmup: int = 1

    def __post_init__(self) -> None:
        require(1 <= self.runs <= 256, f"'runs' is {self.runs}; it must be within 1..256")
        require(0 <= self.warmup <= 1000, f"'warmup' is {self.warmup}; it must be within 0..1000")
