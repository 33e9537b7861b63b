# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections import deque

import pytest

from unas.errors import (
    ArenaTooSmallError,
    DeviceError,
    DeviceFaultError,
    LinkClosedError,
    LinkError,
    LinkTimeoutError,
    ModelError,
    UnasError,
    UnsupportedOperatorError,
)
from unas.hil.session import Deadlines, RawMeasurement, Session
from unas.hil.wire import ErrorCode
from unas.testing.device import FakeDevice, FakeTransport, LineFault

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
        [LineFault.DROP],
        [LineFault.CORRUPT],
        [LineFault.GARBLED] * 2,
        [LineFault.NOISE] * 8,
        [LineFault.LOG] * 8,
        [None, LineFault.STALE, LineFault.STALE],
        [None, LineFault.DROP, None, LineFault.CORRUPT, LineFault.CORRUPT, None, LineFault.DROP],
    ],
)
def test_a_bad_line_changes_no_number(faults: list[LineFault | None]) -> None:
    clean, bad = _measure(FakeDevice()), _measure(FakeDevice(faults=deque(faults)))
    assert (bad.samples, bad.marks, bad.output) == (clean.samples, clean.marks, clean.output)


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_measurement_knows_how_often_it_was_requested(lost: int) -> None:
    raw = _measure(FakeDevice(faults=deque([LineFault.DROP] * lost)))
    assert raw.tries == 1 + lost


def test_log_lines_reach_the_caller() -> None:
    lines: list[str] = []
    session = _session(FakeDevice(faults=deque([LineFault.LOG])), lines)
    session.hello()
    assert lines == ["hello from the device"]


def test_a_silent_device_is_a_timeout() -> None:
    device = FakeDevice(faults=deque([LineFault.DROP] * 50))
    with pytest.raises(LinkTimeoutError, match="no answer to HELLO"):
        _session(device).hello()


@pytest.mark.parametrize(
    ("fault", "error"), [(LineFault.DROP, LinkTimeoutError), (LineFault.GARBLED, LinkError)]
)
def test_a_line_that_stays_bad_is_an_error_with_the_number_of_tries(
    fault: LineFault, error: type[LinkError]
) -> None:
    device = FakeDevice(faults=deque([fault] * 50))
    with pytest.raises(error, match="asked 3 times") as caught:
        _measure(device)
    assert type(caught.value) is error


def test_a_reset_while_measuring_brings_the_fault_record() -> None:
    record = {
        "fault_pc": "08001234",
        "fault_lr": "08000001",
        "fault_cfsr": "00008200",
        "fault_hfsr": "40000000",
        "fault_address": "60000000",
        "fault_stage": "4",
    }
    device = FakeDevice(faults=deque([LineFault.RESET]), fault_record=record)
    with pytest.raises(DeviceFaultError, match=r"'timed run'.*pc=0x08001234"):
        _measure(device)


def test_a_reset_without_a_record_is_named() -> None:
    with pytest.raises(DeviceFaultError, match="reset itself"):
        _measure(FakeDevice(faults=deque([LineFault.RESET])))


class _Unplugged(FakeTransport):
    """Writes succeed, as into a buffer of the system's; reads notice that the cable is out."""

    words = "the cable lies on the floor"
    reads = 0

    def read(self, timeout_s: float) -> bytes:
        self.reads += 1
        raise LinkClosedError(self.words)


@pytest.mark.parametrize("step", ["hello", "measure"])
def test_a_closed_line_ends_it_at_once_whatever_its_words(step: str) -> None:
    line = _Unplugged(FakeDevice())
    session = Session(line, QUICK)
    with pytest.raises(LinkClosedError, match=f"^{line.words}$"):
        session.hello() if step == "hello" else session.measure(0, warmup=0, runs=1, seed=1)
    assert line.reads == 1


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
