# SPDX-License-Identifier: Apache-2.0
"""A .tflite file: read with its graph, or written as the initialiser of a C array."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unas.artifact import Flatbuffer
from unas.errors import ModelError
from unas.graph import Graph
from unas.tflite.reader import read_flatbuffer


@dataclass(frozen=True, slots=True)
class Model:
    """An int8 network as a file and as a graph.

    Attributes:
        flatbuffer: The content of the .tflite file, and its name.
        graph: Its tensors and operators, in the file's order.
    """

    flatbuffer: Flatbuffer
    graph: Graph

    @property
    def name(self) -> str:
        """The file's name without suffix, or what its maker called it."""
        return self.flatbuffer.name

    def to_dict(self) -> dict[str, Any]:
        """Name, digest and size of the file, and the shapes of input and output."""
        graph = self.graph
        return {
            "name": self.name,
            "sha256": self.flatbuffer.sha256,
            "flatbuffer_bytes": self.flatbuffer.flatbuffer_bytes,
            "input_shapes": [list(graph.tensors[i].shape) for i in graph.inputs],
            "output_shapes": [list(graph.tensors[i].shape) for i in graph.outputs],
            "operators": [str(operator.kind) for operator in graph.operators],
        }


def load_model(path: Path | str) -> Model:
    """Read a .tflite file, and check that the runtime can read it.

    Raises:
        ModelError: It cannot be read, or is no int8 TFLite model.
        UnsupportedOperatorError: The runtime has no kernel for an operator.

    Example:
        >>> import unas
        >>> network = "results/published/digits_f746/networks/cad626d10371/model.tflite"
        >>> model = unas.load_model(network)
        >>> model.flatbuffer.flatbuffer_bytes, len(model.graph.operators)
        (18360, 9)
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}; check the path") from error
    return Model(Flatbuffer(data, path.stem), read_flatbuffer(data, str(path)))


_BYTES_PER_LINE = 32


def c_initialiser(data: bytes) -> str:
    r"""Bytes as the initialiser of an array of ``unsigned char`` with one element more.

    It is a string literal of octal escapes rather than a list of numbers: GCC reads a literal ten
    times faster (0.2 s instead of 1.9 s for 1 MB), and large images are what the user waits for.
    Three digits each, so that no escape runs into the next byte. The element more takes the zero
    that ends a literal; without it GCC 15 warns::

        _Alignas(16) const unsigned char model[8 + 1] =
        "\034\000\000\000\124\106\114\063";

    Returns:
        Lines of string literals, without semicolon; ``""`` (two quotes) for no bytes.
    """
    escapes = [f"\\{byte:03o}" for byte in range(256)]
    starts = range(0, max(len(data), 1), _BYTES_PER_LINE)
    lines = ("".join(map(escapes.__getitem__, data[i : i + _BYTES_PER_LINE])) for i in starts)
    return "\n".join(f'"{line}"' for line in lines)
