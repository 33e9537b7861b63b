# SPDX-License-Identifier: Apache-2.0
"""The order in which a device is to place its buffers, where the host finds a smaller plan."""

from __future__ import annotations

from collections.abc import Iterable

from unas.arena.search import DEVICE_NODE_LIMIT, Heights, Span, heights_of, search_plan
from unas.errors import ModelError, ToolError
from unas.host.library import HOST_KERNELS
from unas.host.runtime import HostBuffer, list_buffers

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
