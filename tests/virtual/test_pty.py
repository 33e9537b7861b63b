# SPDX-License-Identifier: Apache-2.0
"""The virtual board as a program, through the real pyserial."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import serial

from tests.virtual.probe_board import ProbeBoard, word, words
from unas._process import Background
from unas.board import load_board

DEADLINE_S = 30.0


class Program:
    """``python -m unas.virtual`` in the background."""

    def __init__(self, folder: Path, elf: Path, *options: str) -> None:
        self.events_file = folder / "events.jsonl"
        self.link = folder / "tty"
        command: list[str | Path] = [sys.executable, "-m", "unas.virtual", elf, "--board", "f746"]
        command += ["--events", self.events_file, "--link", self.link, *options]
        self.process = Background(command, log=folder / "log")

    def ready(self) -> dict[str, object]:
        """Its first line."""
        self.until(lambda: "\n" in self.process.output())
        answer: dict[str, object] = json.loads(self.process.output().splitlines()[0])
        return answer

    def open(self) -> serial.Serial:
        """The port, as a host opens it; past the greeting of the firmware."""
        self.ready()
        port = serial.Serial(str(self.link), 115200, timeout=DEADLINE_S)
        port.write(b"?")
        while port.read(1) == b"!":
            pass
        return port

    def events(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.events_file.read_text().splitlines()]

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, self.process.output()
            time.sleep(0.01)


@contextmanager
def running(folder: Path, elf: Path, *options: str) -> Iterator[Program]:
    folder.mkdir(exist_ok=True)
    program = Program(folder, elf, *options)
    try:
        yield program
    finally:
        program.process.stop()


@pytest.fixture
def program(tmp_path: Path, firmware: Callable[..., Path]) -> Iterator[Program]:
    with running(tmp_path, firmware()) as started:
        yield started


def test_it_says_what_it_is(program: Program) -> None:
    ready = program.ready()
    assert ready["timing"] == "pipeline+memory"
    assert ready["pid"] == program.process.pid
    assert program.link.resolve() == Path(str(ready["port"]))
    assert isinstance(ready["native"], bool)
    assert ready["board_sha256"] == load_board("f746").file_sha256


def test_every_byte_value_both_ways(program: Program) -> None:
    with program.open() as port:
        data = bytes(range(256))
        port.write(b"E" + word(len(data)) + data)
        assert port.read(len(data)) == data


@pytest.mark.slow
def test_64_kib_each_way_and_nothing_is_lost(program: Program) -> None:
    data = bytes(i * 7 & 0xFF ^ i >> 8 & 0xFF for i in range(1 << 16))
    with program.open() as port:
        # All is written before the first byte is read: the board must not wait for us.
        port.write(b"E" + word(len(data)) + data)
        assert port.read(len(data)) == data
        port.write(b"S" + word(len(data)))
        assert port.read(len(data)) == bytes(range(256)) * 256


def test_the_host_may_come_back(program: Program) -> None:
    for _ in range(2):
        with program.open() as port:
            port.write(b"E" + word(2) + b"hi")
            assert port.read(2) == b"hi"


def test_stages_are_on_disk_before_the_answer(program: Program, probe: ProbeBoard) -> None:
    with program.open() as port:
        port.write(b"W" + word(100))
        answer = port.read(8)
        begin, end = (event for event in program.events() if "stage" in event)
    # The same counts as in this process, whatever the host's timing was.
    assert answer == probe.ask(b"W" + word(100))
    here = probe.stages()
    assert end["cycles"] == int(str(begin["cycles"])) + here[1].cycles - here[0].cycles


def test_counting_in_python_gives_the_same(tmp_path: Path, firmware: Callable[..., Path]) -> None:
    answers = []
    for name, options in (("fast", ()), ("slow", ("--python",))):
        options = (*options, "--timing", "instructions")  # all that Python can
        with running(tmp_path / name, firmware(), *options) as program, program.open() as port:
            port.write(b"W" + word(100))
            answers.append((port.read(8), program.events()))
    assert answers[0] == answers[1]


def test_a_fault_is_reported_and_the_board_comes_back(program: Program) -> None:
    with program.open() as port:
        port.write(b"F" + word(0))
        assert port.read(1) == b"!"
        kinds = [next(iter(event)) for event in program.events()]
        assert kinds == ["stage", "fault", "reset"]


def test_the_port_closes_when_the_machine_ends(program: Program) -> None:
    with program.open() as port:
        port.write(b"F" + word(5))
        with pytest.raises(serial.SerialException):
            port.read(1)
    program.until(lambda: program.process.exit_code() is not None)
    assert program.process.exit_code() == 1
    last = program.events()[-1]
    assert "0x40012C00" in str(last["error"])
    assert program.process.output().splitlines()[1:] == [last["error"]]
    assert not program.link.is_symlink()


def test_it_ends_in_order_on_sigterm(program: Program) -> None:
    with program.open() as port:
        port.write(b"W" + word(0x7FFFFFFF))  # busy for minutes
        program.until(lambda: any(event.get("stage") == 1 for event in program.events()))
        program.process.stop()
    assert program.process.exit_code() == 0
    assert program.events()[-1]["end"] == "stopped"
    assert not program.link.is_symlink()


@pytest.mark.slow
def test_two_boards_at_once_with_an_empty_cache(
    tmp_path: Path, firmware: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNAS_CACHE", str(tmp_path / "cache"))
    ids = set()
    with (
        running(tmp_path / "a", firmware(), "--instance", "1") as first,
        running(tmp_path / "b", firmware(), "--instance", "2") as second,
    ):
        for program in (first, second):
            with program.open() as port:
                port.write(b"I")
                ids.add(words(port.read(56))[2:5])
        assert first.ready()["native"] == second.ready()["native"]
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("board", "message"), [("f747", "did you mean f746"), ("f746", "is no ELF file")]
)
def test_what_cannot_start_says_why(tmp_path: Path, board: str, message: str) -> None:
    wrong = tmp_path / "firmware.elf"
    wrong.write_text("no ELF file. " * 20)
    process = Background(
        [sys.executable, "-m", "unas.virtual", wrong, "--board", board], log=tmp_path / "log"
    )
    deadline = time.monotonic() + DEADLINE_S
    while process.exit_code() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert process.exit_code() == 1
    (line,) = process.output().splitlines()
    assert message in line
