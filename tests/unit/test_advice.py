# SPDX-License-Identifier: Apache-2.0
"""Advice about shapes, from boards whose cycles are a known function of the kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from tests.unit.synthetic_calibration import LAYOUT, cycles_of, network
from unas.cost.advice import Advice, advise, costs
from unas.cost.mac_line import Vector
from unas.cost.operators import ArenaLayout, Call, Kernel, kernels
from unas.graph import Activation, ConvOptions, DenseOptions, Graph, OperatorKind, Padding
from unas.graph.builder import GraphBuilder
from unas.record import Prediction

SAME = ConvOptions(Padding.SAME, activation=Activation.RELU)


@dataclass(frozen=True)
class KnownBoard:
    """A latency model that is never wrong."""

    cost: Callable[[Kernel], float]
    layout: ArenaLayout = LAYOUT

    def operators(self, calls: Sequence[Call]) -> Vector:
        return np.array([self.cost(call.kernel) for call in calls])

    def cycles(self, calls: Sequence[Call]) -> Prediction:
        total = float(self.operators(calls).sum())
        return Prediction(total, total, total)


BLOCKS_OF_FOUR = KnownBoard(cycles_of)


def chain(*filters: int) -> Graph:
    """Convolutions in a row, and a dense layer."""
    build = GraphBuilder()
    x = build.input("input", (1, 12, 12, 3))
    for index, count in enumerate(filters):
        x = build.conv(f"conv{index}", x, filters=count, kernel=3, options=SAME)
    x = build.mean("mean", x)
    return build.finish(build.dense("dense", x, units=10, options=DenseOptions()))


def test_channels_that_just_miss_a_block_are_found() -> None:
    graph = chain(16, 13, 16)
    found = {(one.index, one.change): one for one in advise(graph, BLOCKS_OF_FOUR)}
    one = found[1, "output channels 13 -> 12"]
    kernel = kernels(graph)[1]
    assert one.kernel == kernel
    assert one.instead.output == (12, 12, 12)
    saved = cycles_of(kernel) - cycles_of(one.instead)
    whole = sum(map(cycles_of, kernels(graph)))
    assert one.saved_cycles == pytest.approx(saved)
    assert one.saved_percent == pytest.approx(100 * saved / whole)
    assert one.macs_percent == pytest.approx(100 * (12 / 13 - 1))
    at_equal_work = cycles_of(kernel) * 12 / 13 - cycles_of(one.instead)
    assert one.gain_percent == pytest.approx(100 * at_equal_work / whole)
    assert one.neighbours == (2,)


def test_a_board_that_pays_by_the_product_needs_no_advice() -> None:
    by_macs = KnownBoard(lambda kernel: 3.0 * max(kernel.macs, 1))
    assert advise(chain(16, 13, 7), by_macs) == ()
    assert [one.cycles_per_mac for one in costs(chain(5), by_macs)] == [3.0, None, 3.0]


def test_what_the_network_reads_and_answers_stays() -> None:
    """Even where a board pays a fortune for just these channels."""
    greedy = KnownBoard(lambda k: 1e6 * (k.input[2] == 3) + 1e6 * (k.output[2] == 10) + k.macs)
    for one in advise(chain(16, 16), greedy, max_count=100):
        assert (one.instead.input[2] == 3) == (one.kernel.input[2] == 3)
        assert (one.instead.output[2] == 10) == (one.kernel.output[2] == 10)


def test_both_branches_of_a_sum_are_neighbours() -> None:
    build = GraphBuilder()
    x = build.input("input", (1, 12, 12, 3))
    left = build.conv("left", x, filters=13, kernel=3, options=SAME)
    right = build.conv("right", x, filters=13, kernel=1, options=SAME)
    both = build.add("both", left, right)
    last = build.conv("last", both, filters=8, kernel=3, options=SAME)
    out = build.dense("dense", build.mean("mean", last), units=10, options=DenseOptions())
    found = advise(build.finish(out), BLOCKS_OF_FOUR, max_count=100)
    (one,) = (one for one in found if one.index == 0 and one.change.startswith("output"))
    assert one.neighbours == (1, 2, 3)


@pytest.mark.parametrize("seed", range(20))
def test_every_advice_holds_on_the_board(seed: int) -> None:
    graph = network(np.random.default_rng(seed))
    found = advise(graph, BLOCKS_OF_FOUR, min_percent=0.2, max_count=6)
    assert len(found) <= 6
    assert [one.gain_percent for one in found] == sorted(
        (one.gain_percent for one in found), reverse=True
    )
    for one in found:
        assert one.kernel == kernels(graph)[one.index]
        assert cycles_of(one.kernel) - cycles_of(one.instead) == pytest.approx(one.saved_cycles)
        assert min(one.saved_percent, one.gain_percent) >= 0.2
        assert _is_near(one)
        assert one.index not in one.neighbours


def _is_near(one: Advice) -> bool:
    old, new = one.kernel, one.instead
    channels = max(abs(old.input[2] - new.input[2]), abs(old.output[2] - new.output[2]))
    window = max(abs(a - b) for a, b in zip(old.filter, new.filter, strict=True))
    moved = (channels > 0) + (window > 0)
    carried = old.kind is not OperatorKind.DEPTHWISE_CONV_2D or new.input[2] == new.output[2]
    return moved == 1 and channels <= 4 and window <= 2 and carried and new.stride == old.stride


def test_without_padding_the_output_follows_the_window() -> None:
    build = GraphBuilder()
    x = build.input("input", (1, 12, 12, 3))
    x = build.conv("conv", x, filters=8, kernel=5, options=ConvOptions())
    graph = build.finish(build.dense("dense", build.mean("m", x), units=4, options=DenseOptions()))
    dislikes_five = KnownBoard(lambda kernel: kernel.macs * (9.0 if 5 in kernel.filter else 1.0))
    (one,) = advise(graph, dislikes_five)
    assert one.instead.output[0] == 12 - one.instead.filter[0] + 1
    assert one.neighbours == (1,)
