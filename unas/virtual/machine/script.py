# SPDX-License-Identifier: Apache-2.0
"""The far end of the serial line as a list of steps: wait for a text, send a text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from unas.errors import ConfigError
from unas.virtual.bus.link import NotifyingLink


@dataclass(frozen=True, slots=True)
class Send:
    """Send these bytes."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Until:
    """Wait until the firmware has sent these bytes, behind what was waited for before."""

    data: bytes


Step = Send | Until


def text_bytes(text: str) -> bytes:
    r"""Bytes of a text with the escapes of Python, e.g. ``\n``, ``\r``, ``\x00``.

    Raises:
        ConfigError: A broken escape.
    """
    try:
        plain = text.encode("latin-1", "backslashreplace").decode("unicode_escape")
        return plain.encode("latin-1")
    except UnicodeError as error:
        raise ConfigError(
            f"{text!r}: {error}; a serial line carries bytes: write a backslash as \\\\, "
            "others as \\xNN"
        ) from error


def alternate(sends: Sequence[str], untils: Sequence[str]) -> tuple[Step, ...]:
    """Steps in turn: they begin with a send, or with waiting if there is one more of these.

    Raises:
        ConfigError: More than one is left over, or a text is broken.
    """
    if abs(len(sends) - len(untils)) > 1:
        raise ConfigError(
            f"{len(sends)} texts to send and {len(untils)} to wait for: they take turns, so that "
            "one more of either is the most; or write a script file"
        )
    says: list[Step] = [Send(text_bytes(text)) for text in sends]
    waits: list[Step] = [Until(text_bytes(text)) for text in untils]
    first, second = (waits, says) if len(waits) > len(says) else (says, waits)
    steps: list[Step] = []
    for index, step in enumerate(first):
        steps += [step, *second[index : index + 1]]
    return tuple(steps)


def read_script(path: Path) -> tuple[Step, ...]:
    """A file of lines ``send TEXT`` and ``until TEXT``; empty lines and ``#`` lines are skipped.

    Raises:
        ConfigError: It cannot be read, or a line is something else.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}; check the path") from error
    steps: list[Step] = []
    for number, line in enumerate(lines, 1):
        verb, _, text = line.strip().partition(" ")
        if not verb or verb.startswith("#"):
            continue
        if verb not in ("send", "until") or not text:
            raise ConfigError(f"{path}:{number}: write 'send TEXT' or 'until TEXT'")
        data = text_bytes(text)
        steps.append(Send(data) if verb == "send" else Until(data))
    return tuple(steps)


class ScriptLink(NotifyingLink):
    """Follows the steps, each as soon as the one before it is done.

    Args:
        steps: What to do.
        out: Takes each byte that the firmware sends.
        done: Called when the last step is done, if it was to wait.

    Attributes:
        waiting_for: The text that is waited for; None: nothing is.
    """

    def __init__(
        self, steps: Iterable[Step], out: Callable[[int], None], done: Callable[[], None]
    ) -> None:
        super().__init__()
        self._steps = list(steps)
        self._out = out
        self._done = done
        self._seen = 0  # bytes of from_board that matched already
        self.waiting_for: bytes | None = None
        while self._steps and isinstance(self._steps[0], Send):
            self.to_board += self._pop()
        self._await()

    def send(self, byte: int) -> None:
        """See ``ByteLink.send``."""
        super().send(byte)
        self._out(byte)
        while self.waiting_for is not None:
            result = self.from_board.find(self.waiting_for, self._seen)
            if result < 0:
                return
            self._seen = result + len(self.waiting_for)
            self._pop()
            self._follow()

    def _pop(self) -> bytes:
        return self._steps.pop(0).data

    def _follow(self) -> None:
        if not self._steps:
            self.waiting_for = None
            self._done()
            return
        while self._steps and isinstance(self._steps[0], Send):
            self.give(self._pop())
        self._await()

    def _await(self) -> None:
        self.waiting_for = self._steps[0].data if self._steps else None
