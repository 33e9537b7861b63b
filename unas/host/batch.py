# SPDX-License-Identifier: Apache-2.0
"""Many inferences of one model with the built-in runtime, on this machine.

The same C that runs on the device, so the same bytes; the model is opened once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unas.errors import ModelError
from unas.host.runtime import infer_on_host, open_on_host

# More than any board has: what the model does on this machine is not the question here.
_ARENA_BYTES = 16 * 1024 * 1024


def int8_outputs(
    model: bytes, inputs: NDArray[np.int8], *, arena_bytes: int = _ARENA_BYTES
) -> NDArray[np.int8]:
    """Run a model on many inputs.

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
            "quantised with the scale of the model's input"
        )
    with open_on_host(model, arena_bytes=arena_bytes, kernels="fast") as library:
        outputs = [infer_on_host(library, one.tobytes()) for one in inputs]
    return np.frombuffer(b"".join(outputs), np.int8).reshape(len(inputs), -1)
