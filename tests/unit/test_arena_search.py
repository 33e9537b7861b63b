# SPDX-License-Identifier: Apache-2.0
"""The smallest arena a device needs: what it claims is held against what it does."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unas.errors import DeviceError
from unas.hil.arena_probe import STEP_BYTES, MeasuredModel, smallest_that_fits, verified_arena
from unas.hil.session import Deadlines, Session
from unas.record import ArenaUse
from unas.testing.device import FakeDevice, FakeTransport

QUICK = Deadlines(answer_s=0.05, boot_s=0.3, measure_s=0.3, tries=2)
CAPACITY = 10_000


@given(
    needed=st.integers(1, CAPACITY // STEP_BYTES),
    guess=st.integers(0, 2 * CAPACITY),
)
def test_the_search_finds_the_smallest_size(needed: int, guess: int) -> None:
    tried: list[int] = []

    def fits(size: int) -> bool:
        tried.append(size)
        return size >= needed * STEP_BYTES

    assert smallest_that_fits(fits, guess, CAPACITY) == needed * STEP_BYTES
    assert all(0 < size <= CAPACITY and size % STEP_BYTES == 0 for size in tried)
    assert len(tried) == len(set(tried))
    distance = abs(needed - min(guess, CAPACITY) // STEP_BYTES) + 2
    assert len(tried) <= 2 * distance.bit_length() + 2


def test_what_never_fits_is_an_error() -> None:
    with pytest.raises(DeviceError, match="not again"):
        smallest_that_fits(lambda _size: False, 100, CAPACITY)


def _verify(device: FakeDevice, order: tuple[int, ...] = ()) -> ArenaUse:
    device.info = {"arena_capacity_bytes": str(CAPACITY)}
    sessions = [Session(FakeTransport(device), QUICK)]

    def connect(anew: bool) -> Session:
        if anew:
            sessions.append(Session(FakeTransport(device), QUICK))
        return sessions[-1]

    raw = sessions[0].measure(3, warmup=0, runs=1, seed=9, order=order)
    info = sessions[0].hello()
    # The time a measurement took is the yardstick for what hangs; here nothing takes any.
    return verified_arena(connect, MeasuredModel(3, 9, order, replace(raw, seconds=0.0)), info)


def test_an_exact_claim_is_tried_and_so_is_one_step_less() -> None:
    device = FakeDevice()
    found = _verify(device, (4, 2))
    assert found.verified
    assert found.used_bytes == found.claimed_bytes == 2048
    assert (found.bound_bytes, found.plan) == (1500, "greedy")
    assert device.tried == [2048, 2048 - STEP_BYTES]
    assert device.orders == [(4, 2)] * 3


@pytest.mark.parametrize(
    ("device", "words"),
    [
        (FakeDevice(arena_needed=2064), "fails with status 3"),
        (FakeDevice(arena_needed=2032), "16 bytes less is not refused"),
        (FakeDevice(leaks=True), "writes beyond it"),
        (FakeDevice(trial_output=b"other"), "gives another output"),
    ],
)
def test_a_claim_that_does_not_hold_is_an_error(device: FakeDevice, words: str) -> None:
    with pytest.raises(DeviceError, match=words):
        _verify(device)


@pytest.mark.parametrize("needed", [16, 1984, 2048, 2064, 3000, CAPACITY])
def test_a_vague_claim_only_starts_the_search(needed: int) -> None:
    device = FakeDevice(arena_exact=False, arena_needed=needed)
    found = _verify(device)
    assert found.verified
    assert found.used_bytes == -(-needed // STEP_BYTES) * STEP_BYTES
    assert found.claimed_bytes == 2048


def test_a_device_that_hangs_is_started_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unas.hil.arena_probe._HANG_FLOOR_S", 0.02)
    device = FakeDevice(arena_exact=False, arena_needed=2100, hangs_below=2080)
    assert _verify(device).used_bytes == 2112
    hung = [size for size in device.tried if size < 2080]
    assert len(hung) == 2 * len(set(hung)) > 0
    assert device.starts == 1 + len(hung)
