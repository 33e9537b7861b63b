# SPDX-License-Identifier: Apache-2.0
"""An exported project builds as it stands, anywhere, and its program gives the right bytes."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.study_example import write_example
from unas._process import run
from unas.board import Board
from unas.cli.main import main
from unas.firmware.build import platformio_environment
from unas.host.reference import reference_output, seeded_input
from unas.virtual.machine.foreign import RunOptions, run_firmware
from unas.virtual.machine.script import Send, Until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed"
    ),
]
LINE = re.compile(rb"class (\d+) \((.*?)\) in (\d+) cycles, output ([0-9a-f]+)\r\n")


def test_the_exported_project_gives_the_golden_bytes(
    f746: Board, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_example(tmp_path / "results" / "one", rounds=25)
    inputs = [seeded_input(64, 5), bytes(64), seeded_input(64, 77)]
    for network in (tmp_path / "results" / "one" / "networks").iterdir():
        first = [byte - 256 * (byte > 127) for byte in inputs[0]]
        (network / "sample.json").write_text(json.dumps({"input": first, "label": 3}))
    home = tmp_path / "home"
    with pytest.raises(SystemExit) as end:
        main(["export", "one", "--best", "--results", str(tmp_path / "results"), "--to", str(home)])
    assert end.value.code in (0, None)
    assert "exported to" in capsys.readouterr().out
    project = (home / "project").rename(tmp_path / "moved")
    run(
        [sys.executable, "-m", "platformio", "run", "-d", str(project)],
        timeout_s=300,
        env=platformio_environment(),
    )
    elf = project / ".pio" / "build" / "f746" / "firmware.elf"
    model = (home / "model.tflite").read_bytes()
    ready = Until(b"ready\r\n")
    says = [Send(data.hex().encode() + b"\r\n") for data in inputs[1:]]
    found = run_firmware(
        f746, elf, RunOptions((ready, says[0], ready, says[1], ready, Send(b"0x1\n"), ready))
    )
    assert found.end == "script"
    assert found.faults == ()
    assert b"sample (wanted 3): class " in found.serial
    lines = LINE.findall(found.serial)
    assert [bytes.fromhex(line[3].decode()) for line in lines] == [
        reference_output(model, data).output for data in inputs
    ]
    for line in lines:
        scores = [(byte ^ 0x80) for byte in bytes.fromhex(line[3].decode())]  # as unsigned order
        assert int(line[0]) == scores.index(max(scores))
        assert int(line[2]) > 0
    assert b"error: a line holds two hex digits a byte of the input, 128 in all" in found.serial


def test_both_commands_say_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_example(tmp_path / "one", rounds=12)
    wrong = (
        (["export", "one", "--results", str(tmp_path)], "--candidate HASH or --best"),
        (["export", "one", "--best", "--runtime", "tflm", "--results", str(tmp_path)], "your tree"),
        (["report", "two", "--results", str(tmp_path)], "there is one"),
        (["plot", "pareto", "two", "--results", str(tmp_path)], "there is one"),
    )
    for arguments, words in wrong:
        with pytest.raises(SystemExit) as end:
            main(arguments)
        assert end.value.code == 1
        shown = capsys.readouterr().err.splitlines()
        assert len(shown) == 1
        assert words in shown[0]


def test_report_and_plot_write_where_the_study_lies(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_example(tmp_path / "one", rounds=12)
    for arguments in (["report", "one"], ["plot", "convergence", "one"]):
        with pytest.raises(SystemExit) as end:
            main([*arguments, "--results", str(tmp_path)])
        assert end.value.code in (0, None)
        for place in capsys.readouterr().out.split():
            assert Path(place).parent == tmp_path / "one"
            assert Path(place).stat().st_size > 1000
    with pytest.raises(SystemExit):
        main(["plot", "fronts", "one", "one", "--results", str(tmp_path), "--to",
              str(tmp_path / "figures" / "both")])  # fmt: skip
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == [
        "both.png",
        "both.svg",
    ]
