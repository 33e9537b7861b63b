# SPDX-License-Identifier: Apache-2.0
"""The lab's scheduling, on fake devices behind pseudo-terminals; nothing is built."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from unas.artifact import FirmwareImage, Flatbuffer
from unas.board import Board
from unas.errors import (
    EmulatorError,
    FlashOverflowError,
    LinkClosedError,
    ModelError,
    ToolError,
    UnasError,
)
from unas.firmware.recipe import Recipe
from unas.hil.flash import Flasher
from unas.hil.measure import Failure, Procedure
from unas.hil.wire import Frame, Type
from unas.host.reference import ReferenceOutput
from unas.lab.bench import Bench
from unas.lab.lab import Lab, Result, measure_all, measure_one
from unas.record import Measurement
from unas.testing.device import FakeDevice, LineFault
from unas.testing.fakes import MemoryStore, PtyFlasher

MODELS = [Flatbuffer(bytes([i]) * 100, f"net{i}") for i in range(6)]


class _Device(FakeDevice):
    """Misbehaves at given requests for a measurement, counted from 0."""

    def __init__(self, measure_faults: Mapping[int, LineFault]) -> None:
        super().__init__()
        self._measure_faults, self._requests = measure_faults, 0

    def answer(self, request: Frame) -> list[bytes]:
        if request.type == Type.MEASURE:
            self.faults.append(self._measure_faults.get(self._requests))
            self._requests += 1
        return super().answer(request)


class _Builder:
    """Builds nothing; some models overflow the flash, alone or together."""

    def __init__(self, board: Board, max_models: int, error: UnasError | None) -> None:
        self._board, self._max_models, self._error = board, max_models, error
        self.recipe = Recipe(board, "gcc 1")

    def build(self, models: list[Flatbuffer], *, probe_serial: str = "") -> FirmwareImage:
        if self._error is not None:
            raise self._error
        if len(models) > self._max_models:
            raise FlashOverflowError("too many models; take fewer")
        digests = tuple(model.sha256 for model in models)
        return FirmwareImage(Path(), Path(), self._board.id, "f", "i", digests, 1, {})


@dataclass(frozen=True, slots=True)
class _FakeBench(Bench):
    """Hands out fake devices, and remembers them and their flashers.

    Attributes:
        faults: At the requests for a measurement, of each device in the order in which they are
            handed out; later ones have none.
        reason: Why a device that stopped has stopped.
        max_models: What fits an image.
        errors: Of the builds, in order; later ones succeed.
    """

    faults: deque[Mapping[int, LineFault]] = field(default_factory=deque)
    reason: str | None = None
    max_models: int = 100
    errors: deque[UnasError | None] = field(default_factory=deque)
    flashers: list[PtyFlasher] = field(default_factory=list)

    @property
    def source(self) -> str:
        return "fake"

    def builder(self, instance: int) -> Any:
        error = self.errors.popleft() if self.errors else None
        return _Builder(self.board, self.max_models, error)

    def flasher(self, instance: int) -> Flasher:
        device = _Device(self.faults.popleft() if self.faults else {})
        self.flashers.append(PtyFlasher(self.board, device, self.reason))
        return self.flashers[-1]


@pytest.fixture(autouse=True)
def _any_output(monkeypatch: pytest.MonkeyPatch) -> None:
    """The models are no models: no reference can run them."""
    reference = ReferenceOutput(FakeDevice().output, "made up")
    monkeypatch.setattr("unas.hil.derived.reference_output", lambda *_: reference)


def _bench(board: Board, **changes: Any) -> _FakeBench:
    return _FakeBench(board, procedure=Procedure(0, 3, 1), **{"workers": 1, **changes})


def _names(results: list[tuple[Result, bool]]) -> list[tuple[str, bool]]:
    return sorted((result.model_name, stored) for result, stored in results)


def _is_idle(bench: _FakeBench) -> bool:
    """Every worker of the lab has ended, and has given its unit back."""
    running = [thread for thread in threading.enumerate() if thread.name.startswith("lab-")]
    return not running and all(flasher.closed for flasher in bench.flashers)


@pytest.mark.parametrize("workers", [1, 3])
def test_a_lab_measures_as_often_as_it_is_asked(f746: Board, workers: int) -> None:
    bench, store = _bench(f746, workers=workers), MemoryStore()
    lab = Lab(bench, store)
    for models in (MODELS[:2], MODELS[2:5], MODELS[5:]):
        assert _names(list(lab.measure(models))) == [(model.name, False) for model in models]
        assert _is_idle(bench)
    assert _names(list(lab.measure(MODELS))) == [(model.name, True) for model in MODELS]
    fresh = Lab(bench, store, fresh=True)
    for _ in range(2):
        assert _names(list(fresh.measure(MODELS[:1]))) == [("net0", False)]


def test_a_lab_that_was_left_early_measures_again(f746: Board) -> None:
    bench = _bench(f746, workers=2)
    lab = Lab(bench, MemoryStore())
    left = lab.measure(MODELS)
    first, _ = next(left)
    left.close()
    assert _is_idle(bench)
    results = list(lab.measure(MODELS))
    assert len(results) == len(MODELS)
    assert (first.model_name, True) in _names(results)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_lab_that_failed_measures_again(f746: Board, workers: int) -> None:
    """The line fails for good; the build of a second worker does, too."""
    bench = _bench(f746, workers=workers, errors=deque([None, ToolError("no PlatformIO")]))
    bench.faults.append({0: LineFault.GONE, 1: LineFault.GONE})
    lab = Lab(bench, MemoryStore())
    with pytest.raises(LinkClosedError if workers == 1 else (LinkClosedError, ToolError)):
        list(lab.measure(MODELS))
    bench.errors.clear()
    assert _is_idle(bench)
    assert _names(list(lab.measure(MODELS))) == [(model.name, False) for model in MODELS]


def test_tries_are_counted_where_the_line_fails(f746: Board) -> None:
    """The second model's measurement breaks off once; the third's request comes broken once."""
    bench = _bench(f746)
    bench.faults.append({1: LineFault.GONE, 3: LineFault.GARBLED})
    tries = []
    for result, _ in Lab(bench, MemoryStore()).measure(MODELS[:4]):
        assert isinstance(result, Measurement)
        assert [event.act for event in result.events] == ["flash", "measure", "verify arena"]
        tries.append(tuple(event.tries for event in result.events))
    assert tries == [(1, 1, 1), (2, 2, 1), (2, 2, 1), (2, 1, 1)]


def test_a_line_that_fails_twice_is_given_up(f746: Board) -> None:
    bench = _bench(f746)
    bench.faults.append({0: LineFault.GONE, 1: LineFault.GONE})
    with pytest.raises(LinkClosedError):
        list(Lab(bench, MemoryStore()).measure(MODELS))
    assert len(bench.flashers[0].images) == 2


def test_a_virtual_board_that_stops_fails_one_model(f746: Board) -> None:
    bench = _bench(f746, reason="virtual f746 at 0x08000C58: lockup")
    bench.faults.append({1: LineFault.GONE})
    results = [result for result, _ in Lab(bench, MemoryStore()).measure(MODELS[:3])]
    failed = [result for result in results if isinstance(result, Failure)]
    assert [type(one.error) for one in failed] == [EmulatorError]
    assert len(results) == 3


def test_an_image_that_overflows_is_halved(f746: Board) -> None:
    bench = _bench(f746, max_models=2)
    results = list(Lab(bench, MemoryStore()).measure(MODELS))
    assert _names(results) == [(model.name, False) for model in MODELS]
    assert all(len(image.models) <= 2 for image in bench.flashers[0].images)


def test_a_model_that_overflows_alone_is_a_failure(f746: Board) -> None:
    ((result, stored),) = Lab(_bench(f746, max_models=0), MemoryStore()).measure(MODELS[:1])
    assert isinstance(result, Failure)
    assert type(result.error) is FlashOverflowError
    assert not stored


def test_one_model_is_measured_or_raises(f746: Board) -> None:
    bench, store = _bench(f746), MemoryStore()
    measurement, stored = measure_one(bench, store, MODELS[0])
    assert (measurement.model_sha256, stored) == (MODELS[0].sha256, False)
    assert measure_one(bench, store, MODELS[0]) == (measurement, True)
    assert measure_one(bench, store, MODELS[0], fresh=True)[1] is False
    with pytest.raises(FlashOverflowError):
        measure_one(_bench(f746, max_models=0), store, MODELS[1])


def test_a_changed_board_is_another_measurement(f746: Board) -> None:
    store = MemoryStore()
    measure_one(_bench(f746), store, MODELS[0])
    flash = f746.region("flash")
    slower = replace(flash, wait_states=(flash.wait_states or 0) + 1)
    memory = tuple(slower if region == flash else region for region in f746.memory)
    for changed in (replace(f746, hse_hz=1_000_000), replace(f746, memory=memory)):
        for stored in (False, True):
            assert measure_one(_bench(changed), store, MODELS[0])[1] is stored
    assert measure_one(_bench(replace(f746)), store, MODELS[0])[1]


def test_all_models_are_measured_with_progress(f746: Board) -> None:
    bench, store = _bench(f746), MemoryStore()
    measure_one(bench, store, MODELS[0])
    steps: list[tuple[str, bool]] = []
    results = measure_all(
        bench,
        store,
        [*MODELS[:3], MODELS[1]],
        on_result=lambda result, stored: steps.append((result.model_name, stored)),
    )
    assert results.keys() == {model.sha256 for model in MODELS[:3]}
    assert sorted(steps) == [("net0", True), ("net1", False), ("net2", False)]


def test_an_error_of_the_caller_stops_the_workers(f746: Board) -> None:
    bench = _bench(f746, workers=2)

    def refuse(result: Result, stored: bool) -> None:
        raise ModelError(result.model_name)

    with pytest.raises(ModelError):
        measure_all(bench, MemoryStore(), MODELS, on_result=refuse)
    assert _is_idle(bench)
