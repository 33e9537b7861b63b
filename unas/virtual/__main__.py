# SPDX-License-Identifier: Apache-2.0
"""``python -m unas.virtual ELF --board f746 --events FILE``: a virtual board on a pty.

When it is ready it prints one line of JSON with the keys ``port``, ``pid``, ``timing``, ``native``
and ``board_sha256``: the digest of the board that it runs as.
It runs until SIGTERM or SIGINT (exit code 0), or until the firmware does what the board does not
allow (exit code 1, one line on stderr). Each line of FILE is one JSON object, see ``events``; the
last has the key ``end`` or ``error``.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from unas.board import load_board
from unas.errors import UnasError
from unas.virtual.bus.link import PtyLink
from unas.virtual.machine.events import Event, to_json
from unas.virtual.machine.machine import Machine

_ENDING_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m unas.virtual", description="a virtual board on a pty"
    )
    parser.add_argument("elf", type=Path, help="the firmware")
    parser.add_argument(
        "--board", required=True, help="id of a board, or the path of its TOML file"
    )
    parser.add_argument("--events", type=Path, help="append stages, faults and resets to this file")
    parser.add_argument("--link", type=Path, help="a symbolic link to make to the port")
    parser.add_argument(
        "--instance", type=int, default=0, help="number that goes into the unique id"
    )
    parser.add_argument("--timing", help="what cycles are; default: the best the board allows")
    parser.add_argument("--python", action="store_true", help="count without native code: slow")
    return parser.parse_args(argv)


class _Journal:
    """Lines of JSON, on disk before ``append`` returns to the firmware."""

    def __init__(self, path: Path | None) -> None:
        self._file = None if path is None else path.open("a", encoding="utf-8")

    def append(self, line: Mapping[str, object]) -> None:
        if self._file is not None:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()

    def event(self, event: Event) -> None:
        self.append(to_json(event))


def _relink(link: Path, port: str) -> None:
    """Point the link to the port in one step: a reader sees the old or the new one."""
    fresh = link.with_name(f".{link.name}.{os.getpid()}")
    fresh.symlink_to(port)
    fresh.replace(link)


def _watch_signals(stop: Callable[[], None]) -> None:
    """Call ``stop`` on the first ending signal, even while the main thread is in native code."""

    def watch() -> None:
        signal.sigwait(_ENDING_SIGNALS)
        stop()

    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING_SIGNALS)
    threading.Thread(target=watch, daemon=True).start()


def _serve(arguments: argparse.Namespace, journal: _Journal, line: PtyLink) -> None:
    native = False if arguments.python else None
    board = load_board(arguments.board)
    with Machine(
        board,
        arguments.elf,
        link=line,
        instance=arguments.instance,
        native=native,
        timing=arguments.timing,
        on_event=journal.event,
    ) as machine:

        def stop() -> None:
            machine.request_stop()
            line.close_line()

        _watch_signals(stop)
        ready = {
            "port": line.port,
            "pid": os.getpid(),
            "timing": machine.timing,
            "native": machine.native,
            "board_sha256": board.file_sha256,
        }
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        machine.run()
        journal.append(
            {"end": "stopped", "instructions": machine.instructions, "cycles": machine.cycles}
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Run a virtual board; gives the exit code."""
    arguments = _arguments(argv)
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    line = PtyLink()
    failed = False
    try:
        journal = _Journal(arguments.events)
        if arguments.link is not None:
            _relink(arguments.link, line.port)
        _serve(arguments, journal, line)
    except OSError as error:
        sys.stderr.write(f"the virtual board cannot go on: {error}; check the paths\n")
        failed = True
    except UnasError as error:
        journal.append({"error": str(error)})
        sys.stderr.write(f"{error}\n")
        failed = True
    finally:
        if arguments.link is not None:
            arguments.link.unlink(missing_ok=True)
        line.close(drain=failed)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
