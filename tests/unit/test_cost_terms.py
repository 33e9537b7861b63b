# SPDX-License-Identifier: Apache-2.0
"""Cost terms against loops that are walked step by step, as the kernels walk them.

The loops here count each step they take; the terms are closed formulas for the same counts. What
caches do is not walked: those terms are tested by how they must change.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from unas.cost.operators import ALL_FAST, Call, Kernel, Placement
from unas.cost.terms import cost_terms, family, term_names
from unas.cost.types import KernelProfile
from unas.graph import Activation, OperatorKind, Padding
from unas.graph.window import WindowAxis

CONV, DEPTHWISE, DENSE = (
    OperatorKind.CONV_2D,
    OperatorKind.DEPTHWISE_CONV_2D,
    OperatorKind.FULLY_CONNECTED,
)
POOL, ADD, RELU = OperatorKind.MAX_POOL_2D, OperatorKind.ADD, OperatorKind.RELU
BUILT_IN, GENERIC = KernelProfile("dsp"), KernelProfile("cmsis-nn")  # without a cache


def named_terms(call: Call, profile: KernelProfile) -> dict[str, float]:
    return dict(zip(term_names(family(call), profile), cost_terms(call, profile), strict=True))


def random_kernel(rng: np.random.Generator, kind: OperatorKind) -> Kernel:
    """Small, so that its loops can be walked; every window clips the input somewhere or nowhere."""
    size, channels, outputs = int(rng.integers(3, 8)), *(int(n) for n in rng.integers(1, 11, 2))
    activation = Activation.RELU if rng.integers(2) else Activation.NONE
    if kind is DENSE:
        shape = (1, 1, 3 * channels)
        return Kernel(kind, shape, (1, 1, outputs), activation=activation)
    if kind in (ADD, RELU):
        shape = (size, size, channels)
        return Kernel(kind, shape, shape, activation=activation)
    taps, stride = int(rng.integers(1, 4)), int(rng.integers(1, 3))
    padding = Padding.SAME if rng.integers(2) else Padding.VALID
    axis = WindowAxis.of(size, taps, stride, 1, padding)
    return Kernel(
        kind,
        (size, size, channels),
        (axis.output, axis.output, outputs if kind is CONV else channels),
        (taps, taps),
        (stride, stride),
        pad=(axis.pad_before, axis.pad_before),
        activation=activation,
    )


def chunks(count: int, size: int) -> list[int]:
    """Lengths of the steps in which a loop walks a range."""
    return [min(size, count - start) for start in range(0, count, size)]


def positions(kernel: Kernel) -> list[tuple[int, int]]:
    """For each output pixel the taps of its window, and how many of them lie on the input."""
    (height, width, _), (top, left) = kernel.input, kernel.pad
    result = []
    for y in range(-top, kernel.output[0] * kernel.stride[0] - top, kernel.stride[0]):
        for x in range(-left, kernel.output[1] * kernel.stride[1] - left, kernel.stride[1]):
            taps = [
                0 <= y + row < height and 0 <= x + column < width
                for row in range(kernel.filter[0])
                for column in range(kernel.filter[1])
            ]
            result.append((len(taps), sum(taps)))
    return result


def walk_conv(call: Call, steps: Counter[str]) -> None:
    """The built-in convolution: patches of up to six pixels are widened, then read by channel."""
    kernel = call.kernel
    taps = kernel.filter[0] * kernel.filter[1] * kernel.input[2]
    groups, is_point = chunks(taps, 4), kernel.filter == (1, 1)
    staged = not is_point and kernel.input[2] % 4 != 0
    assert call.placement.scratch_bytes is not None
    scratch = call.placement.scratch_bytes - (4 * len(groups) if staged else 0)
    pixels = kernel.output[0] * kernel.output[1]
    at_once = min(6, max(scratch // (8 * len(groups)), 1))
    blocks = chunks(pixels, at_once)
    alone = pixels / len(blocks) < 2
    for seen, inside in positions(kernel):
        steps["pixel of 1x1" if is_point else "pixel"] += 1
        steps["clipped pixel"] += inside < seen
        for _ in range(kernel.filter[0]):
            steps["staged row"] += staged
            steps["row of a patch"] += not staged and not is_point
        for _ in groups:
            steps["4 taps gathered"] += 1
    for block in blocks:
        steps["block"] += 1
        for _ in range(kernel.output[2]):
            steps["pass"] += not alone
            for _ in groups:
                steps["4 taps of a pass"] += not alone
                for _ in range(block):
                    steps["4 taps of an output"] += not alone
    if alone:
        walk_pixels_alone(pixels, kernel.output[2], len(groups), steps)


def walk_pixels_alone(pixels: int, channels: int, groups: int, steps: Counter[str]) -> None:
    """Where memory holds a single patch, four channels share the inputs of one pixel."""
    for _ in range(pixels):
        for block in chunks(channels, 4):
            steps["4 channels alone"] += block == 4
            steps["channel alone"] += block if block < 4 else 0
            for _ in range(groups):
                steps["16 products alone"] += block == 4
                steps["4 taps of a channel alone"] += block if block < 4 else 0


def walk_depthwise(call: Call, steps: Counter[str]) -> None:
    """Four channels at a time through the whole picture."""
    kernel = call.kernel
    for channels in chunks(kernel.output[2], 4):
        of = "a block" if channels == 4 else "the remainder"
        steps["block"] += 1
        steps[f"input of {of}"] += kernel.input[0] * kernel.input[1]
        for _ in range(kernel.output[0]):
            steps["row of a block"] += 1
            for _ in range(kernel.output[1]):
                steps["pixel of a block"] += 1
                steps["row of taps" + ", remainder" * (channels < 4)] += kernel.filter[0]
                steps[f"tap of {of}"] += kernel.filter[0] * kernel.filter[1]


def walk_dense(call: Call, steps: Counter[str]) -> None:
    """Four units share a pass over the features."""
    kernel = call.kernel
    groups = chunks(kernel.input[2], 4)
    steps["4 features"] += len(groups)
    for units in chunks(kernel.output[2], 4):
        steps["4 units" if units == 4 else "unit"] += 1 if units == 4 else units
        for _ in groups:
            steps["16 products" if units == 4 else "4 products"] += 1 if units == 4 else units


def walk_pool(call: Call, steps: Counter[str]) -> None:
    """Four channels at a time, pixel by pixel."""
    kernel = call.kernel
    for _ in range(kernel.output[0] * kernel.output[1]):
        steps["pixel"] += 1
        for _ in chunks(kernel.output[2], 4):
            steps["block"] += 1
            for _ in range(kernel.filter[0]):
                steps["row of a block"] += 1
                steps["tap of a block"] += kernel.filter[1]


def walk_elements(call: Call, steps: Counter[str]) -> None:
    """One step an output element."""
    rows, columns, channels = call.kernel.output
    steps["output"] += sum(1 for _ in range(rows) for _ in range(columns) for _ in range(channels))


def walk_generic_conv(call: Call, steps: Counter[str]) -> None:
    """Patches position by position; then products of two pixels and two channels."""
    kernel = call.kernel
    loop = "1x1" if kernel.filter == kernel.stride == (1, 1) else "patches"
    depth = kernel.input[2]
    for seen, inside in positions(kernel):
        steps[f"{loop}: pixel"] += 1
        steps[f"{loop}: position"] += inside
        steps[f"{loop}: position outside"] += seen - inside
        for _ in range(inside):
            steps[f"{loop}: 4 inputs"] += chunks(depth, 4).count(4)
            steps[f"{loop}: input left"] += depth % 4
            steps[f"{loop}: product"] += depth * kernel.output[2]
    for pixels in chunks(kernel.output[0] * kernel.output[1], 2):
        for channels in chunks(kernel.output[2], 2):
            names = {(2, 2): "2x2", (2, 1): "2 pixels", (1, 2): "2 channels", (1, 1): "1x1"}
            name = f"{loop}: {names[pixels, channels]}"
            steps[name] += 1
            for taps in chunks(kernel.filter[0] * kernel.filter[1] * depth, 4):
                steps[f"{name}, 4 taps" if taps == 4 else f"{name}, tap left"] += (
                    1 if taps == 4 else taps
                )


def walk_generic_depthwise(call: Call, steps: Counter[str]) -> None:
    """Position by position, four channels at a time."""
    kernel = call.kernel
    loop = "3x3" if kernel.filter == (3, 3) else "others"
    for seen, inside in positions(kernel):
        steps[f"{loop}: pixel"] += 1
        steps[f"{loop}: position outside"] += seen - inside
        for _ in range(inside):
            steps[f"{loop}: position"] += 1
            steps[f"{loop}: 4 products"] += chunks(kernel.output[2], 4).count(4)
            steps[f"{loop}: product left"] += kernel.output[2] % 4


Walk = Callable[[Call, "Counter[str]"], None]
_WALKS: list[tuple[OperatorKind, KernelProfile, Walk]] = [
    (CONV, BUILT_IN, walk_conv),
    (DEPTHWISE, BUILT_IN, walk_depthwise),
    (DENSE, BUILT_IN, walk_dense),
    (POOL, BUILT_IN, walk_pool),
    (ADD, BUILT_IN, walk_elements),
    (RELU, BUILT_IN, walk_elements),
    (CONV, GENERIC, walk_generic_conv),
    (DEPTHWISE, GENERIC, walk_generic_depthwise),
    (ADD, GENERIC, walk_elements),
]


@pytest.mark.parametrize(("kind", "profile", "walk"), _WALKS)
def test_terms_count_the_steps_of_the_loops(
    kind: OperatorKind, profile: KernelProfile, walk: Walk
) -> None:
    rng, families, counted = np.random.default_rng(0), Counter[str](), set[str]()
    for _ in range(300):
        kernel = random_kernel(rng, kind)
        scratch = int(rng.integers(8, 4096)) if kind is CONV else None
        call = Call(kernel, Placement(scratch_bytes=scratch))
        families[family(call)] += 1
        if family(call) not in (kind.value, f"{kind.value} plain"):
            continue  # few channels or one pixel: loops of their own
        steps = Counter[str]({"clamped output": 0})
        if kernel.activation is not Activation.NONE and kind is not RELU:
            steps["clamped output"] = kernel.output[0] * kernel.output[1] * kernel.output[2]
        walk(call, steps)
        terms = named_terms(call, profile)
        for name, count in steps.items():
            stored = name if name in terms else _loop_of(name, terms, call)
            if stored is not None:
                assert terms[stored] == count, (name, kernel)
                counted |= {stored} if count else set()
        assert terms.get("call", 1) == 1
    assert families[kind.value] > 50
    assert counted >= set(_EXPECTED.get((kind, profile.kernels), ("output",)))


def _loop_of(name: str, terms: dict[str, float], call: Call) -> str | None:
    """Generic kernels' terms have the name of a loop before theirs; RELU has no clamped output."""
    assert name == "clamped output", f"no term counts {name!r}"
    loops = [term for term in terms if term.endswith(": clamped output")]
    point = call.kernel.filter == call.kernel.stride == (1, 1)
    special = point if call.kernel.kind is CONV else call.kernel.filter == (3, 3)
    return loops[0 if special else 1] if loops else None


