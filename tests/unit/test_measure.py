# SPDX-License-Identifier: Apache-2.0
"""What the host makes of a device's answers, without a device."""

from __future__ import annotations

from collections import deque
from pathlib import Path

import pytest

from unas.artifact import FirmwareImage, Flatbuffer
from unas.board import Board
from unas.errors import DeviceError, EmulatorError, IdentityError, LinkClosedError, UnasError
from unas.hil.measure import Failure, Procedure, measure_image
from unas.hil.session import Deadlines
from unas.hil.wire import PROTOCOL
from unas.host.reference import ReferenceOutput
from unas.record import Measurement
from unas.testing.device import FakeDevice, FakeTransport, LineFault, matching_info
from unas.testing.fakes import FakeFlasher

MODEL = Flatbuffer(b"never run here", "net")
QUICK = Deadlines(answer_s=0.05, boot_s=0.3, measure_s=0.3, tries=2)


def _image(board: Board) -> FirmwareImage:
    return FirmwareImage(Path(), Path(), board.id, "f", "i", (MODEL.sha256,), 1, {})


def _device(kind: Board, /, **changes: str) -> FakeDevice:
    info = {**matching_info(kind, _image(kind)), "arena_capacity_bytes": "1000", **changes}
    return FakeDevice(info=info, models=(MODEL.sha256,))


def _measure(
    board: Board,
    device: FakeDevice,
    flasher: FakeFlasher | None = None,
    procedure: Procedure | None = None,
) -> list[Measurement | Failure]:
    return list(
        measure_image(
            flasher or FakeFlasher(),
            _image(board),
            board,
            [MODEL],
            procedure or Procedure(0, 3, 1),
            deadlines=QUICK,
            open_transport=lambda _port, _baud: FakeTransport(device),
        )
    )


@pytest.mark.parametrize(
    "change",
    [
        {"protocol": str(PROTOCOL - 1)},
        {"board": "l4r5"},
        {"image_hash": "other"},
        {"model_count": "2"},
        {"core_clock_hz": "16000000"},
        {"cpuid": "410fc241"},
        {"device_id": "00000451"},
        {"icache": "0"},
        {"dcache": "0"},
    ],
)
def test_anything_else_than_asked_for_is_refused(f746: Board, change: dict[str, str]) -> None:
    device = _device(f746, **change)
    with pytest.raises(IdentityError):
        _measure(f746, device)
    assert device.measured == 0


def test_a_measurement_of_another_model_is_refused(f746: Board) -> None:
    device = _device(f746)
    device.models = (Flatbuffer(b"another", "other").sha256,)
    with pytest.raises(IdentityError, match="asked for was"):
        _measure(f746, device)


def test_a_revision_in_the_device_id_does_not_matter(f746: Board) -> None:
    """Bits above the twelfth are the chip's revision."""
    device = _device(f746, device_id=f"{0x10010000 | f746.cpu.device_id:08x}")
    device.faults = deque([None, LineFault.GONE])
    with pytest.raises(LinkClosedError):
        _measure(f746, device)


def test_a_counter_that_wrapped_is_not_believed(f746: Board) -> None:
    device = _device(f746)
    device.operators = (("CONV_2D", (1 << 32) + 700),)
    (result,) = _measure(f746, device)
    assert isinstance(result, Failure)
    assert type(result.error) is DeviceError
    assert "32-bit" in str(result.error)


@pytest.mark.parametrize(
    ("reason", "error"),
    [(None, LinkClosedError), ("virtual f746 at 0x08000C58: lockup", EmulatorError)],
)
def test_a_line_that_breaks_is_told_in_the_best_words(
    f746: Board, reason: str | None, error: type[UnasError]
) -> None:
    device = _device(f746)
    device.faults = deque([None, LineFault.GONE])
    with pytest.raises(error, match=reason):
        _measure(f746, device, FakeFlasher(reason))


def test_an_arena_that_is_not_tried_is_what_the_runtime_claims(
    f746: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And of a long output only the beginning is read, and checked."""
    device = _device(f746)
    device.output = bytes(range(200))
    golden = ReferenceOutput(bytes(range(199)) + b"?", "made up")
    monkeypatch.setattr("unas.hil.derived.reference_output", lambda *_: golden)
    (full,) = _measure(f746, device)
    assert isinstance(full, Measurement)
    assert full.arena.verified
    assert (full.output.output_bytes, full.output.mismatches) == (200, 1)
    tried = len(device.tried)
    (quick,) = _measure(f746, device, procedure=Procedure(0, 3, 1, False, 50))
    assert isinstance(quick, Measurement)
    assert len(device.tried) == tried
    assert not quick.arena.verified
    assert quick.arena.used_bytes == quick.arena.claimed_bytes == device.arena_claimed
    assert (quick.output.output_bytes, quick.output.mismatches) == (50, 0)
    assert quick.samples_cycles == full.samples_cycles
    assert "verify arena" not in {event.act for event in quick.events}
