# SPDX-License-Identifier: Apache-2.0
"""Fuzzes the flatbuffer reader, the planner and the kernels: ``python -m tests.firmware.fuzz``.

The fuzzer is ``firmware_templates/test/rt_fuzz.c``; this builds it under the sanitizers and gives
it good models to break.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tests.firmware.random_graphs import draw_network
from unas._paths import templates_dir
from unas._process import run
from unas.host.library import runtime_sources
from unas.tflite.writer import write_flatbuffer

FLAGS = ("-std=c11", "-g1", "-Wall", "-Wextra", "-Werror")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
VARIANTS = {"plain": "-DRT_PLAIN_KERNELS", "dsp": "-DRT_DSP_EMULATION"}
STATUSES = ("accepted and run", "bad model", "unsupported", "arena too small", "invoke failed")
MODELS = 40
_MODEL_BYTES = 12 * 1024  # smaller files are more inputs a second
_SLICE = 100_000


def build_fuzzer(variant: str, folder: Path, *, fast: bool = False) -> Path:
    """Compile the fuzzer with the kernels of a variant.

    Args:
        variant: A key of ``VARIANTS``.
        folder: Where to.
        fast: Compile for longer to run faster: pays from half a million inputs on.

    Raises:
        ToolError: There is no gcc, or it failed.
    """
    root = templates_dir()
    program = folder / f"rt_fuzz_{variant}"
    # The harness includes this file itself, to see what it reads.
    sources = [path for path in runtime_sources() if path.name != "rt_flatbuffer.c"]
    command = [
        "gcc",
        "-O1" if fast else "-O0",
        *FLAGS,
        *SANITIZERS,
        VARIANTS[variant],
        f"-I{root / 'include'}",
    ]
    harness = root / "test" / "rt_fuzz.c"
    run([*command, "-o", str(program), str(harness), *map(str, sources)], timeout_s=240)
    return program


def write_models(folder: Path) -> list[Path]:
    """Small good models that use every operator, the same ones each time."""
    paths: list[Path] = []
    seed = 0
    while len(paths) < MODELS:
        rng = np.random.default_rng([seed, 41])
        data = write_flatbuffer(draw_network(rng, 1 + seed % 7), seed=seed, name="seed").data
        if len(data) <= _MODEL_BYTES:
            path = folder / f"{seed}.tflite"
            path.write_bytes(data)
            paths.append(path)
        seed += 1
    return paths


def fuzz(program: Path, models: Sequence[Path], seed: int, first: int, count: int) -> list[int]:
    """How many inputs ended with each status, in the order of ``STATUSES``.

    Raises:
        ToolError: A sanitizer ended it; the output's tail says at which input.
    """
    names = [str(path) for path in models]
    command = [str(program), str(seed), str(first), str(count), *names]
    return [int(number) for number in run(command, timeout_s=600).stdout.split()]


def _main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.firmware.fuzz", description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=2_000_000, help="per variant")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="input to start from")
    parser.add_argument("--variant", choices=VARIANTS, action="append")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        models = write_models(Path(name))
        for variant in asked.variant or VARIANTS:
            program = build_fuzzer(variant, Path(name), fast=True)
            totals, started = np.zeros(len(STATUSES), int), time.monotonic()
            for first in range(asked.first, asked.first + asked.count, _SLICE):
                count = min(_SLICE, asked.first + asked.count - first)
                totals += fuzz(program, models, asked.seed, first, count)
            seconds = time.monotonic() - started
            ends = ", ".join(f"{n:,} {s}" for s, n in zip(STATUSES, totals, strict=True) if n)
            sys.stdout.write(
                f"{variant} kernels: {totals.sum():,} inputs, {totals.sum() / seconds:,.0f}/s, "
                f"no finding: {ends}\n"
            )


if __name__ == "__main__":
    _main(sys.argv[1:])
