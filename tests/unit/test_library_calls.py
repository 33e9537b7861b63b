# SPDX-License-Identifier: Apache-2.0
"""What the commands do is one call for a Python user, with the same result."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.kernel_log import kernel_log
from tests.unit.synthetic_calibration import write_synthetic
from unas.board import Board
from unas.calibration.draw import random_model
from unas.calibration.predict import predict
from unas.calibration.run import (
    CalibrationProgress,
    calibrate_board,
    import_calibration,
)
from unas.cli.main import main
from unas.errors import ConfigError, ModelError, StoreError
from unas.lab.bench import Bench
from unas.resources.estimate import estimate
from unas.store.calibration import calibration_folder, read_models
from unas.testing.fakes import MemoryStore
from unas.tflite.model_file import Model, load_model

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def model() -> Model:
    return random_model(3)


def test_a_random_model_is_the_same_again(model: Model, tmp_path: Path) -> None:
    assert random_model(3) == model
    assert random_model(4) != model
    path = tmp_path / f"{model.name}.tflite"
    path.write_bytes(model.flatbuffer.data)
    loaded = load_model(path)
    assert loaded.flatbuffer == model.flatbuffer
    assert estimate(loaded.graph).macs == estimate(model.graph).macs


def test_a_file_that_is_no_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.tflite"):
        load_model(tmp_path / "none.tflite")
    (tmp_path / "text.tflite").write_text("no flatbuffer")
    with pytest.raises(ModelError, match=r"text\.tflite"):
        load_model(str(tmp_path / "text.tflite"))


def test_a_prediction_is_what_the_command_prints(
    model: Model, f746: Board, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_synthetic(calibration_folder("f746", tmp_path))
    path = tmp_path / "net.tflite"
    path.write_bytes(model.flatbuffer.data)
    prediction = predict(load_model(path), f746, advise=True, results=tmp_path)
    with pytest.raises(SystemExit):
        main(["predict", str(path), "--board", "f746", "--advise", "--format", "json",
              "--results", str(tmp_path)])  # fmt: skip
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(json.dumps(prediction.to_json_dict()))
    assert prediction.latency_us.lower < prediction.latency_us.value < prediction.latency_us.upper
    assert predict(model, f746, results=tmp_path).advice is None
    with pytest.raises(ConfigError, match="'forest'"):
        predict(model, f746, latency_model="forest", results=tmp_path)
    with pytest.raises(StoreError, match="--runtime tflm"):
        predict(model, f746, runtime="tflm", results=tmp_path)


def test_an_interval_without_end_is_null_in_json(model: Model, f746: Board, tmp_path: Path) -> None:
    write_synthetic(calibration_folder("f746", tmp_path))
    prediction = predict(model, f746, results=tmp_path)
    endless = replace(prediction.latency_us, upper=float("inf"))
    data = replace(prediction, latency_us=endless).to_json_dict()
    assert data["latency_us"]["upper"] is None
    json.dumps(data, allow_nan=False)


@pytest.mark.slow
def test_an_import_is_stored_whole_or_not_at_all(f746: Board, tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text(kernel_log(40, seed=0))
    results = tmp_path / "results"
    drawn: list[set[str]] = []
    result = import_calibration(
        log, f746, results=results, draw=lambda folder: drawn.append(names(folder))
    )
    assert result.effort is None
    assert {"models.json", "environment.json"} <= drawn[0] == names(result.folder)
    assert read_models(result.folder).chosen == result.results.fitted.model.name
    before = (result.folder / "models.json").read_bytes()

    def fail(_: Path) -> None:
        raise StoreError("no figure")

    with pytest.raises(StoreError, match="no figure"):
        import_calibration(log, f746, seed=1, results=results, draw=fail)
    assert (result.folder / "models.json").read_bytes() == before
    assert [path.name for path in result.folder.parent.iterdir()] == [result.folder.name]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("target", "runs", "expected"),
    [
        (None, None, {"kernels": 0, "until": None, "runs": 1}),
        (5.0, None, {"kernels": 512, "until": "5%", "held_out": 20, "runs": 1}),
        (2.5, 3, {"kernels": 512, "until": "2.5%", "held_out": 20, "runs": 3}),
    ],
)
def test_a_calibration_records_its_options_as_it_always_did(
    f746: Board,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    target: float | None,
    runs: int | None,
    expected: dict[str, object],
) -> None:
    """The keys of ``command`` in environment.json are those of published calibrations."""
    stored = json.loads((ROOT / "results/calibration/f746/environment.json").read_text())
    recorded: list[dict[str, object]] = []
    monkeypatch.setattr(
        "unas.calibration.run.calibrate_plainly",
        lambda plan, _: stop(recorded, plan.command),
    )
    monkeypatch.setattr(
        "unas.calibration.run.calibrate_until",
        lambda plan, *_: stop(recorded, plan.command),
    )
    with pytest.raises(StoreError, match="far enough"):
        calibrate_board(
            Bench(f746), target_error_percent=target, runs=runs, results=tmp_path,
            store=MemoryStore(), progress=CalibrationProgress(),
        )  # fmt: skip
    common = {"models": 100, "seed": 0, "warmup": 1}
    assert recorded == [common | expected]
    assert stored["command"].keys() == recorded[0].keys() - {"held_out"}
    assert not list(tmp_path.iterdir())


def stop(recorded: list[dict[str, object]], command: dict[str, object]) -> None:
    recorded.append(dict(command))
    raise StoreError("far enough")
