# SPDX-License-Identifier: Apache-2.0
"""The firmware's plain C, compiled for this machine under sanitizers, behind the real host code."""

from __future__ import annotations

import os
import pty
import random
import select
import shutil
import time
import tty
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.firmware.random_graphs import draw_network
from unas._paths import cache_dir
from unas._process import Background, run
from unas.artifact import Flatbuffer
from unas.board import Board
from unas.errors import ArenaTooSmallError, DeviceError, LinkClosedError
from unas.firmware.build import compiler_version
from unas.firmware.recipe import COMPILE_FLAGS, Recipe
from unas.firmware.render import install_platform, render_project
from unas.hil.arena_probe import MeasuredModel, offline_order, verified_arena
from unas.hil.session import Deadlines, Session
from unas.hil.wire import Frame, Type, encode
from unas.host.reference import reference_output, seeded_input
from unas.tflite.writer import write_flatbuffer

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="no host C compiler (gcc)")

SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
MODELS = 6
DEADLINES = Deadlines(answer_s=5, boot_s=20, measure_s=60)


class Line:
    """The host's end of the firmware's terminal, and the program behind it."""

    def __init__(self, program: Path, log: Path, arena_bytes: int | None = None) -> None:
        self._master, slave = pty.openpty()
        tty.setraw(slave)
        environment = [f"HOST_BOARD_TTY={os.ttyname(slave)}"]
        if arena_bytes is not None:
            environment.append(f"HOST_BOARD_ARENA={arena_bytes}")
        self.program = Background(["env", *environment, str(program)], log=log)
        self._slave = slave  # kept open: a terminal nobody has open loses what is written to it

    def write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._master, data) :]

    def read(self, timeout_s: float) -> bytes:
        ready, _, _ = select.select([self._master], [], [], timeout_s)
        if not ready and self.program.exit_code() is not None:
            raise LinkClosedError(f"the firmware ended: {self.program.output()}")
        return os.read(self._master, 65536) if ready else b""

    def close(self) -> None:
        os.close(self._slave)
        os.close(self._master)

    def end(self) -> tuple[int | None, str]:
        """Hang up; the firmware ends, and the sanitizers say what they found."""
        self.close()
        end = time.monotonic() + 20
        while self.program.exit_code() is None and time.monotonic() < end:
            time.sleep(0.02)
        code, output = self.program.exit_code(), self.program.output()
        self.program.stop()
        return code, output


@pytest.fixture(scope="module")
def models() -> list[Flatbuffer]:
    rng = np.random.default_rng(4)
    drawn = [write_flatbuffer(draw_network(rng, 5), seed=i, name=f"m{i}") for i in range(MODELS)]
    while True:  # the last is one that the device does not pack best by itself
        drawn[-1] = write_flatbuffer(draw_network(rng, 20), seed=MODELS, name="knotty")
        if offline_order(drawn[-1].data, "plain"):
            return drawn


@pytest.fixture(scope="module")
def recipe(f746: Board) -> Recipe:
    return Recipe(f746, compiler_version())


