# SPDX-License-Identifier: Apache-2.0
"""The built-in runtime in this process: inferences, and the plan of its tensor arena.

The same C that runs on the device, so the same bytes.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unas.errors import ArenaTooSmallError, DeviceError, ModelError, UnsupportedOperatorError
from unas.host.library import FAST_KERNELS, ArenaStruct, BufferStruct, ErrorStruct, host_library
from unas.names import KernelSet

# More than any board has: whether a model fits a board is not the question here.
_BATCH_ARENA_BYTES = 16 * 1024 * 1024
_ALIGNMENT = 16
_MAX_BUFFERS = 1 << 15  # tensors and operators; the runtime takes no more
_LOCK = threading.Lock()  # the runtime has one open model at a time


@dataclass(frozen=True, slots=True)
class HostBuffer:
    """A tensor or an operator's working memory in the arena.

    Attributes:
        index: Its number in the runtime.
        owner: The buffer whose bytes it shares; its own number if it shares no other's.
        bytes: Size, aligned as in the arena.
        first: Operator that writes it first.
        last: Operator that reads it last; the number of operators for the model's output.
        at: Offset in the arena.
    """

    index: int
    owner: int
    bytes: int
    first: int
    last: int
    at: int


@dataclass(frozen=True, slots=True)
class HostRun:
    """One inference on the host.

    Attributes:
        output: Bytes of the output tensor.
        operators: TFLite's names of the operators, in execution order.
        arena_used_bytes: As on the device: the runtime keeps offsets, not pointers.
        tensor_bytes: Activations, after planning.
        scratch_bytes: What the kernels' working memory adds.
        persistent_bytes: Prepared operators and the tensors' descriptions.
        bound_bytes: The largest sum of tensors and working memory that live at once; no plan has
            less.
        plan: How they were placed: "greedy", or "offline" in an order that was given.
    """

    output: bytes
    operators: tuple[str, ...]
    arena_used_bytes: int
    tensor_bytes: int
    scratch_bytes: int
    persistent_bytes: int
    bound_bytes: int
    plan: str


def run_on_host(
    model: bytes,
    input_bytes: bytes,
    *,
    arena_bytes: int,
    kernels: str = KernelSet.PLAIN,
    order: Sequence[int] = (),
) -> HostRun:
    """Run one inference.

    Args:
        model: An int8 .tflite file.
        input_bytes: The int8 input tensor.
        arena_bytes: Size of the tensor arena.
        kernels: "plain"; "fast": the same, compiled for this machine; or "dsp": those for
            Armv7E-M, their instructions emulated in C.
        order: Buffers in the order in which to place them; see ``unas.hil.arena_probe``.

    Raises:
        ModelError: The runtime cannot read the model, or the input has another size.
        UnsupportedOperatorError: It has no kernel for an operator.
        ArenaTooSmallError: The arena is too small.
        ToolError: There is no C compiler, or it failed.
    """
    with open_on_host(model, arena_bytes=arena_bytes, kernels=kernels, order=order) as library:
        output = infer_on_host(library, input_bytes)
        use = ArenaStruct()
        library.runtime_arena_use(ctypes.byref(use))
        names = [library.runtime_operator_name(i) for i in range(library.runtime_operator_count())]
    return HostRun(
        output=output,
        operators=tuple(name.decode() for name in names),
        arena_used_bytes=use.used,
        tensor_bytes=use.tensor,
        scratch_bytes=use.scratch,
        persistent_bytes=use.persistent,
        bound_bytes=use.bound,
        plan=use.plan.decode(),
    )


def int8_outputs(
    model: bytes, inputs: NDArray[np.int8], *, arena_bytes: int = _BATCH_ARENA_BYTES
) -> NDArray[np.int8]:
    """Run a model on many inputs; it is opened once.

    Args:
        model: An int8 .tflite file.
        inputs: (n, ...), each of the size of the model's input tensor.
        arena_bytes: Size of the tensor arena.

    Returns:
        (n, elements of the output tensor).

    Raises:
        ModelError: The runtime cannot read the model, or the inputs have another size or type.
        UnsupportedOperatorError: It has no kernel for an operator.
        ArenaTooSmallError: The arena is too small.
        ToolError: There is no C compiler, or it failed.
    """
    if inputs.dtype != np.int8 or not len(inputs):
        raise ModelError(
            f"{len(inputs)} inputs of type {inputs.dtype} for an int8 model; give at least one, "
            "quantized with the scale of the model's input"
        )
    with open_on_host(model, arena_bytes=arena_bytes, kernels=FAST_KERNELS) as library:
        outputs = [infer_on_host(library, one.tobytes()) for one in inputs]
    return np.frombuffer(b"".join(outputs), np.int8).reshape(len(inputs), -1)


@contextmanager
def open_on_host(
    model: bytes,
    *,
    arena_bytes: int,
    kernels: str = KernelSet.PLAIN,
    order: Sequence[int] = (),
) -> Iterator[ctypes.CDLL]:
    """Open a model for any number of inferences; no other model is open meanwhile.

    Args:
        model: An int8 .tflite file.
        arena_bytes: Size of the tensor arena.
        kernels: As in ``run_on_host``.
        order: As in ``run_on_host``.

    Raises:
        ModelError: The runtime cannot read the model.
        UnsupportedOperatorError: It has no kernel for an operator.
        ArenaTooSmallError: The arena is too small.
        ToolError: There is no C compiler, or it failed.
    """
    library, arena = host_library(kernels), _Arena(arena_bytes)
    # Kept alive until the end: the runtime reads the file where it lies.
    file = ctypes.create_string_buffer(model, max(len(model), 1))
    error, items = ErrorStruct(), (ctypes.c_uint16 * len(order))(*order)
    with _LOCK:
        library.runtime_set_order(items, len(order))
        library.runtime_open(file, len(model), arena.start, arena_bytes, ctypes.byref(error))
        _check(error)
        yield library


def infer_on_host(library: ctypes.CDLL, input_bytes: bytes) -> bytes:
    """Run one inference of the model that is open; gives the output's bytes.

    Raises:
        ModelError: The input has another size.
        DeviceError: A kernel failed.
    """
    error, size = ErrorStruct(), ctypes.c_size_t()
    address = library.runtime_input(ctypes.byref(size))
    if size.value != len(input_bytes):
        raise ModelError(
            f"the model's input has {size.value} bytes, {len(input_bytes)} were given; "
            "give one int8 value per element"
        )
    ctypes.memmove(address, input_bytes, len(input_bytes))
    library.runtime_invoke(None, None, ctypes.byref(error))
    _check(error)
    return ctypes.string_at(library.runtime_output(ctypes.byref(size)), size.value)


def list_buffers(
    model: bytes,
    *,
    arena_bytes: int,
    kernels: str = KernelSet.PLAIN,
    order: Sequence[int] = (),
) -> tuple[HostBuffer, ...]:
    """The buffers that take part in the plan of a model's arena, and their offsets.

    Args:
        model: An int8 .tflite file.
        arena_bytes: Size of the tensor arena.
        kernels: As in ``run_on_host``: the working memory depends on them.
        order: As in ``run_on_host``.

    Raises:
        ModelError: The runtime cannot open the model in this arena.
        ToolError: There is no C compiler, or it failed.
    """
    library, arena = host_library(kernels), _Arena(arena_bytes)
    file = ctypes.create_string_buffer(model, max(len(model), 1))
    listed = (BufferStruct * _MAX_BUFFERS)()
    items = (ctypes.c_uint16 * len(order))(*order)
    count = library.rt_list_buffers(
        file, len(model), arena.start, arena_bytes, items, len(order), listed, _MAX_BUFFERS
    )
    if count == 0:
        raise ModelError("the runtime cannot open the model on the host; export it again")
    return tuple(
        HostBuffer(index, one.owner, one.bytes, one.first, one.last, one.at)
        for index, one in enumerate(listed[:count])
        if one.in_arena
    )


class _Arena:
    """Memory for a tensor arena; its start is aligned as on the device."""

    def __init__(self, size: int) -> None:
        self._memory = ctypes.create_string_buffer(size + _ALIGNMENT)
        address = -(-ctypes.addressof(self._memory) // _ALIGNMENT) * _ALIGNMENT
        self.start = ctypes.c_void_p(address)


def _check(error: ErrorStruct) -> None:
    text = error.text.decode(errors="replace")
    match error.status:
        case 0:
            return
        case 1:
            raise ModelError(f"the runtime cannot read the model: {text}; export it again")
        case 2:
            raise UnsupportedOperatorError(
                f"the runtime cannot run the model: {text}; export it as int8 with known operators"
            )
        case 3:
            raise ArenaTooSmallError(f"{text}; give a larger arena or a smaller model")
        case _:
            raise DeviceError(f"the runtime failed on the host: {text}; report it with the model")
