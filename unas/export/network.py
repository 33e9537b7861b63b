# SPDX-License-Identifier: Apache-2.0
"""What a program must know of a network to run it, found in the file and by running it.

The input that a taken-home program runs first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tflite
from numpy.typing import NDArray

from unas._text import read_json_file
from unas.artifact import Flatbuffer
from unas.errors import StoreError
from unas.export.input_meaning import input_words
from unas.graph import Graph
from unas.hil.arena_order import offline_order
from unas.host.reference import seeded_input
from unas.host.runtime import run_on_host
from unas.record import Record
from unas.store.study_folder import SAMPLE_FILE, StudyResults
from unas.tflite.reader import read_flatbuffer

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
class ExportedNetwork:
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


def exported_network(
    model: Flatbuffer, network_id: str, data: Mapping[str, Any] | None = None
) -> ExportedNetwork:
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
    return ExportedNetwork(
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


_SEED = 1
_PER_ROW = 16


@dataclass(frozen=True, slots=True)
class Sample:
    """One input tensor.

    Attributes:
        data: int8 values as bytes.
        origin: Where it comes from, for comments.
        label: Its class, if it has one.
    """

    data: bytes
    origin: str
    label: int | None = None

    @property
    def rows(self) -> list[list[int]]:
        """The values, some a line, for a C array."""
        values = np.frombuffer(self.data, np.int8).tolist()
        return [values[i : i + _PER_ROW] for i in range(0, len(values), _PER_ROW)]


def seeded_sample(network: ExportedNetwork) -> Sample:
    """Pseudo-random values, the ones that a measurement times."""
    return Sample(
        seeded_input(network.input_bytes, _SEED), f"pseudo-random values, seed {_SEED}; no class"
    )


def data_sample(
    network: ExportedNetwork, values: NDArray[np.float32], label: int, origin: str
) -> Sample:
    """A sample of a data set, quantised for the network.

    Args:
        network: Whose input it is.
        values: What the network is trained on, of the input's shape.
        label: Its class.
        origin: Where it comes from.
    """
    scaled = np.rint(values / network.input.scale) + network.input.zero_point
    quantised = np.clip(scaled, -128, 127).astype(np.int8)
    return Sample(quantised.tobytes(), f"{_one_line(origin)}, class {label}", label)


def kept_sample(study: StudyResults, record: Record, network: ExportedNetwork) -> Sample | None:
    """The sample of the test split that was kept with a network, as it sees it; None without one.

    Raises:
        StoreError: The file is there but cannot be read, or is of another network.
    """
    path = study.network_folder(record) / SAMPLE_FILE
    if not path.is_file():
        return None
    advice = "delete it to go without"
    stored = read_json_file(path, advice)
    values, label = (
        (stored.get(key) for key in ("input", "label"))
        if isinstance(stored, dict)
        else (None, None)
    )
    if (
        not isinstance(values, list)
        or type(label) is not int
        or not all(type(value) is int and -128 <= value <= 127 for value in values)
    ):
        raise StoreError(
            f"cannot read {path}: it needs 'input', int8 numbers, and 'label', a number; {advice}"
        )
    data = np.array(values, np.int8).tobytes()
    if len(data) != network.input_bytes:
        raise StoreError(f"{path} is of another network; delete it to go without")
    origin = f"the first sample of the test split of {study.config.data.name}"
    return Sample(data, f"{_one_line(origin)}, class {label}", label)


def _one_line(text: str) -> str:
    return " ".join(text.replace("*/", "* /").split())
