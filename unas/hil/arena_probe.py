# SPDX-License-Identifier: Apache-2.0
"""The smallest tensor arena a model runs in, found on the device.

The host helps: where it finds a smaller plan than the device's greedy ones, it sends the order of
placement.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from unas.arena.search import DEVICE_NODE_LIMIT, Heights, Span, heights_of, search_plan
from unas.errors import DeviceError, DeviceFaultError, LinkError, ModelError, ToolError
from unas.hil.device_info import DeviceInfo
from unas.hil.session import ArenaTrial, RawMeasurement, Session
from unas.hil.wire import ErrorCode
from unas.host.library import HOST_KERNELS
from unas.host.runtime import HostBuffer, list_buffers
from unas.record import ArenaUse

STEP_BYTES = 16  # RUNTIME_ARENA_STEP of runtime_api.h
_TOO_SMALL = ErrorCode.ARENA_TOO_SMALL - ErrorCode.RUNTIME
# A trial is one inference, a measurement at least four: what takes longer than this hangs.
_HANG_FACTOR = 3.0
_HANG_FLOOR_S = 5.0


@dataclass(frozen=True, slots=True)
class MeasuredModel:
    """The model that the device measured last.

    Attributes:
        index: In the image.
        seed: Seed of the input.
        order: Of placing the buffers, as it was handed over with the measurement.
        raw: The result.
    """

    index: int
    seed: int
    order: Sequence[int]
    raw: RawMeasurement


def smallest_that_fits(fits: Callable[[int], bool], guess: int, capacity: int) -> int:
    """The smallest multiple of the step that fits, given that what is larger fits too.

    Args:
        fits: Tries one size; may be slow.
        guess: Where to start: the closer, the fewer tries. They grow with the logarithm of the
            distance.
        capacity: Nothing larger is tried.

    Raises:
        DeviceError: Not even the capacity fits.
    """
    max_steps = capacity // STEP_BYTES
    at = min(max(-(-guess // STEP_BYTES), 1), max_steps)
    stride, low, high = 1, 0, max_steps + 1  # low does not fit, high does (or is beyond)
    if fits(at * STEP_BYTES):
        high = at
        while low < high - stride and fits((high - stride) * STEP_BYTES):
            high, stride = high - stride, 2 * stride
        low = max(low, high - stride)
    else:
        low = at
        while low + stride <= max_steps and not fits((low + stride) * STEP_BYTES):
            low, stride = low + stride, 2 * stride
        high = min(low + stride, max_steps + 1)
    while high - low > 1:
        middle = (low + high) // 2
        if fits(middle * STEP_BYTES):
            high = middle
        else:
            low = middle
    if high > max_steps:
        raise DeviceError(
            f"the model ran in the whole arena of {capacity} bytes, but not again when it was "
            "asked for its smallest one; report it with the model"
        )
    return high * STEP_BYTES


def verified_arena(
    connect: Callable[[bool], Session], measured: MeasuredModel, info: DeviceInfo
) -> ArenaUse:
    """Find the smallest arena of a model on the device.

    A runtime that claims an exact size is held to it: that many bytes must do, one step less must
    be refused. For any other runtime the smallest size is searched; there a trial may end in a
    fault or without an answer, and the device is restarted.

    Args:
        connect: Gives the session with the device; with True, after restarting it.
        measured: The model.
        info: The device's INFO.

    Raises:
        DeviceError: The runtime's claim does not hold.
        LinkError: The device does not answer.
    """
    raw = measured.raw
    claim = claimed_arena(raw, info)
    if raw.number("arena_exact"):
        _check_claim(connect(False), measured, claim.claimed_bytes)
        return replace(claim, verified=True)
    prober = _Prober(connect, measured)
    used = smallest_that_fits(prober, claim.claimed_bytes, claim.capacity_bytes)
    return replace(claim, used_bytes=used, verified=True)


def claimed_arena(raw: RawMeasurement, info: DeviceInfo) -> ArenaUse:
    """The arena as the runtime reports it; nothing is tried.

    Args:
        raw: A measurement.
        info: The device's INFO.
    """
    claimed = raw.number("arena_used_bytes")
    return ArenaUse(
        used_bytes=claimed,
        tensor_bytes=raw.number("arena_tensor_bytes"),
        scratch_bytes=raw.number("arena_scratch_bytes"),
        persistent_bytes=raw.number("arena_persistent_bytes"),
        capacity_bytes=info.number("arena_capacity_bytes"),
        bound_bytes=raw.number("arena_bound_bytes"),
        plan=raw.summary.get("arena_plan", ""),
        claimed_bytes=claimed,
    )


def _try(
    session: Session, measured: MeasuredModel, arena_bytes: int, deadline_s: float | None = None
) -> ArenaTrial:
    return session.try_arena(
        measured.index,
        seed=measured.seed,
        arena_bytes=arena_bytes,
        order=measured.order,
        deadline_s=deadline_s,
    )


def _is_good(trial: ArenaTrial, output: bytes) -> bool:
    same = (trial.output_bytes, trial.output_crc32) == (len(output), zlib.crc32(output))
    return trial.status == 0 and trial.intact and same


def _check_claim(session: Session, measured: MeasuredModel, claimed: int) -> None:
    enough = _try(session, measured, claimed)
    if not _is_good(enough, measured.raw.output):
        raise DeviceError(
            f"the runtime says it needs an arena of {claimed} bytes, but there it "
            + _what_went_wrong(enough)
        )
    less = _try(session, measured, max(claimed - STEP_BYTES, 0))
    if less.status != _TOO_SMALL or not less.intact:
        raise DeviceError(
            f"the runtime says it needs an arena of {claimed} bytes, but {STEP_BYTES} bytes less "
            + ("is not refused" if less.status == 0 else _what_went_wrong(less))
        )


def _what_went_wrong(trial: ArenaTrial) -> str:
    if not trial.intact:
        return "writes beyond it"
    if trial.status != 0:
        return f"fails with status {trial.status}"
    return "gives another output"


class _Prober:
    """Tries sizes with a runtime that may do anything in an arena that is too small."""

    def __init__(self, connect: Callable[[bool], Session], measured: MeasuredModel) -> None:
        self._connect, self._measured = connect, measured
        self._deadline_s = max(_HANG_FLOOR_S, _HANG_FACTOR * measured.raw.seconds)
        self._restart = False

    def __call__(self, arena_bytes: int) -> bool:
        # A device that is silent once may have a bad line; one that is silent again hangs.
        for _ in range(2):
            session = self._connect(self._restart)
            self._restart = False
            try:
                trial = _try(session, self._measured, arena_bytes, self._deadline_s)
            except DeviceFaultError:
                return False
            except LinkError:
                self._restart = True
            else:
                return _is_good(trial, self._measured.raw.output)
        return False


# Enough to open what fits any board; the plan does not depend on it.
_ARENA_BYTES = 8 * 1024 * 1024
# What the wire carries and the device keeps.
_MAX_ORDER = 256


def offline_order(model: bytes, kernels: str) -> tuple[int, ...]:
    """An order that gives a smaller arena than the device's own greedy plans.

    Args:
        model: An int8 .tflite file.
        kernels: The kernels that the device reports: their working memory is planned too.

    Returns:
        Numbers of buffers; empty where no plan is smaller, the host has no such kernels, or there
        is no C compiler.
    """
    if kernels not in HOST_KERNELS:
        return ()
    try:
        buffers = list_buffers(model, arena_bytes=_ARENA_BYTES, kernels=kernels)
    except (ModelError, ToolError):
        return ()  # the device reports what is wrong with the model, or makes its own plan
    greedy_bytes = max((one.at + one.bytes for one in buffers if one.owner == one.index), default=0)
    plan = search_plan(
        buffer_groups(buffers), known_bytes=greedy_bytes, node_limit=DEVICE_NODE_LIMIT
    )
    return () if plan is None or len(plan.order) > _MAX_ORDER else plan.order


def buffer_groups(buffers: Iterable[HostBuffer]) -> dict[int, Heights]:
    """Heights of the buffers that share bytes, by the number of their owner."""
    spans: dict[int, list[Span]] = {}
    for one in buffers:
        if one.bytes > 0:
            spans.setdefault(one.owner, []).append((one.first, one.last, one.bytes))
    return {owner: heights_of(shared) for owner, shared in spans.items()}
