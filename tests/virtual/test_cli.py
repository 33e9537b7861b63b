# SPDX-License-Identifier: Apache-2.0
"""The program as a user calls it: good input once, bad input in one line with exit code 1."""

from __future__ import annotations

import json
import os
import shutil
import signal
import struct
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from unas._paths import boards_dir
from unas._process import Background, run
from unas.errors import ToolError
from unas.graph import Graph, Operator, OperatorKind, PoolOptions, Tensor
from unas.space.cnn import random_architecture
from unas.store.measurements import read_samples
from unas.tflite.order import exported_graph
from unas.tflite.writer import write_flatbuffer

pytestmark = pytest.mark.slow

PROGRAM = (sys.executable, "-m", "unas.cli.main")
needs_compiler = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed"
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    graph = exported_graph(random_architecture(np.random.default_rng(5)), (12, 12, 3), 10)
    path = tmp_path_factory.mktemp("models") / "net.tflite"
    path.write_bytes(write_flatbuffer(graph, seed=5, name="net").data)
    return path


def _refused(folder: Path, *arguments: str, path: str | None = None) -> str:
    """The one line that a refused call prints; nothing may be left behind."""
    environment = {**os.environ, **({} if path is None else {"PATH": path})}
    before = set(folder.rglob("*"))
    with pytest.raises(ToolError, match="exit code 1") as caught:
        run([*PROGRAM, *arguments], timeout_s=120, cwd=folder, env=environment)
    assert set(folder.rglob("*")) == before
    lines = [line for line in caught.value.output.splitlines() if "virtual" not in line]
    assert len(lines) == 1, caught.value.output
    assert lines[0].startswith("error: ")
    return lines[0]


def test_what_is_no_flatbuffer(tmp_path: Path) -> None:
    (tmp_path / "picture.tflite").write_bytes(b"\x89PNG" * 100)
    line = _refused(tmp_path, "measure", "picture.tflite", "--board", "f746")
    assert "picture.tflite" in line


def test_a_missing_file(tmp_path: Path) -> None:
    assert "none.tflite" in _refused(tmp_path, "measure", "none.tflite", "--board", "f746")


def test_a_float_model(tmp_path: Path) -> None:
    import tensorflow as tf

    network = tf.keras.Sequential([tf.keras.Input((4,), batch_size=1), tf.keras.layers.Dense(2)])
    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    (tmp_path / "float.tflite").write_bytes(converter.convert())
    line = _refused(tmp_path, "measure", "float.tflite", "--board", "f746")
    assert "float32" in line
    assert "float.tflite" in line


def test_an_operator_without_kernel(tmp_path: Path, model: Path) -> None:
    import tflite

    data = bytearray(model.read_bytes())
    table = tflite.Model.GetRootAs(bytes(data)).OperatorCodes(0)
    assert table is not None
    for field, kind in ((4, "<b"), (10, "<i")):  # deprecated_builtin_code, builtin_code
        offset = table._tab.Offset(field)
        if offset:
            struct.pack_into(kind, data, table._tab.Pos + offset, tflite.BuiltinOperator.TANH)
    (tmp_path / "tanh.tflite").write_bytes(data)
    assert "TANH" in _refused(tmp_path, "measure", "tanh.tflite", "--board", "f746")


@needs_compiler
def test_a_model_larger_than_flash(tmp_path: Path) -> None:
    """Weights of 1.1 MB: 256 x 4400 in a dense layer."""
    tensors = (
        Tensor("in", (1, 4400)),
        Tensor("w", (256, 4400), constant=True),
        Tensor("out", (1, 256)),
    )
    from unas.graph import DenseOptions

    dense = Operator(OperatorKind.FULLY_CONNECTED, (0, 1, -1), 2, DenseOptions())
    graph = Graph(tensors, (dense,), (0,), (2,))
    (tmp_path / "big.tflite").write_bytes(write_flatbuffer(graph, seed=0, name="big").data)
    line = _refused(tmp_path, "measure", "big.tflite", "--board", "f746")
    assert "big" in line
    assert "flash" in line


@needs_compiler
def test_an_arena_larger_than_ram(tmp_path: Path) -> None:
    tensors = (Tensor("in", (1, 512, 512, 3)), Tensor("out", (1, 256, 256, 3)))
    pool = Operator(OperatorKind.MAX_POOL_2D, (0,), 1, PoolOptions(2, 2, 2, 2))
    graph = Graph(tensors, (pool,), (0,), (1,))
    (tmp_path / "wide.tflite").write_bytes(write_flatbuffer(graph, seed=0, name="wide").data)
    line = _refused(tmp_path, "measure", "wide.tflite", "--board", "f746")
    assert "wide" in line
    assert "RAM" in line
    assert str(512 * 512 * 3 + 256 * 256 * 3)[:3] in line  # the bytes that would do


def test_a_board_with_a_typo(tmp_path: Path, model: Path) -> None:
    assert "did you mean f746" in _refused(tmp_path, "measure", str(model), "--board", "f764")
    assert "did you mean f746" in _refused(tmp_path, "calibrate", "--board", "f764")