# Steps that must have been compared with a count above zero, or the test would compare nothing.
_EXPECTED = {
    (CONV, "dsp"): (
        *(
            "pixel",
            "pixel of 1x1",
            "clipped pixel",
            "staged row",
            "row of a patch",
            "block",
            "pass",
        ),
        *("4 taps of a pass", "4 taps of an output", "16 products alone", "clamped output"),
        "4 taps of a channel alone",
    ),
    (DEPTHWISE, "dsp"): (
        "tap of a block",
        "tap of the remainder",
        "row of taps",
        "pixel of a block",
    ),
    (DENSE, "dsp"): ("4 features", "16 products", "4 products", "clamped output"),
    (POOL, "dsp"): ("tap of a block", "row of a block"),
    (CONV, "cmsis-nn"): (
        *("1x1: product", "patches: product", "patches: position outside"),
        *("patches: 2x2, 4 taps", "patches: 1x1, tap left", "1x1: 2 channels"),
    ),
    (DEPTHWISE, "cmsis-nn"): ("3x3: 4 products", "others: product left", "3x3: position outside"),
}


def _big_conv(placement: Placement) -> Call:
    return Call(Kernel(CONV, (16, 16, 32), (16, 16, 64), (3, 3), pad=(1, 1)), placement)


def test_only_what_lies_in_slow_memory_misses_the_cache() -> None:
    profile = KernelProfile("dsp", cache_bytes=64 * 1024)
    lines = [name for name in term_names("CONV_2D", profile) if "line" in name]
    fast = named_terms(_big_conv(Placement(scratch_bytes=4096)), profile)
    assert all(fast[name] == 0 for name in lines)
    for slow, name in (
        (Placement(scratch_bytes=4096, slow_input=1.0), "new line of a window"),
        (Placement(scratch_bytes=4096, fast_scratch=0), "patch's line"),
    ):
        half = replace(slow, slow_input=slow.slow_input / 2)
        terms = named_terms(_big_conv(slow), profile)
        assert terms[name] > 0
        assert named_terms(_big_conv(half), profile)[name] <= terms[name]
        assert {k: v for k, v in terms.items() if k not in lines} == {
            k: v for k, v in fast.items() if k not in lines
        }


def test_weights_are_read_from_memory_in_every_pass_once_they_exceed_the_cache() -> None:
    call = Call(Kernel(CONV, (16, 16, 32), (16, 16, 64), (3, 3), pad=(1, 1)), ALL_FAST)
    lines = []
    for cache_bytes in (1 << 20, 18 * 1024, 1024):
        profile = KernelProfile("dsp", cache_bytes=cache_bytes, line_bytes=32)
        lines.append(named_terms(call, profile)["weights' line"])
    blocks = -(-16 * 16 // 6)
    assert lines[0] == 0 < lines[1] < lines[2] == pytest.approx(blocks * 64 * 3 * 3 * 32 / 32)
