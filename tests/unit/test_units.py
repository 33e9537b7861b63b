# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unas.errors import ConfigError
from unas.units import format_bytes, format_microseconds, parse_bytes, parse_microseconds


@given(st.integers(0, 1 << 40))
def test_plain_numbers_are_bytes(count: int) -> None:
    assert parse_bytes(count) == parse_bytes(str(count)) == parse_bytes(f"{count} B") == count


@given(st.integers(0, 1 << 20))
def test_binary_and_decimal_units_differ(count: int) -> None:
    assert parse_bytes(f"{count}KiB") == count * 1024
    assert parse_bytes(f"{count} kB") == count * 1000


@given(st.integers(0, 10**6))
def test_durations(count: int) -> None:
    assert parse_microseconds(f"{count}ms") == parse_microseconds(count * 1000)
    assert parse_microseconds(f"{count} s") == parse_microseconds(count * 1_000_000)


@pytest.mark.parametrize(
    "text", ["", "KiB", "-1B", "1 Kib", "0.3 B", "1e3", "1 ms", "\N{FULLWIDTH DIGIT ONE}"]
)
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_bytes(text)


@given(st.integers(0, 1 << 30))
def test_formatting_says_the_same_within_its_digits(count: int) -> None:
    value, unit = format_bytes(count).split()
    scale = {"B": 1, "KiB": 1024, "MiB": 1024**2}[unit]
    assert abs(float(value) * scale - count) <= 0.0501 * scale


def test_durations_are_readable() -> None:
    assert format_microseconds(999.94) == "999.9 µs"
    assert format_microseconds(1500) == "1.50 ms"
    assert format_microseconds(2_500_000) == "2.50 s"
