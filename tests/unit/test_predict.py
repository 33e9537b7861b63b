# SPDX-License-Identifier: Apache-2.0
"""``unas-hil predict``: what it prints is what the stored models say."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.synthetic_calibration import network, write_synthetic
from unas._process import run
from unas.cli.main import main
from unas.store.calibration import calibration_folder, read_models
from unas.tflite.reader import read_flatbuffer
from unas.tflite.writer import write_flatbuffer


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("results")
    write_synthetic(calibration_folder("f746", place))
    return place


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    graph = network(np.random.default_rng(77))
    path = tmp_path_factory.mktemp("models") / "small.tflite"
    path.write_bytes(write_flatbuffer(graph, seed=0, name="small").data)
    return path


def predict(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    with pytest.raises(SystemExit) as caught:
        main(["predict", *map(str, arguments), "--board", "f746"])
    assert caught.value.code in (0, None)
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    with pytest.raises(SystemExit) as caught:
        main(["predict", *map(str, arguments), "--board", "f746"])
    assert caught.value.code == 1
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert message.count("\n") == 1
    return message


@pytest.fixture
def told(results: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(predict(capsys, model, "--results", results, "--format", "json", "--advise"))


def test_the_numbers_are_the_models(told: Any, results: Path, model: Path) -> None:
    models = read_models(calibration_folder("f746", results))
    graph = read_flatbuffer(model.read_bytes(), "small")
    latency = models.default.latency_us(graph)
    assert told["latency_us"] == {
        "value": latency.value,
        "lower": latency.lower,
        "upper": latency.upper,
    }
    assert latency.lower < latency.value < latency.upper
    line = models.latency["mac-line"].latency_us(graph)
    assert told["mac_line_latency_us"]["value"] == line.value
    assert models.arena is not None
    assert told["arena_used_bytes"]["value"] == models.arena.predict(graph).value
    assert told["flash_bytes"] is None  # this calibration does not tell it
    assert told["interval_level"] == models.default.interval.level


def test_predicted_from_emulated_is_said_so(told: Any) -> None:
    assert told["provenance"] == "predicted"
    assert told["fitted_on"]["provenance"] == "emulated"


def test_the_shares_of_the_operators_make_one(told: Any, model: Path) -> None:
    graph = read_flatbuffer(model.read_bytes(), "small")
    assert [one["name"] for one in told["operators"]] == [str(op.kind) for op in graph.operators]
    assert sum(one["share"] for one in told["operators"]) == pytest.approx(1.0)
    assert sum(one["macs"] for one in told["operators"]) > 0
    for one in told["advice"]:
        assert one["kernel"] == told["operators"][one["index"]]["signature"]


def test_the_table_says_the_same(
    results: Path, model: Path, told: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    text = predict(capsys, model, "--results", results, "--advise")
    assert "small (predicted)" in text
    assert "emulated values" in text
    assert f"{told['latency_us']['value'] / 1e3:,.2f} ms" in text
    assert "90 % interval" in text
    assert "CONV_2D" in text
    assert "cycles a MAC" in text


def test_another_model_may_be_asked(
    results: Path, model: Path, told: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    text = predict(
        capsys, model, "--results", results, "--format", "json", "--model", "mac-line", "--advise"
    )
    line = json.loads(text)
    assert line["latency_us"] == told["mac_line_latency_us"]
    assert line["advice"] == []
    assert "'forest'" in refused(capsys, model, "--results", results, "--model", "forest")


def test_without_a_calibration_it_says_how_to_make_one(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    message = refused(capsys, model, "--results", tmp_path, "--runtime", "tflm")
    assert "unas-hil calibrate --board f746 --runtime tflm" in message


def test_predicting_needs_no_tensorflow(results: Path, model: Path) -> None:
    code = (
        "import sys; from unas.cli.main import main\n"
        f"asked = ['predict', {str(model)!r}, '--board', 'f746', '--results', {str(results)!r}]\n"
        "try: main(asked)\n"
        "except SystemExit: pass\n"
        "print('LOADED', *{'tensorflow', 'keras', 'matplotlib', 'sklearn'} & set(sys.modules))"
    )
    assert run([sys.executable, "-c", code], timeout_s=120).stdout.splitlines()[-1] == "LOADED"


def test_help_has_an_example_and_is_light() -> None:
    code = (
        "import sys; from unas.cli.main import main\n"
        "try: main(['predict', '--help'])\n"
        "except SystemExit: pass\n"
        "print('LOADED', *{'tensorflow', 'numpy', 'pandas'} & set(sys.modules))"
    )
    text = run([sys.executable, "-c", code], timeout_s=60).stdout
    assert "Example" in text
    assert text.splitlines()[-1] == "LOADED"
