# SPDX-License-Identifier: Apache-2.0
"""Emulated against published latency: MLPerf Tiny submissions' own firmware on the virtual boards.

Submissions to MLPerf Tiny come with the firmware that was measured. This runs it unmodified, says
over its UART what MLPerf's runner says, and reads the time from the firmware's own timer.

    python benchmarks/published_latency.py [DIR] [--only TEXT ...] [--within PERCENT]

DIR (or the environment variable UNAS_MLPERF) holds the images, in whatever folders: they are known
by their contents. They come from mlcommons' repositories tiny_results_v1.1 to v1.3 on GitHub, next
to each submission's results. ``--image FILE --board ID --published INF_PER_S`` tries any other one.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import multiprocessing
import os
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from unas.board import Board, load_board
from unas.errors import UnasError
from unas.virtual.bus.link import NotifyingLink
from unas.virtual.bus.rules import Strictness
from unas.virtual.machine.machine import Machine

_VARIABLE = "UNAS_MLPERF"
_FEW_CYCLES = 20_000_000
_SERIES = 2
_TIMING = "pipeline+memory"
_MOST_SECONDS = 5.0  # of virtual time, for one answer
_LAP = re.compile(rb"m-lap-us-(\d+)")
# The Discovery kit has a crystal where the Nucleo gets 8 MHz from its ST-LINK (UM1907 6.3).
_DISCO_HSE_HZ = 25_000_000
_SINGLE_BANK_BYTES = 16  # ST's note on its L4R5 rows: "single bank mode activated": 128-bit reads


@dataclass(frozen=True, slots=True)
class Row:
    """A published result and the image that it was measured with.

    Attributes:
        name: Round, submitter, board and model.
        board: Ours; the system is a variant of it.
        published: Inferences a second, as in results.txt of the submission.
        sha256: Of the image, its first 16 digits.
    """

    name: str
    board: str
    published: float
    sha256: str


# Median throughput from closed/<submitter>/results/<system>/<model>/performance/results.txt.
_ROWS = (
    Row("v1.2 bosch disco_f746ng kws", "disco", 52.746, "7313369d3ae67ba5"),
    Row("v1.2 bosch disco_f746ng ic", "disco", 15.986, "6538586a2a7855a3"),
    Row("v1.2 bosch disco_f746ng vww", "disco", 17.468, "537a0463e0597323"),
    Row("v1.2 bosch disco_f746ng ad", "disco", 584.380, "2cfa2754a1065045"),
    Row("v1.2 bosch disco_f746ng max ad", "disco", 701.809, "b971f90e0586dbe9"),
    Row("v1.1 bosch disco_f746ng kws", "disco", 54.293, "ed3e10652bfd9da1"),
    Row("v1.1 bosch disco_f746ng ic", "disco", 16.242, "7c35280a42d8107c"),
    Row("v1.1 bosch disco_f746ng vww", "disco", 17.490, "f89188063e9f8dea"),
    Row("v1.1 bosch disco_f746ng ad", "disco", 587.335, "6bb6e1b5f8ad475f"),
    Row("v1.2 bosch nucleo_l4r5zi kws", "l4r5", 16.623, "93407e602a752a63"),
    Row("v1.2 bosch nucleo_l4r5zi ic", "l4r5", 5.539, "bca53fc5bddbee33"),
    Row("v1.2 bosch nucleo_l4r5zi vww", "l4r5", 5.540, "d6c6804eb641fe04"),
    Row("v1.2 bosch nucleo_l4r5zi ad", "l4r5", 171.375, "3e8cb25f393c537e"),
    Row("v1.2 bosch nucleo_l4r5zi max ad", "l4r5", 211.492, "32d8d50c87276a24"),
    Row("v1.1 bosch nucleo_l4r5zi kws", "l4r5", 15.954, "308b30032f0ae9bd"),
    Row("v1.1 bosch nucleo_l4r5zi ic", "l4r5", 5.586, "4d256ddd78d0a71f"),
    Row("v1.1 bosch nucleo_l4r5zi vww", "l4r5", 5.533, "b6691f3e3d15a491"),
    Row("v1.1 bosch nucleo_l4r5zi ad", "l4r5", 176.699, "572c3ba87c8a0207"),
    Row("v1.2 st nucleo_l4r5zi kws", "single", 23.155, "3d389416e322a3d8"),
    Row("v1.2 st nucleo_l4r5zi ic", "single", 6.056, "c4f7335c7e7444f3"),
    Row("v1.2 st nucleo_l4r5zi vww", "single", 11.245, "34908b5a62a508c6"),
    Row("v1.2 st nucleo_l4r5zi ad", "single", 190.086, "c315032d5b10267b"),
    Row("v1.3 st nucleo_l4r5zi-p kws", "single", 23.032, "6542f3a21ed6061f"),
    Row("v1.3 st nucleo_l4r5zi-p ic", "single", 6.036, "d94d35faab66cb3d"),
    Row("v1.3 st nucleo_l4r5zi-p vww", "single", 11.181, "6bf891b6e48f6ead"),
    Row("v1.3 st nucleo_l4r5zi-p ad", "single", 208.608, "7db295b7478e70dd"),
)


@dataclass(frozen=True, slots=True)
class Emulated:
    """What came out for a row."""

    row: Row
    timing: str
    milliseconds: float
    instructions: float  # per inference
    wall_s: float

    @property
    def gap_percent(self) -> float:
        """How much longer it took than published."""
        return 100 * (self.milliseconds * self.row.published / 1000 - 1)


class _Runner(NotifyingLink):
    """The far end of the UART: waits for an answer, then gives the next command."""

    def __init__(self) -> None:
        super().__init__()
        self.machine: Machine | None = None
        self.wanted = b""
        self.moments: list[int] = []  # instructions at each lap

    def send(self, byte: int) -> None:
        """See ``ByteLink.send``."""
        super().send(byte)
        assert self.machine is not None
        if byte != ord("\n"):
            return
        if _LAP.search(self.from_board.rsplit(b"\n", 2)[-2]):
            self.moments.append(self.machine.instructions)
        if self.wanted in self.from_board:
            self.machine.stop()


def _board(name: str) -> Board:
    if name == "disco":
        return dataclasses.replace(load_board("f746"), hse_hz=_DISCO_HSE_HZ)
    if name != "single":
        return load_board(name)
    board = load_board("l4r5")
    memory = tuple(
        dataclasses.replace(region, line_bytes=_SINGLE_BANK_BYTES)
        if region.line_bytes is not None
        else region
        for region in board.memory
    )
    return dataclasses.replace(board, memory=memory)


def _answer(machine: Machine, link: _Runner, command: str, wanted: bytes) -> None:
    """Say a command and run until its answer's line is there."""
    link.from_board.clear()
    link.wanted = wanted
    link.give(command.encode())
    begin = machine.seconds
    while wanted not in link.from_board:
        machine.run(max_cycles=_FEW_CYCLES)
        if machine.seconds - begin > _MOST_SECONDS:
            said = bytes(link.from_board[-200:]).decode(errors="replace")
            raise SystemExit(f"no {wanted.decode()} after {command!r}, but: {said!r}")


