# SPDX-License-Identifier: Apache-2.0
"""What a program must know of a network to run it: read from the file, and found by running it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from unas.artifact import Flatbuffer
from unas.exports.input_meaning import input_steps
from unas.graph import Graph
from unas.hil.arena_probe import offline_order
from unas.host.runtime import run_on_host
from unas.tflite.io_quantization import IoQuantization, read_io_quantization
from unas.tflite.reader import read_flatbuffer

_ARENA_BYTES = 8 * 1024 * 1024  # enough to ask what is needed; the answer does not depend on it
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9 _.+-]")


@dataclass(frozen=True, slots=True)
class ArenaNeed:
    """Bytes of tensor arena with one set of kernels, and the order of placing that needs them."""

    used_bytes: int
    order: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ExportedNetwork:
    """A network with all that its C code states about it.

    Attributes:
        id: Short id of the candidate.
        model: The file.
        graph: Its tensors and operators.
        io: Quantisation of input and output.
        class_names: Plain text: letters, digits and blanks; one a class.
        input_steps: How a raw sample becomes the input, one line a step; none if not known.
        dsp: Arena with the kernels for Armv7E-M.
        plain: Arena with those for any core.
    """

    id: str
    model: Flatbuffer
    graph: Graph
    io: IoQuantization
    class_names: tuple[str, ...]
    input_steps: tuple[str, ...]
    dsp: ArenaNeed
    plain: ArenaNeed

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the input tensor without the batch."""
        return self.graph.tensors[self.graph.inputs[0]].shape[1:]

    @property
    def input_bytes(self) -> int:
        """Bytes of the input tensor: one a value."""
        return self.graph.tensors[self.graph.inputs[0]].elements

    @property
    def output_bytes(self) -> int:
        """Bytes of the output tensor: one a value."""
        return self.graph.tensors[self.graph.outputs[0]].elements


def exported_network(
    model: Flatbuffer, network_id: str, data: Mapping[str, Any] | None = None
) -> ExportedNetwork:
    """Read a file, and find the arena that it needs.

    Args:
        model: One int8 input and output.
        network_id: Its name in files and on the serial line.
        data: Table ``data`` of the study's ``environment.json``; numbers stand in for names of
            classes that are missing.

    Raises:
        ModelError: The file cannot be read.
        UnsupportedOperatorError: The built-in runtime has no kernel for an operator.
        ToolError: There is no C compiler for this machine.
        StoreError: What ``data`` says of the input cannot be read.
    """
    data = data or {}
    graph = read_flatbuffer(model.data, model.name)
    outputs = graph.tensors[graph.outputs[0]].elements
    classes = max(outputs, 2)
    names = [_NOT_PLAIN.sub("_", str(name)) for name in data.get("class_names", ())]
    if len(names) != classes:
        names = [str(number) for number in range(classes)]
    io = read_io_quantization(model.data)
    return ExportedNetwork(
        id=network_id,
        model=model,
        graph=graph,
        io=io,
        class_names=tuple(names),
        input_steps=input_steps(data, io),
        dsp=_arena(model, graph, "dsp"),
        plain=_arena(model, graph, "plain"),
    )


def _arena(model: Flatbuffer, graph: Graph, kernels: str) -> ArenaNeed:
    order = offline_order(model.data, kernels)
    given = bytes(graph.tensors[graph.inputs[0]].elements)
    run = run_on_host(model.data, given, arena_bytes=_ARENA_BYTES, kernels=kernels, order=order)
    return ArenaNeed(run.arena_used_bytes, order)