def test_a_board_file_with_an_unknown_key(tmp_path: Path, model: Path) -> None:
    text = (boards_dir() / "f746.toml").read_text()
    (tmp_path / "mine.toml").write_text(text.replace("baud =", "bauds = 1\nbaud ="))
    line = _refused(tmp_path, "measure", str(model), "--board", "mine.toml")
    assert "'bauds'" in line
    assert "did you mean baud" in line


def test_a_missing_compiler(tmp_path: Path, model: Path) -> None:
    line = _refused(tmp_path, "measure", str(model), "--board", "f746", path=str(tmp_path))
    assert "arm-none-eabi-gcc" in line
    assert "install" in line


def test_a_plot_of_nothing(tmp_path: Path) -> None:
    line = _refused(tmp_path, "plot", "mac-vs-latency", "--board", "f746")
    assert "unas-hil calibrate --board f746" in line


def test_estimate_speaks_json(model: Path, tmp_path: Path) -> None:
    done = run([*PROGRAM, "estimate", str(model), "--format", "json"], timeout_s=60, cwd=tmp_path)
    data = json.loads(done.stdout)
    assert data["provenance"] == "predicted"
    assert data["flatbuffer_bytes"] == model.stat().st_size
    assert sum(op["macs"] for op in data["operators"]) == data["macs"]


@needs_compiler
def test_measure_speaks_json_and_remembers(model: Path, tmp_path: Path) -> None:
    command = [*PROGRAM, "measure", str(model), "--board", "f746", "--format", "json"]
    first = json.loads(run(command, timeout_s=120, cwd=tmp_path).stdout)
    again = json.loads(run(command, timeout_s=120, cwd=tmp_path).stdout)
    assert first == again
    assert first["provenance"] == "emulated"
    assert first["output"]["mismatches"] == 0


@needs_compiler
def test_an_interrupted_calibration_goes_on(tmp_path: Path) -> None:
    """SIGINT after the first network: code 130, no results; the next call measures the rest."""
    os.environ["UNAS_CACHE"], kept = str(tmp_path / "cache"), os.environ["UNAS_CACHE"]
    try:
        # One worker, one image: after the first result there are five more to wait for.
        command = [*PROGRAM, "calibrate", "--board", "f746", "--networks", "6", "--seed", "3"]
        command += ["--workers", "1", "--timing", "instructions"]
        command += ["--results", str(tmp_path / "results")]
        running = Background(command, log=tmp_path / "log")
        store = tmp_path / "cache" / "measurements"
        end = time.monotonic() + 120
        while not list(store.rglob("[!.]*.json")) and time.monotonic() < end:
            assert running.exit_code() is None, running.output()
            time.sleep(0.02)
        os.kill(running.pid, signal.SIGINT)
        while running.exit_code() is None and time.monotonic() < end:
            time.sleep(0.05)
        assert running.exit_code() == 130, running.output()
        assert "goes on from there" in running.output()
        assert not (tmp_path / "results").exists()
        before = {path: path.stat().st_mtime_ns for path in store.rglob("[!.]*.json")}
        assert before
        run(command, timeout_s=240)
        after = {path: path.stat().st_mtime_ns for path in store.rglob("[!.]*.json")}
    finally:
        os.environ["UNAS_CACHE"] = kept
    assert len(after) == 6
    assert before.items() <= after.items()  # nothing was measured twice
    folder = tmp_path / "results" / "calibration" / "f746"
    names = {path.name for path in folder.iterdir()}
    assert {"measurements.csv", "models.json", "environment.json", "mac_vs_latency.png"} <= names
    assert "emulated" in (folder / "mac_vs_latency.svg").read_text()
    figure = (folder / "mac_vs_latency.png").read_bytes()
    run([*PROGRAM, "plot", "mac-vs-latency", "--board", "f746"], timeout_s=60, cwd=tmp_path)
    assert (folder / "mac_vs_latency.png").read_bytes() == figure


@needs_compiler
def test_active_sampling_judges_by_networks_it_never_fits(tmp_path: Path) -> None:
    command = [*PROGRAM, "calibrate", "--board", "f746", "--target-error", "0.001%"]
    command += ["--held-out", "4", "--networks", "5", "--kernels", "6", "--seed", "3"]
    command += ["--timing", "instructions", "--results", str(tmp_path), "--format", "json"]
    first = json.loads(run(command, timeout_s=240).stdout)
    assert first["sampling"]["effort"]["images"] >= 1
    assert first["provenance"] == "emulated"
    assert first["quality"]["latency"][first["chosen"]]["fit"]["n"] == 4
    folder = tmp_path / "calibration" / "f746"
    reported = json.loads((folder / "sampling.json").read_text())
    assert reported["rounds"][-1]["networks"] == 5
    assert reported["rounds"][-1]["kernels"] == 6
    assert reported["held_out_mape_percent"] > 0.001
    assert not reported["reached"]
    kernels = (folder / "kernels.jsonl").read_text().splitlines()
    assert not any(json.loads(line)["arena"]["verified"] for line in kernels)
    samples = read_samples(folder / "samples.jsonl")
    assert set(reported["held_out"]) < {sample.name for sample in samples}


def test_a_goal_that_is_no_percentage(tmp_path: Path) -> None:
    for goal in ("soon", "0%", "120%", "-3"):
        line = _refused(tmp_path, "calibrate", "--board", "f746", "--target-error", goal)
        assert "--target-error 5%" in line
