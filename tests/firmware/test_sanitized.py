# SPDX-License-Identifier: Apache-2.0
"""The runtime under the address and undefined-behaviour sanitizers, on good models."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.firmware.random_graphs import ADD, draw_network, draw_operator
from unas._paths import templates_dir
from unas._process import Completed, run
from unas.graph import OperatorKind
from unas.host.library import runtime_sources
from unas.host.runtime import run_on_host
from unas.tflite.writer import write_flatbuffer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("gcc") is None, reason="no host C compiler (gcc)"),
]

WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wshadow", "-Wundef", "-Wdouble-promotion")
SANITIZERS = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
OK, ARENA_TOO_SMALL = 0, 3
ARENA_BYTES = 128 * 1024
BASES, OPERATORS = 12, 50


@dataclass(frozen=True, slots=True)
class Answer:
    """One line of rt_run."""

    status: int
    operator: int
    needed_bytes: int
    text: str


@dataclass(frozen=True, slots=True)
class Runner:
    """rt_run, and which kernels it has."""

    program: Path
    kernels: str


@pytest.fixture(scope="module", params=["plain", "dsp"])
def rt_run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Runner:
    root = templates_dir()
    program = tmp_path_factory.mktemp("sanitized") / "rt_run"
    host = root / "test" / "rt_host.c"
    chosen = "-DRT_DSP_EMULATION" if request.param == "dsp" else "-DRT_PLAIN_KERNELS"
    flags = ("-std=c11", *WARNINGS, *SANITIZERS, chosen, f"-I{root / 'include'}")
    run(["gcc", *flags, "-o", program, host, *runtime_sources()], timeout_s=240)
    return Runner(program, request.param)


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
    offset: int, rt_run: Runner, tmp_path: Path
) -> None:
    for seed in range(BASES):
        model, input_bytes = _model(seed)
        expected = run_on_host(model, input_bytes, arena_bytes=ARENA_BYTES, kernels=rt_run.kernels)
        # From an odd address the runtime loses the bytes up to the next aligned one; they count.
        arena_bytes = expected.arena_used_bytes + -offset % 16
        (tmp_path / "model").write_bytes(model)
        (tmp_path / "input").write_bytes(input_bytes)
        paths = (tmp_path / "input", tmp_path / "model")
        done = run([rt_run.program, f"{arena_bytes}+{offset}", *paths], timeout_s=60)
        assert _answers(done) == [Answer(OK, -1, 0, "")]
        done = run([rt_run.program, f"{arena_bytes - 1}+{offset}", *paths], timeout_s=60)
        assert _answers(done)[0].status == ARENA_TOO_SMALL
        assert _answers(done)[0].needed_bytes == arena_bytes


@pytest.mark.parametrize("kind", ADD)
def test_operators_of_every_kind_touch_nothing_but_their_memory(
    kind: OperatorKind, rt_run: Runner, tmp_path: Path
) -> None:
    (tmp_path / "input").write_bytes(np.random.default_rng(33).bytes(509))
    paths = [tmp_path / f"model{seed}" for seed in range(OPERATORS)]
    for seed, path in enumerate(paths):
        rng = np.random.default_rng([seed, 34, list(ADD).index(kind)])
        path.write_bytes(write_flatbuffer(draw_operator(kind, rng), seed=seed, name=kind).data)
    done = run([rt_run.program, str(ARENA_BYTES), tmp_path / "input", *paths], timeout_s=120)
    assert _answers(done) == [Answer(OK, -1, 0, "")] * OPERATORS
