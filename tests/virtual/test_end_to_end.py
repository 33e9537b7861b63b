# SPDX-License-Identifier: Apache-2.0
"""From a graph to a record on the virtual board: firmware, wire and host code are silicon's own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from unas.artifact import FirmwareImage, Flatbuffer
from unas.board import Board
from unas.errors import (
    ArenaTooSmallError,
    EmulatorError,
    FlashOverflowError,
    IdentityError,
    UnasError,
    UnsupportedOperatorError,
)
from unas.firmware.build import Builder
from unas.graph import Graph, Operator, OperatorKind, PoolOptions, Tensor
from unas.hil.flash import VirtualFlasher
from unas.hil.measure import Failure, Procedure, measure_image
from unas.hil.session import Session
from unas.hil.transport import SerialTransport
from unas.lab.bench import Bench
from unas.lab.lab import Lab
from unas.record import Measurement, Provenance
from unas.space.cnn import random_architecture
from unas.testing.fakes import MemoryStore
from unas.tflite.order import exported_graph
from unas.tflite.writer import write_flatbuffer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed"
    ),
]

SHAPE = (16, 16, 3)
PROCEDURE = Procedure(warmup=1, runs=3, seed=9)


def _model(seed: int) -> Flatbuffer:
    architecture = random_architecture(np.random.default_rng(seed))
    return write_flatbuffer(exported_graph(architecture, SHAPE, 10), seed=seed, name=f"net{seed}")


@pytest.fixture(scope="module")
def models() -> list[Flatbuffer]:
    return [_model(seed) for seed in range(4)]


@pytest.fixture(scope="module")
def image(f746: Board, models: list[Flatbuffer]) -> FirmwareImage:
    return Builder(f746, "end-to-end").build(models)


@pytest.fixture
def flasher(f746: Board) -> Iterator[VirtualFlasher]:
    flasher = VirtualFlasher(f746)
    yield flasher
    flasher.close()


def _measure(
    flasher: VirtualFlasher, image: FirmwareImage, board: Board, models: list[Flatbuffer]
) -> list[Measurement]:
    results = list(measure_image(flasher, image, board, models, PROCEDURE))
    assert all(isinstance(result, Measurement) for result in results), results
    return [result for result in results if isinstance(result, Measurement)]


def test_records_are_whole_and_true(
    flasher: VirtualFlasher, image: FirmwareImage, f746: Board, models: list[Flatbuffer]
) -> None:
    for found, model in zip(_measure(flasher, image, f746, models), models, strict=True):
        assert found.model_sha256 == model.sha256
        assert found.provenance is Provenance.EMULATED
        assert found.timing not in ("", "silicon")
        assert found.clock_hz == f746.core_clock_hz
        assert found.output.equal
        assert len(found.samples_cycles) == PROCEDURE.runs
        # Runs are equal but for what caches and branch predictor remember of the one before.
        assert found.spread_cycles <= found.median_cycles / 1000
        assert found.instructions is not None
        assert found.instructions > 0
        total = sum(op.cycles for op in found.operators)
        assert abs(total - found.profiled_cycles) <= 0.01 * found.profiled_cycles
        assert abs(found.profiled_cycles - found.median_cycles) <= 0.02 * found.median_cycles
        arena = found.arena
        parts = arena.tensor_bytes + arena.scratch_bytes + arena.persistent_bytes
        assert parts <= arena.used_bytes <= arena.capacity_bytes
        assert arena.verified
        assert arena.used_bytes == arena.claimed_bytes
        assert 0 < arena.bound_bytes <= arena.tensor_bytes + arena.scratch_bytes
        assert found.region_bytes["flash"] == found.flash_bytes
        assert found.flash_bytes > sum(m.flatbuffer_bytes for m in models)
        assert found.info["image_hash"] == image.image_hash
        assert found.info["icache"] == found.info["dcache"] == "1"
        assert found.info["clock_source"] == "external"
        assert "-O2" in found.info["flags"]
        assert [event.act for event in found.events] == ["flash", "measure", "verify arena"]


def test_two_runs_agree_to_the_last_cycle(
    flasher: VirtualFlasher, image: FirmwareImage, f746: Board, models: list[Flatbuffer]
) -> None:
    def numbers() -> list[tuple[object, ...]]:
        return [
            (m.cold_cycles, m.samples_cycles, m.operators, m.instructions, m.output_sha256)
            for m in _measure(flasher, image, f746, models)
        ]

    assert numbers() == numbers()


def test_the_image_makes_no_difference_to_a_model(
    flasher: VirtualFlasher, image: FirmwareImage, f746: Board, models: list[Flatbuffer]
) -> None:
    """Alone in an image or among others: same instructions, same arena, same bytes."""
    among = _measure(flasher, image, f746, models)[1]
    single = Builder(f746, "end-to-end-single").build([models[1]])
    (alone,) = _measure(flasher, single, f746, [models[1]])
    assert alone.instructions == among.instructions
    assert alone.arena == replace(among.arena, capacity_bytes=alone.arena.capacity_bytes)
    assert alone.output_sha256 == among.output_sha256


def test_another_image_is_not_mistaken_for_ours(
    flasher: VirtualFlasher, image: FirmwareImage, f746: Board, models: list[Flatbuffer]
) -> None:
    other = replace(image, image_hash="0" * 64)
    with pytest.raises(IdentityError, match="image_hash"):
        list(measure_image(flasher, other, f746, models, PROCEDURE))


@pytest.mark.parametrize("field", ["core_clock_hz", "cpuid", "dcache_bytes"])
def test_another_set_up_is_refused(
    flasher: VirtualFlasher,
    image: FirmwareImage,
    f746: Board,
    models: list[Flatbuffer],
    field: str,
) -> None:
    wrong = (
        replace(f746, core_clock_hz=200_000_000)
        if field == "core_clock_hz"
        else replace(f746, cpu=replace(f746.cpu, **{field: 0}))
    )
    with pytest.raises(IdentityError, match="board file f746 says"):
        list(measure_image(flasher, image, wrong, models, PROCEDURE))


def test_a_board_that_dies_is_reported_in_its_own_words(
    flasher: VirtualFlasher, image: FirmwareImage, f746: Board
) -> None:
    transport = SerialTransport(flasher.flash(image), f746.baud)
    Session(transport).hello()
    flasher._stop()
    with pytest.raises(UnasError):
        Session(transport).hello()
    transport.close()


def test_the_lab_measures_each_model_once(f746: Board, models: list[Flatbuffer]) -> None:
    store, bench = MemoryStore(), Bench(f746, workers=2, procedure=PROCEDURE)
    first = list(Lab(bench, store).measure([*models, models[0]]))
    again = list(Lab(bench, store).measure(models))
    assert sorted(r.model_name for r, _ in first) == sorted(m.name for m in models)
    assert not any(stored for _, stored in first)
    assert all(stored for _, stored in again)
    by_name = {r.model_name: r for r, _ in first}
    assert all(by_name[r.model_name] == r for r, _ in again)
    fresh = list(Lab(bench, store, fresh=True).measure(models[:1]))
    assert [(r.model_name, stored) for r, stored in fresh] == [(models[0].name, False)]


def _failure(bench: Bench, model: Flatbuffer) -> UnasError:
    ((result, _),) = Lab(bench, MemoryStore()).measure([model])
    assert isinstance(result, Failure)
    return result.error


def test_a_model_larger_than_flash_is_named(f746: Board) -> None:
    big = Flatbuffer(bytes(f746.flash_bytes - 1000), "big")
    error = _failure(Bench(f746), big)
    assert isinstance(error, FlashOverflowError)
    assert "big" in str(error)
    assert "f746" in str(error)


def test_what_the_device_refuses_does_not_stop_the_others(
    flasher: VirtualFlasher, f746: Board, models: list[Flatbuffer]
) -> None:
    """Three bad models between two good ones, sent past the host's own checks."""
    wide = write_flatbuffer(_pool_of(512), seed=0, name="wide")
    # The code of CONV_2D (3) stands in the operator codes twice; LSTM is 16.
    unknown = Flatbuffer(_with_operator(models[0].data, 16), "unknown")
    batch = [models[0], wide, Flatbuffer(b"TFL3" * 100, "noise"), unknown, models[1]]
    results = list(
        measure_image(flasher, Builder(f746, "refusals").build(batch), f746, batch, PROCEDURE)
    )
    kinds = [type(r.error) if isinstance(r, Failure) else Measurement for r in results]
    assert kinds[0] is kinds[4] is Measurement
    assert kinds[1] is ArenaTooSmallError
    assert issubclass(kinds[2], UnasError)
    assert kinds[3] is UnsupportedOperatorError
    for result, name in zip(results[1:4], ("wide", "noise", "unknown"), strict=True):
        assert isinstance(result, Failure)
        assert str(result.error).startswith(f"{name}: ")
    assert "LSTM" in str(results[3].error)  # type: ignore[union-attr]


