# SPDX-License-Identifier: Apache-2.0
"""The program answers at once: it imports what a command needs when the command is called."""

from __future__ import annotations

import sys

import pytest

from unas._process import run
from unas.cli.options import choose_emulation
from unas.errors import ConfigError

HEAVY = ("tensorflow", "keras", "numpy", "pandas", "matplotlib", "unicorn", "serial", "jinja2")
PROBE = """
import sys
from unas.cli.main import main
try:
    main({arguments!r})
except SystemExit as end:
    assert end.code in (0, None), end.code
print("LOADED", *sorted(name for name in {heavy!r} if name in sys.modules))
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["calibrate", "--help"],
        ["measure", "--help"],
        ["plot", "--help"],
        ["report", "--help"],
        ["export", "--help"],
    ],
)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = PROBE.format(arguments=arguments, heavy=HEAVY)
    done = run([sys.executable, "-c", code], timeout_s=60)
    assert done.stdout.splitlines()[-1] == "LOADED"
    assert "Usage" in done.stdout


@pytest.mark.slow
def test_every_command_has_an_example() -> None:
    for command in ("boards", "estimate", "measure", "calibrate", "report", "export"):
        code = f"from unas.cli.main import main; main([{command!r}, '--help'])"
        assert "Example" in run([sys.executable, "-c", code], timeout_s=60).stdout


@pytest.mark.parametrize(
    ("emulator", "timing", "words"),
    [
        ("bochs", None, "known: unicorn"),
        ("unicorn", "fast", "pipeline"),
        ("qemu", "pipeline", "QEMU"),
    ],
)
def test_an_emulation_that_does_not_exist_is_refused_before_anything_is_built(
    emulator: str, timing: str | None, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        choose_emulation(emulator, timing)
