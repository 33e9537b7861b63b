# SPDX-License-Identifier: Apache-2.0
"""Real factors as integers, against exact fractions."""

from __future__ import annotations

import ctypes
import math
import shutil
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unas.host.library import host_library

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no host C compiler (cc)")


class _Factor(ctypes.Structure):
    _fields_ = (("multiplier", ctypes.c_int32), ("shift", ctypes.c_int32))


def _factor(real: float) -> tuple[bool, int, int]:
    convert = host_library().rt_factor_from_real
    convert.restype = ctypes.c_bool
    convert.argtypes = (ctypes.c_double, ctypes.c_void_p)
    factor = _Factor()
    usable = convert(real, ctypes.byref(factor))
    return usable, factor.multiplier, factor.shift


@settings(deadline=None, max_examples=500)
@given(st.floats(min_value=2.0**-31, max_value=2.0**29.9))
def test_a_factor_is_the_nearest(real: float) -> None:
    usable, multiplier, shift = _factor(real)
    assert usable
    assert 2**30 <= multiplier < 2**31
    value = Fraction(multiplier) * Fraction(2) ** (shift - 31)
    assert abs(value - Fraction(real)) <= Fraction(2) ** (shift - 31) / 2


@pytest.mark.parametrize("real", [0.0, 5e-324, 2.0**-40])
def test_what_is_too_small_becomes_zero(real: float) -> None:
    assert _factor(real) == (True, 0, 0)


@pytest.mark.parametrize("real", [2.0**30, 1e300, math.inf, math.nan, -0.5])
def test_what_is_no_factor_is_refused(real: float) -> None:
    assert not _factor(real)[0]