def _pool_of(size: int) -> Graph:
    """A network without weights whose input alone is size x size x 3 bytes."""
    tensors = (Tensor("in", (1, size, size, 3)), Tensor("out", (1, size // 2, size // 2, 3)))
    pool = Operator(OperatorKind.MAX_POOL_2D, (0,), 1, PoolOptions(2, 2, 2, 2))
    return Graph(tensors, (pool,), (0,), (1,))


def _with_operator(data: bytes, code: int) -> bytes:
    import tflite

    model = tflite.Model.GetRootAs(data)
    changed = bytearray(data)
    table = model.OperatorCodes(0)
    assert table is not None
    for field, size in ((4, 1), (10, 4)):  # deprecated_builtin_code, builtin_code
        offset = table._tab.Offset(field)
        if offset:
            place = table._tab.Pos + offset
            changed[place : place + size] = code.to_bytes(size, "little")
    return bytes(changed)


def test_an_emulator_that_cannot_start_says_why(f746: Board, tmp_path: Path) -> None:
    (tmp_path / "no.elf").write_bytes(b"this is no ELF")
    flasher = VirtualFlasher(f746)
    image = FirmwareImage(tmp_path / "no.elf", tmp_path, "f746", "", "", (), 0, {})
    with pytest.raises(EmulatorError, match="did not start"):
        flasher.flash(image)
    flasher.close()
