# SPDX-License-Identifier: Apache-2.0
"""``unas-hil compare`` on the virtual board, as a user calls it."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from unas._process import run
from unas.errors import ToolError
from unas.resources.estimate import estimate
from unas.space.cnn import random_architecture
from unas.tflite.order import exported_graph
from unas.tflite.writer import write_flatbuffer

PROGRAM = (sys.executable, "-m", "unas.cli.main")
RUNTIMES = ("builtin", "builtin-plain")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed"
    ),
]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder, paths = tmp_path_factory.mktemp("models"), []
    for seed in (5, 6):
        graph = exported_graph(random_architecture(np.random.default_rng(seed)), (12, 12, 3), 10)
        path = folder / f"net{seed}.tflite"
        path.write_bytes(write_flatbuffer(graph, seed=seed, name="net").data)
        paths.append(path)
    return paths


def test_as_json(models: list[Path]) -> None:
    from unas.tflite.reader import read_flatbuffer

    command = [*PROGRAM, "compare", *map(str, models), "--board", "f746", "--format", "json"]
    found = json.loads(run(command, timeout_s=200).stdout)
    assert [entry["model"] for entry in found] == [path.stem for path in models]
    for path, entry in zip(models, found, strict=True):
        figures = estimate(read_flatbuffer(path.read_bytes(), path.name))
        assert entry["complaints"] == []
        assert entry["macs"] == figures.macs
        assert [r["runtime"] for r in entry["runtimes"]] == list(RUNTIMES)
        fast, plain = entry["runtimes"]
        assert plain["measurement"]["kernels"] == "plain"
        assert plain["measurement"]["output_sha256"] == fast["measurement"]["output_sha256"]
        assert (
            plain["measurement"]["info"]["firmware_hash"]
            != (fast["measurement"]["info"]["firmware_hash"])
        )
        for runtime in entry["runtimes"]:
            operators = runtime["operators"]
            assert sum(op["macs"] for op in operators) == figures.macs
            assert [op["name"] for op in operators] == [op["name"] for op in fast["operators"]]
            counted = sum(op["instructions"] for op in operators)
            assert counted == pytest.approx(runtime["instructions"], rel=0.02)
            assert runtime["instructions_per_mac"] == runtime["instructions"] / figures.macs
            assert 0 < runtime["program_bytes"] < runtime["measurement"]["flash_bytes"]


@pytest.mark.parametrize("columns", [80, 120])
def test_the_tables_fit_the_terminal(models: list[Path], columns: int) -> None:
    pty = pytest.importorskip("pty")  # a terminal, where the system has such
    command = [
        *PROGRAM,
        "compare",
        str(models[0]),
        "--board",
        "f746",
        "--runtimes",
        "builtin-plain",
    ]
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(COLUMNS=str(columns), TERM="dumb")
        os.execv(command[0], command)
    printed = b""
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # the program has ended
            break
        if not chunk:
            break
        printed += chunk
    assert os.waitpid(child, 0)[1] == 0, printed.decode()
    tables = printed.decode().split("net5 on f746", 1)[1].split("builtin-plain: ", 1)[0]
    assert "DEPTHWISE_CONV_2D" in tables or "CONV_2D" in tables
    assert max(map(len, tables.splitlines())) <= columns


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--runtimes", "builtin,tvm"), "no runtime 'tvm'"),
        (("--runtimes", "builtin,tflm"), "UNAS_TFLM"),
        (("--runtimes", "builtin,builtin"), "named twice"),
    ],
)
def test_what_is_refused(models: list[Path], arguments: tuple[str, ...], words: str) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "UNAS_TFLM"}
    command = [*PROGRAM, "compare", str(models[0]), "--board", "f746", *arguments]
    with pytest.raises(ToolError, match="exit code 1") as caught:
        run(command, timeout_s=60, env=environment)
    assert words in caught.value.output.splitlines()[-1]
