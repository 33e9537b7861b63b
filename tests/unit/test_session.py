# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections import deque

import pytest

from unas.errors import (
    ArenaTooSmallError,
    DeviceError,
    DeviceFaultError,
    LinkError,
    ModelError,
    UnasError,
    UnsupportedOperatorError,
)
from unas.hil.session import Deadlines, RawMeasurement, Session
from unas.hil.wire import ErrorCode
from unas.testing.device import FakeDevice, FakeTransport, Fault

QUICK = Deadlines(answer_s=0.05, boot_s=0.3, measure_s=0.3, tries=3)


def _session(device: FakeDevice, log: list[str] | None = None) -> Session:
    return Session(FakeTransport(device), QUICK, log=None if log is None else log.append)


def _measure(device: FakeDevice) -> RawMeasurement:
    return _session(device).measure(0, warmup=1, runs=3, seed=7)


def test_a_measurement_comes_back_whole() -> None:
    raw = _measure(FakeDevice())
    assert raw.samples == (1000, 1001, 1002)
    assert raw.marks == (5, 705, 1005)
    assert raw.operators == ("CONV_2D", "SOFTMAX")
    assert raw.output == bytes(range(10))
    assert raw.number("arena_used_bytes") == 2048


@pytest.mark.parametrize(
    "faults",
    [
        [Fault.DROP],
        [Fault.CORRUPT],
        [Fault.NOISE] * 8,
        [Fault.LOG] * 8,
        [None, Fault.STALE, Fault.STALE],
        [None, Fault.DROP, None, Fault.CORRUPT, Fault.CORRUPT, None, Fault.DROP],
    ],
)
def test_a_bad_line_changes_no_number(faults: list[Fault | None]) -> None:
    clean, bad = _measure(FakeDevice()), _measure(FakeDevice(faults=deque(faults)))
    assert (bad.samples, bad.marks, bad.output) == (clean.samples, clean.marks, clean.output)


def test_broken_frames_are_counted() -> None:
    device = FakeDevice(faults=deque([Fault.CORRUPT]))
    session = _session(device)
    session.measure(0, warmup=0, runs=1, seed=1)
    assert session.broken_frames == 1


def test_log_lines_reach_the_caller() -> None:
    lines: list[str] = []
    session = _session(FakeDevice(faults=deque([Fault.LOG])), lines)
    session.hello()
    assert lines == ["hello from the device"]


def test_a_silent_device_is_a_link_error() -> None:
    device = FakeDevice(faults=deque([Fault.DROP] * 50))
    with pytest.raises(LinkError, match="no answer to HELLO"):
        _session(device).hello()


def test_a_line_that_stays_bad_is_a_link_error_with_the_number_of_tries() -> None:
    device = FakeDevice(faults=deque([Fault.DROP] * 50))
    with pytest.raises(LinkError, match="asked 3 times"):
        _measure(device)


def test_a_reset_while_measuring_brings_the_fault_record() -> None:
    record = {
        "fault_pc": "08001234",
        "fault_lr": "08000001",
        "fault_cfsr": "00008200",
        "fault_hfsr": "40000000",
        "fault_address": "60000000",
        "fault_stage": "4",
    }
    device = FakeDevice(faults=deque([Fault.RESET]), fault_record=record)
    with pytest.raises(DeviceFaultError, match=r"'timed run'.*pc=0x08001234"):
        _measure(device)


def test_a_reset_without_a_record_is_named() -> None:
    with pytest.raises(DeviceFaultError, match="reset itself"):
        _measure(FakeDevice(faults=deque([Fault.RESET])))


def test_a_broken_line_is_not_retried() -> None:
    with pytest.raises(LinkError, match="gone"):
        _measure(FakeDevice(faults=deque([Fault.GONE])))


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (ErrorCode.BAD_MODEL, ModelError),
        (ErrorCode.UNSUPPORTED_OPERATOR, UnsupportedOperatorError),
        (ErrorCode.ARENA_TOO_SMALL, ArenaTooSmallError),
        (ErrorCode.INVOKE_FAILED, DeviceError),
        (ErrorCode.RUNS, DeviceError),
        (999, DeviceError),
    ],
)
def test_every_refusal_has_its_error(code: int, error: type[UnasError]) -> None:
    with pytest.raises(UnasError, match="what the device said") as caught:
        _measure(FakeDevice(refusal=(code, "what the device said")))
    assert type(caught.value) is error
