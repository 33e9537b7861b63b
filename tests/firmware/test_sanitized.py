# SPDX-License-Identifier: Apache-2.0
"""The runtime under the address and undefined-behaviour sanitizers, on good and broken models."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.firmware.random_graphs import draw_network
from unas._process import Completed, run
from unas._resources import templates_dir
from unas.export.flatbuffer import write_flatbuffer
from unas.hil.host_runtime import run_on_host, runtime_sources

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="no host C compiler (gcc)")

WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wshadow", "-Wundef", "-Wdouble-promotion")
SANITIZERS = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
OK, BAD_MODEL, UNSUPPORTED, ARENA_TOO_SMALL = range(4)
ARENA_BYTES = 128 * 1024
BASES, BROKEN_PER_BASE = 12, 200


@dataclass(frozen=True, slots=True)
class Answer:
    """One line of rt_run."""

    status: int
    operator: int
    needed_bytes: int
    text: str


@pytest.fixture(scope="module")
def rt_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = templates_dir()
    program = tmp_path_factory.mktemp("sanitized") / "rt_run"
    host = root / "test" / "rt_host.c"
    flags = ("-std=c11", *WARNINGS, *SANITIZERS, f"-I{root / 'include'}")
    run(["gcc", *flags, "-o", program, host, *runtime_sources()], timeout_s=240)
    return program


def _answers(done: Completed) -> list[Answer]:
    rows = [line.split(" ", 3) for line in done.stderr.splitlines()]
    return [Answer(int(row[0]), int(row[1]), int(row[2]), row[3]) for row in rows]


def _model(seed: int) -> tuple[bytes, bytes]:
    rng = np.random.default_rng([seed, 31])
    graph = draw_network(rng, 8)
    model = write_flatbuffer(graph, seed=seed, name="network").data
    return model, rng.bytes(graph.tensors[graph.inputs[0]].elements)


@pytest.mark.parametrize("offset", [0, 5])
def test_good_models_touch_nothing_but_their_memory(
    offset: int, rt_run: Path, tmp_path: Path
) -> None:
    for seed in range(BASES):
        model, input_bytes = _model(seed)
        expected = run_on_host(model, input_bytes, arena_bytes=ARENA_BYTES)
        # From an odd address the runtime loses the bytes up to the next aligned one; they count.
        arena_bytes = expected.arena_used_bytes + -offset % 16
        (tmp_path / "model").write_bytes(model)
        (tmp_path / "input").write_bytes(input_bytes)
        paths = (tmp_path / "input", tmp_path / "model")
        done = run([rt_run, f"{arena_bytes}+{offset}", *paths], timeout_s=60)
        assert _answers(done) == [Answer(OK, -1, 0, "")]
        done = run([rt_run, f"{arena_bytes - 1}+{offset}", *paths], timeout_s=60)
        assert _answers(done)[0].status == ARENA_TOO_SMALL
        assert _answers(done)[0].needed_bytes == arena_bytes


def _broken(model: bytes, rng: np.random.Generator) -> bytes:
    """The model with some bytes or words changed, mostly in its tables, or cut off."""
    data = bytearray(model)
    kind = rng.integers(4)
    if kind == 0:
        return bytes(data[: rng.integers(len(data))])
    for _ in range(rng.integers(1, 5)):
        at = int(rng.integers(len(data)))
        if kind == 1:
            data[at] ^= 1 << rng.integers(8)
        elif kind == 2:
            data[at] = rng.integers(256)
        else:
            words = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, len(data), int(rng.integers(2**32)))
            at -= at % 4
            data[at : at + 4] = words[rng.integers(len(words))].to_bytes(4, "little")
    return bytes(data)


def test_broken_models_are_refused_or_run_but_never_crash(rt_run: Path, tmp_path: Path) -> None:
    (tmp_path / "input").write_bytes(bytes(range(256)))
    statuses = np.zeros(5, int)
    for seed in range(BASES):
        model, _ = _model(seed)
        rng = np.random.default_rng([seed, 32])
        paths = [tmp_path / f"model{i}" for i in range(BROKEN_PER_BASE)]
        for path in paths:
            path.write_bytes(_broken(model, rng))
        done = run([rt_run, str(ARENA_BYTES), tmp_path / "input", *paths], timeout_s=240)
        answers = _answers(done)
        assert len(answers) == len(paths)
        for answer in answers:
            statuses[answer.status] += 1
            assert bool(answer.text) == (answer.status != OK)
    assert statuses[BAD_MODEL] > 100
    assert statuses[UNSUPPORTED] > 10
