# SPDX-License-Identifier: Apache-2.0
"""Window geometry against a window that is laid over the axis tap by tap."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from unas.errors import ArchitectureError
from unas.graph import ConvOptions, Padding, PoolOptions
from unas.graph.window import Window, WindowAxis, conv_window, pool_window

_SIZES, _TAPS = st.integers(1, 24), st.integers(1, 9)
_STRIDES, _DILATIONS = st.integers(1, 5), st.integers(1, 4)
# Also geometries that no padding rule gives, as PAD and MEAN have as kernels.
_ANY_AXIS = st.builds(
    WindowAxis, _SIZES, st.integers(1, 12), _TAPS, _STRIDES, _DILATIONS, st.integers(0, 12)
)


@st.composite
def _axes(draw: st.DrawFn) -> WindowAxis:
    """The axis of an operator, with either padding."""
    size, taps, stride, dilation = (draw(s) for s in (_SIZES, _TAPS, _STRIDES, _DILATIONS))
    padding = draw(st.sampled_from(Padding))
    assume(padding is Padding.SAME or (taps - 1) * dilation < size)
    return WindowAxis.of(size, taps, stride, dilation, padding)


def _positions(axis: WindowAxis, output: int) -> list[int]:
    """Where each tap lies at an output position; input positions are 0 to size - 1."""
    start = output * axis.stride - axis.pad_before
    return [start + tap * axis.dilation for tap in range(axis.taps)]


def _visible(axis: WindowAxis, output: int) -> list[int]:
    """The taps on the input."""
    positions = _positions(axis, output)
    return [tap for tap, at in enumerate(positions) if 0 <= at < axis.size]


@given(_SIZES, _TAPS, _STRIDES, _DILATIONS)
def test_valid_windows_are_those_that_fit(size: int, taps: int, stride: int, dilation: int) -> None:
    starts = [s for s in range(0, size, stride) if s + (taps - 1) * dilation < size]
    if not starts:
        with pytest.raises(ArchitectureError, match="does not fit"):
            WindowAxis.of(size, taps, stride, dilation, Padding.VALID)
        return
    axis = WindowAxis.of(size, taps, stride, dilation, Padding.VALID)
    assert (axis.output, axis.pad_before, axis.pad_after) == (len(starts), 0, 0)


@given(_SIZES, _TAPS, _STRIDES, _DILATIONS)
def test_same_pads_as_little_as_needed_and_the_odd_one_behind(
    size: int, taps: int, stride: int, dilation: int
) -> None:
    axis = WindowAxis.of(size, taps, stride, dilation, Padding.SAME)
    assert axis.output == len(range(0, size, stride))
    pads = 0  # the fewest with which so many windows fit
    while (axis.output - 1) * stride + (taps - 1) * dilation >= size + pads:
        pads += 1
    assert (axis.pad_before, axis.pad_after) == (pads // 2, pads - pads // 2)


@given(_ANY_AXIS)
def test_extent_and_pad_after(axis: WindowAxis) -> None:
    first, last = _positions(axis, 0), _positions(axis, axis.output - 1)
    assert axis.extent == len(range(first[0], first[-1] + 1))
    assert axis.pad_after == len(range(axis.size, last[-1] + 1))


@given(_ANY_AXIS)
def test_visible_taps(axis: WindowAxis) -> None:
    visible = [_visible(axis, output) for output in range(axis.output)]
    assert [list(axis.visible_at(output)) for output in range(axis.output)] == visible
    assert axis.visible_taps == sum(map(len, visible))


@given(_ANY_AXIS)
def test_whole_positions(axis: WindowAxis) -> None:
    # The extent counts, not the taps: a dilated window may step over an input with all of them.
    ends = [(_positions(axis, o)[0], _positions(axis, o)[-1]) for o in range(axis.output)]
    assert axis.whole_positions == sum(a >= 0 and b < axis.size for a, b in ends)


@given(_axes())
def test_trimmed_drops_only_taps_that_never_meet_the_input(axis: WindowAxis) -> None:
    trimmed = axis.trimmed()
    seen = sorted({tap for o in range(axis.output) for tap in _visible(axis, o)})
    if trimmed.taps < 1:
        assert not seen
        return
    dropped_before = (axis.pad_before - trimmed.pad_before) // axis.dilation
    kept = range(dropped_before, dropped_before + trimmed.taps)
    assert set(seen) <= set(kept)
    if axis.size >= axis.dilation:  # else a tap may step over the whole input
        assert (kept[0], kept[-1]) == (seen[0], seen[-1])
    shifted = [[tap - dropped_before for tap in _visible(axis, o)] for o in range(axis.output)]
    assert [_visible(trimmed, o) for o in range(axis.output)] == shifted


@given(_ANY_AXIS, _ANY_AXIS)
def test_the_plane_is_counted_pixel_by_pixel(rows: WindowAxis, columns: WindowAxis) -> None:
    window = Window(rows, columns)
    pixels = [(y, x) for y in range(rows.output) for x in range(columns.output)]
    clipped, visible = 0, 0
    for y, x in pixels:
        down, across = _positions(rows, y), _positions(columns, x)
        clipped += not (
            down[0] >= 0 and down[-1] < rows.size and across[0] >= 0 and across[-1] < columns.size
        )
        visible += len(_visible(rows, y)) * len(_visible(columns, x))
    assert window.clipped_pixels == clipped
    assert window.visible_taps == visible
    assert window.output == (rows.output, columns.output)
    assert window.pad_before == (rows.pad_before, columns.pad_before)


def test_height_and_width_do_not_change_places() -> None:
    """Values from TFLite's formulas by hand: 9 rows by 14 columns."""
    options = ConvOptions(Padding.SAME, stride_h=2, stride_w=3, dilation_h=3, dilation_w=1)
    window = conv_window((9, 14), (3, 4), options)
    assert (window.output, window.pad_before) == ((5, 5), (3, 1))
    assert (window.rows.pad_after, window.columns.pad_after) == (3, 1)
    pool = pool_window((9, 14), PoolOptions(2, 5, 3, 1, Padding.VALID))
    assert (pool.output, pool.pad_before) == ((3, 10), (0, 0))