def _infer(machine: Machine, link: _Runner, count: int) -> tuple[int, int]:
    """Microseconds by the firmware's timer, and instructions, from time stamp to time stamp.

    Sending the first stamp's line is part of it.
    """
    link.moments.clear()
    # What the input is makes no difference to the time, so nothing is loaded.
    _answer(machine, link, f"infer {count} 1%", b"m-ready")
    laps = [int(lap) for lap in _LAP.findall(bytes(link.from_board))]
    if len(laps) != 2:
        raise SystemExit(f"{len(laps)} time stamps instead of 2")
    return laps[1] - laps[0], link.moments[1] - link.moments[0]


def emulate(row: Row, image: Path) -> Emulated:
    """Run a submission's firmware and time one inference of a long series by its own timer."""
    start = time.monotonic()
    link = _Runner()
    strictness = Strictness(tell=lambda _: None, paced=True, uart="auto")
    board = _board(row.board)
    with Machine(board, image, link=link, strictness=strictness, timing=_TIMING) as machine:
        link.machine = machine
        _answer(machine, link, "", b"m-ready")
        _answer(machine, link, "name%", b"m-ready")
        few, many = _infer(machine, link, 1), _infer(machine, link, 1 + _SERIES)
        timing = machine.timing
    micros, instructions = (high - low for low, high in zip(few, many, strict=True))
    return Emulated(
        row, timing, micros / _SERIES / 1000, instructions / _SERIES, time.monotonic() - start
    )


def _images(folder: Path) -> dict[str, Path]:
    return {
        hashlib.sha256(path.read_bytes()).hexdigest()[:16]: path
        for path in sorted(folder.rglob("*"))
        if path.suffix in (".bin", ".hex", ".elf", ".axf")
    }


def _work(arguments: argparse.Namespace) -> list[tuple[Row, Path]]:
    if arguments.image is not None:
        return [
            (Row(arguments.image.name, arguments.board, arguments.published, ""), arguments.image)
        ]
    if arguments.folder is None:
        raise SystemExit(f"give the folder of MLPerf Tiny images, or set {_VARIABLE}")
    images = _images(arguments.folder)
    wanted = [r for r in _ROWS if not arguments.only or any(t in r.name for t in arguments.only)]
    found = [(row, images[row.sha256]) for row in wanted if row.sha256 in images]
    if not found:
        raise SystemExit(
            f"{arguments.folder} holds none of the {len(wanted)} images that were asked for"
        )
    return found


def _try(job: tuple[Row, Path]) -> Emulated | str:
    try:
        return emulate(*job)
    except (UnasError, SystemExit) as error:
        return f"{job[0].name:32} {error}"


def _results(work: list[tuple[Row, Path]], jobs: int) -> Iterator[Emulated | str]:
    if jobs == 1:
        yield from map(_try, work)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap(_try, work)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description="emulated against published MLPerf Tiny latency")
    default = os.environ.get(_VARIABLE)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(default) if default else None)
    parser.add_argument(
        "--only", action="append", metavar="TEXT", help="rows with this in the name"
    )
    parser.add_argument(
        "--within", type=float, metavar="PERCENT", help="exit 1 if a row is off by more"
    )
    parser.add_argument("--jobs", type=int, default=1, help="rows at a time")
    parser.add_argument("--image", type=Path)
    parser.add_argument("--board", default="l4r5", help="with --image: f746, disco, l4r5 or single")
    parser.add_argument(
        "--published", type=float, default=1.0, help="with --image: inferences a second"
    )
    arguments = parser.parse_args()
    heads = ("published", "emulated", "gap", "instr.", "timing")
    print(
        f"{'submission':32}"
        + "".join(f"{h:>{w}}" for h, w in zip(heads, (11, 11, 8, 10, 17), strict=True))
    )
    failed = 0
    for result in _results(_work(arguments), arguments.jobs):
        if isinstance(result, str):
            print(result, flush=True)
            failed += 1
            continue
        row = result.row
        print(
            f"{row.name:32} {1000 / row.published:7.3f} ms {result.milliseconds:7.3f} ms "
            f"{result.gap_percent:+6.1f}% {result.instructions / 1e6:7.3f} M {result.timing:>16}"
            f" {result.wall_s:6.1f} s",
            flush=True,
        )
        failed += arguments.within is not None and abs(result.gap_percent) > arguments.within
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
