# SPDX-License-Identifier: Apache-2.0
"""What a program must know of a network to run it, found in the file and by running it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tflite

from unas.artifact import Flatbuffer
from unas.export.read import read_flatbuffer
from unas.graph import Graph
from unas.hil.host_runtime import run_on_host
from unas.hil.offline_plan import offline_order
from unas.takeaway.meaning import input_words

_ARENA_BYTES = 8 * 1024 * 1024  # enough to ask what is needed; the answer does not depend on it
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9 _.+-]")


@dataclass(frozen=True, slots=True)
class ArenaNeed:
    """The tensor arena with one kind of kernels, and the order of placing that gives it."""

    used_bytes: int
    order: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Affine:
    """real = scale x (quantised - zero_point)."""

    scale: float
    zero_point: int


@dataclass(frozen=True, slots=True)
class TakenNetwork:
    """A network as its C code is to tell it.

    Attributes:
        id: Short id of the candidate.
        model: The file.
        graph: What is in it.
        input: Of the input tensor.
        output: Of the output tensor.
        class_names: Plain text: letters, digits and blanks; one a class.
        input_words: How a raw sample becomes the input, one line a step; none if not known.
        dsp: Arena with the kernels for Armv7E-M.
        plain: Arena with those for any core.
    """

    id: str
    model: Flatbuffer
    graph: Graph
    input: Affine
    output: Affine
    class_names: tuple[str, ...]
    input_words: tuple[str, ...]
    dsp: ArenaNeed
    plain: ArenaNeed

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Without the batch."""
        return self.graph.tensors[self.graph.inputs[0]].shape[1:]

    @property
    def input_bytes(self) -> int:
        """One a value."""
        return self.graph.tensors[self.graph.inputs[0]].elements

    @property
    def output_bytes(self) -> int:
        """One a value."""
        return self.graph.tensors[self.graph.outputs[0]].elements


def taken_network(
    model: Flatbuffer, network_id: str, data: Mapping[str, Any] | None = None
) -> TakenNetwork:
    """Read a file, and find the arena that it needs.

    Args:
        model: One int8 input and output.
        network_id: For people.
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
    subgraph = tflite.Model.GetRootAs(model.data, 0).Subgraphs(0)
    outputs = graph.tensors[graph.outputs[0]].elements
    classes = max(outputs, 2)
    names = [_NOT_PLAIN.sub("_", str(name)) for name in data.get("class_names", ())]
    if len(names) != classes:
        names = [str(number) for number in range(classes)]
    given = _affine(subgraph, graph.inputs[0])
    return TakenNetwork(
        id=network_id,
        model=model,
        graph=graph,
        input=given,
        output=_affine(subgraph, graph.outputs[0]),
        class_names=tuple(names),
        input_words=input_words(data, given),
        dsp=_arena(model, graph, "dsp"),
        plain=_arena(model, graph, "plain"),
    )


def _affine(subgraph: tflite.SubGraph, tensor: int) -> Affine:
    quantisation = subgraph.Tensors(tensor).Quantization()
    return Affine(float(quantisation.Scale(0)), int(quantisation.ZeroPoint(0)))


def _arena(model: Flatbuffer, graph: Graph, kernels: str) -> ArenaNeed:
    order = offline_order(model.data, kernels)
    given = bytes(graph.tensors[graph.inputs[0]].elements)
    run = run_on_host(model.data, given, arena_bytes=_ARENA_BYTES, kernels=kernels, order=order)
    return ArenaNeed(run.arena_used_bytes, order)
