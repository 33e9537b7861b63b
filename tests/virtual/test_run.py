# SPDX-License-Identifier: Apache-2.0
"""``unas-hil run``: other people's firmware, its serial line and its counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.virtual.exception_board import compile_scenario
from unas._process import run
from unas.cli.main import main
from unas.errors import ConfigError, EmulatorError
from unas.virtual.bus.image import load_image
from unas.virtual.machine.script import ScriptLink, Send, Until, alternate, read_script, text_bytes

FLASH = 0x08000000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run")


def convert(elf: Path, kind: str) -> Path:
    image = elf.with_suffix(f".{kind}")
    form = {"bin": "binary", "hex": "ihex"}[kind]
    run(["arm-none-eabi-objcopy", "-O", form, elf, image], timeout_s=60)
    return image


def call(*arguments: object) -> int:
    with pytest.raises(SystemExit) as end:
        main(["run", *map(str, arguments)])
    return int(end.value.code or 0)


@pytest.mark.parametrize("kind", ["elf", "hex", "bin"])
def test_three_formats_one_firmware(
    folder: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    elf = compile_scenario(folder, "uart_interrupts")
    firmware = elf if kind == "elf" else convert(elf, kind)
    assert call(firmware, "--send", r"Hello\n", "--until", "hELLO", "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["serial"].startswith("hELLO")
    assert (found["end"], found["waiting_for"], found["provenance"]) == ("script", None, "emulated")
    assert found["instructions"] == found_before(found["instructions"])


_COUNTS: list[int] = []


def found_before(instructions: int) -> int:
    """The count of the first format: all formats must give it."""
    _COUNTS.append(instructions)
    return _COUNTS[0]


def test_images_hold_the_same_bytes(folder: Path) -> None:
    elf = compile_scenario(folder, "uart_interrupts")
    (plain,) = load_image(convert(elf, "bin"), FLASH).segments
    for image in (load_image(elf), load_image(convert(elf, "hex"))):
        for segment in image.segments:
            start = segment.address - FLASH
            assert plain.data[start : start + len(segment.data)] == segment.data


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b":00000001FE\n", r"bad.hex:1: wrong checksum"),
        (b":zz\n", r"bad.hex:1 is no record"),
        (b":00000001FF\n", "holds no data"),
        (b"hello", "no ELF file, no Intel hex"),
    ],
)
def test_broken_images_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad.hex"
    path.write_bytes(content)
    with pytest.raises(EmulatorError, match=message):
        load_image(path, FLASH)


def test_people_see_serial_output_then_counts(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    elf = compile_scenario(folder, "sleeping")
    assert call(elf) == 0
    out = capsys.readouterr().out
    assert "the firmware ended itself" in out
    assert "emulated, timing pipeline+memory" in out
    assert "0x102 -> 0x103" in out  # markers, the tenth of a million clocks between them
    assert "10,000" in out


def test_exit_codes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(compile_scenario(folder, "greet")) == 1
    captured = capsys.readouterr()
    assert captured.out.startswith("hello\n")
    assert "error: the firmware ended itself with code 3" in captured.err


def test_a_text_that_does_not_come(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    elf = compile_scenario(folder, "uart_interrupts")
    assert call(elf, "--until", "never", "--timeout", "0.01") == 1
    assert "error: 'never' did not come and the firmware waits for" in capsys.readouterr().err
    assert call(compile_scenario(folder, "sleeping"), "--until", "x") == 1
    assert "'x' did not come before the firmware ended itself" in capsys.readouterr().err


def test_virtual_time_ends_a_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    elf = compile_scenario(folder, "endless")
    assert call(elf, "--timeout", "0.005", "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["end"] == "timeout"
    assert found["seconds"] == pytest.approx(0.005, abs=1e-5)
    assert found["cycles"] == pytest.approx(0.005 * found["core_clock_hz"], rel=1e-3)


def test_unknown_registers_are_told_once_or_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    elf = compile_scenario(folder, "unknown")
    assert call(elf) == 0
    remarks = capsys.readouterr().err
    assert remarks.count("0x50060800") == 1  # read three times
    assert call(elf, "--strict") == 1
    assert "where no peripheral is modelled" in capsys.readouterr().err


def test_steps_take_turns() -> None:
    say, wait = Send(b"a"), Until(b"x")
    assert alternate(["a"], ["x"]) == (say, wait)
    assert alternate(["a"], ["x", "x"]) == (wait, say, wait)
    assert alternate(["a", "a"], ["x"]) == (say, wait, say)
    with pytest.raises(ConfigError, match="take turns"):
        alternate([], ["x", "x"])


def test_script_files(tmp_path: Path) -> None:
    path = tmp_path / "steps"
    path.write_text("# comment\n\nuntil m-ready\nsend name%\\r\n")
    assert read_script(path) == (Until(b"m-ready"), Send(b"name%\r"))
    path.write_text("until x\nshout y\n")
    with pytest.raises(ConfigError, match=r"steps:2: write 'send TEXT'"):
        read_script(path)


def test_escapes() -> None:
    assert text_bytes(r'say "hi"\n\x00\xff\\') == b'say "hi"\n\x00\xff\\'
    with pytest.raises(ConfigError, match="backslash"):
        text_bytes("broken\\")


def test_each_step_waits_behind_the_one_before() -> None:
    done: list[bool] = []
    steps = (Until(b"ok"), Send(b"1"), Until(b"ok"), Send(b"2"), Until(b"ok"))
    link = ScriptLink(steps, lambda byte: None, lambda: done.append(True))
    seen = []
    for byte in b"..okok.ok":
        link.send(byte)
        seen.append(bytes(link.to_board))
    assert seen == [b"", b"", b"", b"1", b"1", b"12", b"12", b"12", b"12"]
    assert done == [True]
