# SPDX-License-Identifier: Apache-2.0
"""The only place that starts programs."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from unas.errors import ToolError


@dataclass(frozen=True, slots=True)
class Completed:
    """A program that ended well."""

    stdout: str
    stderr: str


def last_line(text: str) -> str:
    """The last line of a program's output that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it printed nothing"


def find_program(name: str, install: str) -> str:
    """Path of a program on PATH.

    Args:
        name: The program.
        install: What to tell the user to do if it is missing.

    Raises:
        ToolError: It is not there.
    """
    path = shutil.which(name)
    if path is None:
        raise ToolError(f"{name} is not on PATH; {install}")
    return path


def run(
    command: Sequence[str | Path],
    *,
    timeout_s: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Completed:
    """Run a program to its end, without a shell.

    Raises:
        ToolError: It is missing, failed or took too long; the error keeps its output.
    """
    name = Path(command[0]).name
    try:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=cwd,
            env=None if env is None else dict(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except FileNotFoundError as error:
        raise ToolError(f"{name} cannot be started: not found; install it") from error
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"{name} took over {timeout_s:.0f} s and was stopped; try again") from error
    if done.returncode != 0:
        output = done.stdout + done.stderr
        raise ToolError(
            f"{name} failed with exit code {done.returncode}: {last_line(output)}", output
        )
    return Completed(done.stdout, done.stderr)


class Background:
    """A program that runs beside us until ``stop``; its output goes to a log file."""

    def __init__(self, command: Sequence[str | Path], *, log: Path) -> None:
        self._log = log
        with log.open("wb") as sink:
            # A session of its own: Ctrl-C in the terminal reaches us only, and we stop it in order.
            self._process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """Exit code, or None while it runs."""
        return self._process.poll()

    def output(self) -> str:
        """What it has printed so far."""
        return self._log.read_text(errors="replace")

    def stop(self, grace_s: float = 3.0) -> None:
        """Ask it to end, and make it."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(grace_s)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()
