# SPDX-License-Identifier: Apache-2.0
"""From measurements to what latency models learn from."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import replace

from unas.calibrate.kernels import KernelBenchmark
from unas.errors import StoreError
from unas.graph import Graph
from unas.latency.placing import ArenaLayout, calls_of
from unas.latency.sample import Sample
from unas.record import Measurement


def sample_of(measurement: Measurement, graph: Graph, layout: ArenaLayout) -> Sample:
    """A network that was measured.

    Args:
        measurement: Of that network.
        graph: As exported.
        layout: Of the arena that it ran in.

    Raises:
        StoreError: The device ran other operators than the graph has.
    """
    names = [operator.name for operator in measurement.operators]
    expected = [str(op.kind) for op in graph.operators]
    if names and names != expected:
        raise StoreError(
            f"{measurement.model_name}: the device timed {len(names)} operators "
            f"({', '.join(names[:4])}…), the network has {len(expected)} "
            f"({', '.join(expected[:4])}…); measure it again"
        )
    return Sample(
        name=measurement.model_name,
        calls=calls_of(graph, layout),
        cycles=measurement.median_cycles,
        operator_cycles=tuple(float(operator.cycles) for operator in measurement.operators),
    )


def kernel_sample_of(
    measurement: Measurement, benchmark: KernelBenchmark, layout: ArenaLayout
) -> Sample:
    """A single kernel that was measured."""
    alone = sample_of(measurement, benchmark.graph, layout)
    return replace(alone, calls=benchmark.calls(layout), is_network=False)


def merged(samples: Iterable[Sample]) -> tuple[Sample, ...]:
    """Single kernels with equal calls become one sample with their mean; networks stay.

    Samples keep their order; of equal ones the first gives the name.
    """
    groups: dict[object, list[Sample]] = {}
    for number, sample in enumerate(samples):
        key = number if sample.is_network else sample.calls
        groups.setdefault(key, []).append(sample)
    return tuple(_mean(group) for group in groups.values())


def _mean(group: Sequence[Sample]) -> Sample:
    if len(group) == 1:
        return group[0]
    told = [sample.operator_cycles[0] for sample in group if sample.operator_cycles]
    return replace(
        group[0],
        cycles=statistics.fmean(sample.cycles for sample in group),
        operator_cycles=(statistics.fmean(told),) if told else (),
    )