@pytest.fixture(scope="module")
def program(
    recipe: Recipe, models: list[Flatbuffer], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("host-firmware")
    platform = install_platform(cache_dir() / "build")
    render_project(recipe, models, folder, platform=platform)
    sources = [str(p) for p in (folder / "src").rglob("*.c") if "port" not in p.parts]
    flags = ["-O1" if flag == "-O2" else flag for flag in COMPILE_FLAGS]
    command = ["gcc", "-D_DEFAULT_SOURCE", *flags, *SANITIZERS, "-o", str(folder / "firmware")]
    command += [f"-I{folder / 'include'}", f"-I{folder / 'src'}", *sources]
    run([*command, str(Path(__file__).with_name("host_board.c"))], timeout_s=240)
    return folder / "firmware"


Connect = Callable[..., Line]


@pytest.fixture
def connect(program: Path, tmp_path: Path) -> Iterator[Connect]:
    """Starts firmwares; at the end each must have left without a sanitizer's complaint."""
    lines: list[Line] = []

    def start(arena_bytes: int | None = None) -> Line:
        lines.append(Line(program, tmp_path / f"log{len(lines)}", arena_bytes))
        return lines[-1]

    yield start
    for line in lines:
        code, output = line.end()
        assert (code, output) == (0, "")


@pytest.mark.slow
def test_it_introduces_itself(connect: Connect, recipe: Recipe, models: list[Flatbuffer]) -> None:
    info = Session(connect(), DEADLINES).hello()
    assert info.text("board") == "f746"
    assert info.text("firmware_hash") == recipe.firmware_hash
    assert info.text("image_hash") == recipe.image_hash(models)
    assert info.number("model_count") == MODELS
    assert "-O2" in info.text("flags")


@pytest.mark.slow
def test_every_model_gives_the_golden_bytes(connect: Connect, models: list[Flatbuffer]) -> None:
    session = Session(connect(), DEADLINES)
    session.hello()
    for index, model in enumerate(models):
        raw = session.measure(index, warmup=1, runs=3, seed=5)
        assert raw.summary["model"] == model.sha256
        expected = reference_output(model.data, seeded_input(raw.number("input_bytes"), 5))
        assert raw.output == expected.output
        # The clock ticks once a call: a timed run sees two calls, the profiled one more per mark.
        assert raw.samples == (1, 1, 1)
        assert len(raw.marks) == len(raw.operators) + 1
        assert raw.number("profiled_cycles") == len(raw.marks) + 1


def test_the_same_seed_gives_the_same_input_on_both_sides(connect: Connect) -> None:
    session = Session(connect(), DEADLINES)
    session.hello()
    outputs = {
        session.measure(0, warmup=0, runs=1, seed=seed).output for seed in (0, 1, 1, 2**32 - 1)
    }
    assert len(outputs) <= 3  # seeds 0 and 1 stand for the same


def test_a_small_arena_is_refused_and_the_needed_one_is_enough(
    connect: Connect, models: list[Flatbuffer]
) -> None:
    session = Session(connect(), DEADLINES)
    session.hello()
    for index in range(len(models)):
        needed = session.measure(index, warmup=0, runs=1, seed=1).number("arena_used_bytes")
        exact, small = Session(connect(needed), DEADLINES), Session(connect(needed - 16), DEADLINES)
        exact.hello()
        small.hello()
        again = exact.measure(index, warmup=0, runs=1, seed=1)
        assert again.number("arena_used_bytes") == needed
        with pytest.raises(ArenaTooSmallError, match=str(needed)):
            small.measure(index, warmup=0, runs=1, seed=1)


def test_a_trial_tells_what_an_arena_is_good_for(
    connect: Connect, models: list[Flatbuffer]
) -> None:
    session = Session(connect(), DEADLINES)
    session.hello()
    for index in range(len(models)):
        raw = session.measure(index, warmup=0, runs=1, seed=5)
        needed = raw.number("arena_used_bytes")
        same = (len(raw.output), zlib.crc32(raw.output))
        for arena_bytes in (needed, needed + 5, 1 << 20):
            trial = session.try_arena(index, seed=5, arena_bytes=arena_bytes)
            assert (trial.status, trial.intact, trial.used_bytes) == (0, True, needed)
            assert (trial.output_bytes, trial.output_crc32) == same
        for arena_bytes in (needed - 1, needed - 16, 0):
            trial = session.try_arena(index, seed=5, arena_bytes=arena_bytes)
            assert (trial.status, trial.intact) == (3, True)


def test_the_arena_is_verified_by_the_real_firmware(connect: Connect) -> None:
    session = Session(connect(), DEADLINES)
    info = session.hello()
    raw = session.measure(0, warmup=0, runs=1, seed=1)
    found = verified_arena(lambda _anew: session, MeasuredModel(0, 1, (), raw), info)
    assert found.verified
    assert found.used_bytes == raw.number("arena_used_bytes")
    assert 0 < found.bound_bytes <= found.tensor_bytes + found.scratch_bytes
    vague = replace(raw, summary={**raw.summary, "arena_exact": "0", "arena_used_bytes": "1000"})
    searched = verified_arena(lambda _anew: session, MeasuredModel(0, 1, (), vague), info)
    assert searched.used_bytes == found.used_bytes


def test_an_order_reaches_the_planner(connect: Connect, models: list[Flatbuffer]) -> None:
    session = Session(connect(), DEADLINES)
    session.hello()
    plans = set()
    for index, model in enumerate(models):
        order = offline_order(model.data, "plain")
        raw = session.measure(index, warmup=0, runs=1, seed=1, order=order)
        assert raw.summary["arena_plan"] == ("offline" if order else "greedy")
        plans.add(raw.summary["arena_plan"])
        trial = session.try_arena(
            index, seed=1, arena_bytes=raw.number("arena_used_bytes"), order=order
        )
        assert (trial.status, trial.intact) == (0, True)
        again = session.measure(index, warmup=0, runs=1, seed=1, order=range(65535, 65279, -1))
        assert again.summary["arena_plan"] == "greedy"
        assert again.output == raw.output
    assert plans == {"greedy", "offline"}


def test_a_trial_beyond_the_arena_or_the_models_is_refused(connect: Connect) -> None:
    session = Session(connect(), DEADLINES)
    session.hello()
    with pytest.raises(DeviceError, match="arena is smaller"):
        session.try_arena(0, seed=1, arena_bytes=(1 << 20) + 1)
    with pytest.raises(DeviceError, match="no such model"):
        session.try_arena(MODELS, seed=1, arena_bytes=1000)
    with pytest.raises(DeviceError, match="of the wrong size"):
        session.measure(0, warmup=0, runs=1, seed=1, order=range(257))


@pytest.mark.parametrize(("model", "runs"), [(MODELS, 1), (0, 0), (0, 257)])
def test_impossible_jobs_are_refused(connect: Connect, model: int, runs: int) -> None:
    session = Session(connect(), DEADLINES)
    session.hello()
    with pytest.raises(DeviceError, match=r"model|runs"):
        session.measure(model, warmup=0, runs=runs, seed=1)


def test_noise_is_survived(connect: Connect) -> None:
    """Random bytes, broken frames and wrong requests: the device answers the next good one."""
    line = connect()
    session = Session(line, DEADLINES)
    rng = random.Random(7)
    for _ in range(200):
        frame = Frame(rng.randrange(256), rng.randrange(256), rng.randbytes(rng.randrange(90)))
        good = bytearray(encode(frame))
        if frame.type not in (Type.RESET, Type.MEASURE) or rng.random() < 0.5:
            good[rng.randrange(len(good))] ^= 1 << rng.randrange(8)
        if frame.type == Type.RESET:
            continue
        line.write(bytes(good) + rng.randbytes(rng.randrange(20)) + b"\0")
        while line.read(0.0):
            pass
    while line.read(0.2):
        pass
    session.hello()
    assert session.measure(0, warmup=0, runs=1, seed=1).samples == (1,)
