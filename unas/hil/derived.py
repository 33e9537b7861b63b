# SPDX-License-Identifier: Apache-2.0
"""What follows from a device's raw measurement: counts per operator, and whether to believe it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from unas.artifact import Flatbuffer
from unas.errors import DeviceError, IdentityError
from unas.hil.flash import StageMark
from unas.hil.session import RawMeasurement
from unas.host.reference import reference_output, seeded_input
from unas.record import OperatorCycles, OutputCheck, Provenance

# Numbers of ``board_stage`` in board_api.h.
_STAGE_TIMED = 4
_STAGE_BETWEEN = 5
_STAGE_PROFILED = 6
# The host's clock and the device's may differ by this much before one of them is wrong.
_CLOCK_TOLERANCE, _CLOCK_TOLERANCE_S = 1.02, 0.05


def check_model(raw: RawMeasurement, model: Flatbuffer) -> None:
    """An image carries hundreds of models: what was timed must be what was asked for.

    Raises:
        IdentityError: Another model was timed.
    """
    timed = raw.summary.get("model", "")
    if timed != model.sha256:
        raise IdentityError(
            f"the device timed model {timed[:16] or 'without a name'}, asked for was "
            f"{model.sha256[:16]} ({model.name}); report it with the image"
        )


def check_counter(raw: RawMeasurement, clock_hz: int, provenance: Provenance) -> None:
    """The 32-bit cycle counter wraps: a run of more than one lap would look short.

    Args:
        raw: What the device returned.
        clock_hz: Core clock that the device reports.
        provenance: Only the time of silicon can be held against the host's.

    Raises:
        DeviceError: The counter wrapped, or the runs took longer than the host waited.
    """
    profiled = raw.number("profiled_cycles")
    if raw.marks and abs(profiled - statistics.median(raw.samples)) > 1 << 31:
        raise DeviceError(
            "one inference outlasts the 32-bit cycle counter, so its samples are not trustworthy; "
            "measure a smaller network"
        )
    device_s = sum(raw.samples) / clock_hz
    # The host's time spans all runs and more: on silicon it is never the shorter one.
    longest_s = raw.seconds * _CLOCK_TOLERANCE + _CLOCK_TOLERANCE_S
    if provenance is Provenance.MEASURED and device_s > longest_s:
        raise DeviceError(
            f"the device reports {device_s:.3f} s of timed runs, the host waited {raw.seconds:.3f} "
            "s; its clock is not what it reports: check the clock source"
        )


def timed_instructions(stages: Sequence[StageMark]) -> int | None:
    """Executed instructions of the last timed run, from its two marks on the trace port.

    Returns:
        None where the unit has no trace port.
    """
    for start, end in zip(reversed(stages[:-1]), reversed(stages[1:]), strict=True):
        if start.stage == _STAGE_TIMED and end.stage == _STAGE_BETWEEN:
            return end.instructions - start.instructions
    return None


def operator_cycles(raw: RawMeasurement, stages: Sequence[StageMark]) -> tuple[OperatorCycles, ...]:
    """Each operator's share of the profiled run, with instructions where there is a trace port.

    The firmware enters the stage once at the run's start and once more at each of its marks.
    """
    profiled = [mark.instructions for mark in stages if mark.stage == _STAGE_PROFILED]
    counts = profiled[-len(raw.marks) :] if len(profiled) > len(raw.marks) else None
    return tuple(
        OperatorCycles(
            index=i,
            name=name,
            cycles=raw.marks[i + 1] - raw.marks[i],
            instructions=None if counts is None else counts[i + 1] - counts[i],
        )
        for i, name in enumerate(raw.operators)
        if i + 1 < len(raw.marks)
    )


def check_output(
    model: Flatbuffer, raw: RawMeasurement, seed: int, max_bytes: int | None
) -> OutputCheck:
    """Compare the output with that of TensorFlow Lite Micro on the host, byte by byte.

    Args:
        model: What was run.
        raw: What the device returned.
        seed: Of the input.
        max_bytes: How many bytes of the output were read; None: all.
    """
    reference = reference_output(model.data, seeded_input(raw.number("input_bytes"), seed))
    expected, output = reference.output[:max_bytes], raw.output
    if len(expected) != len(output):
        return OutputCheck(reference.source, len(output), max(len(expected), len(output)))
    mismatches = sum(a != b for a, b in zip(expected, output, strict=True))
    return OutputCheck(reference.source, len(output), mismatches)
