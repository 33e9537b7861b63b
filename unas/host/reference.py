# SPDX-License-Identifier: Apache-2.0
"""The input of a timed run, and the bytes that a correct inference gives for it.

The reference implementation is TensorFlow Lite Micro, from the ``tflite-micro`` wheel. TensorFlow's
own interpreter is none: its optimised kernels round differently and differ in many bytes.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
from dataclasses import dataclass
from typing import Any

import numpy as np

from unas.errors import ModelError
from unas.host.runtime import run_on_host

# The wheel's default (ten times the file) is too small for small files with large activations. This
# holds whatever fits 1 MiB of RAM on a board, with the 64-bit descriptions that the host needs.
_ARENA_BYTES = 8 * 1024 * 1024
_MASK = 0xFFFFFFFF


def seeded_input(count: int, seed: int) -> bytes:
    """``count`` int8 values as bytes: the high byte of a 32-bit xorshift (Marsaglia 2003, 13-17-5).

    ``firmware_templates/src/bench.c`` computes the same on the device. Seed 0 stands for 1.
    """
    state = (seed & _MASK) or 1
    values = bytearray(count)
    for i in range(count):
        state ^= (state << 13) & _MASK
        state ^= state >> 17
        state ^= (state << 5) & _MASK
        values[i] = state >> 24
    return bytes(values)


@dataclass(frozen=True, slots=True)
class ReferenceOutput:
    """The output that a device must give.

    Attributes:
        output: Bytes of the output tensor.
        source: What computed them, with its version.
    """

    output: bytes
    source: str


def reference_output(model: bytes, input_bytes: bytes) -> ReferenceOutput:
    """Compute the output that a device must give.

    Where the ``tflite-micro`` wheel does not exist (it is for Linux on x86-64 only), the built-in
    runtime's plain kernels, compiled for this machine, stand in; ``source`` says so.

    TensorFlow Lite Micro ends the process on some broken models: give it only what the device's
    runtime has opened, which refuses those.

    Args:
        model: An int8 .tflite file with one input and one output that the device's runtime accepts.
        input_bytes: The int8 input tensor.

    Raises:
        ModelError: The input has another size than the model's, or the reference implementation
            refuses the model.
        ToolError: Neither the wheel nor a C compiler is there.
    """
    runtime = _tflite_micro()
    if runtime is None:
        run = run_on_host(model, input_bytes, arena_bytes=_ARENA_BYTES)
        return ReferenceOutput(run.output, "host build of the plain kernels")
    version = importlib.metadata.version("tflite-micro")
    return ReferenceOutput(
        _run_tflite_micro(runtime, model, input_bytes), f"tflite-micro {version}"
    )


@functools.cache
def _tflite_micro() -> Any | None:
    """The wheel's module, or None where there is none for this machine."""
    try:
        return importlib.import_module("tflite_micro").runtime
    except ImportError:
        return None


def _run_tflite_micro(runtime: Any, model: bytes, input_bytes: bytes) -> bytes:
    try:
        interpreter = runtime.Interpreter.from_bytes(model, arena_size=_ARENA_BYTES)
        shape = interpreter.get_input_details(0)["shape"]
        if int(np.prod(shape)) != len(input_bytes):
            raise ModelError(
                f"the model's input has the shape {tuple(map(int, shape))}, {len(input_bytes)} "
                "bytes were given; give one int8 value per element"
            )
        interpreter.set_input(np.frombuffer(input_bytes, np.int8).reshape(shape), 0)
        interpreter.invoke()
        return bytes(np.asarray(interpreter.get_output(0)).tobytes())
    except RuntimeError as error:
        raise ModelError(
            f"TensorFlow Lite Micro refuses the model ({error}); its log on standard error says why"
        ) from error
