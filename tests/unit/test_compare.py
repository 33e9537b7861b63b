# SPDX-License-Identifier: Apache-2.0
"""Runtimes side by side: what is complained about, and what never mixes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from unas.artifact import FirmwareImage, Flatbuffer
from unas.board import Board
from unas.calibration import draw_samples
from unas.calibration.learn import check_one_kind
from unas.errors import ConfigError, IdentityError, ModelError, StoreError, UnasError
from unas.firmware.runtimes import BUILTIN, BUILTIN_PLAIN
from unas.hil.device_info import DeviceInfo
from unas.hil.wire import PROTOCOL
from unas.lab.bench import Bench
from unas.lab.comparison import Comparison, compare
from unas.record import Measurement, OperatorCycles, OutputCheck
from unas.store.calibration import calibration_folder
from unas.testing.contracts import example_measurement
from unas.testing.fakes import MemoryStore
from unas.tflite.model_file import Model

MODEL = Flatbuffer(b"never run here", "net")


def _comparison(**results: Measurement | UnasError) -> Comparison:
    return Comparison(MODEL, macs=50, operator_macs={0: 40, 1: 0}, results=results)


def test_equal_outputs_are_no_complaint() -> None:
    assert _comparison(a=example_measurement(), b=example_measurement()).complaints() == []
    assert _comparison(a=example_measurement(), b=example_measurement()).outputs_equal


def test_differing_outputs_are_named() -> None:
    other = replace(
        example_measurement(), output_sha256="1" * 64, output=OutputCheck("golden", 10, 3)
    )
    lines = _comparison(a=example_measurement(), b=example_measurement(), c=other).complaints()
    assert not _comparison(a=example_measurement(), b=other).outputs_equal
    assert lines == [
        "net: 3 of 10 bytes of c's output differ from golden",
        "net: the outputs of a and c differ",
    ]


def test_outputs_are_compared_where_there_is_no_golden_one() -> None:
    unchecked = replace(example_measurement(), output=OutputCheck("none", 10, None))
    other = replace(unchecked, output_sha256="1" * 64)
    assert _comparison(a=unchecked, b=unchecked).complaints() == []
    assert _comparison(a=unchecked, b=other).complaints() == ["net: the outputs of a and b differ"]


def test_a_runtime_that_refuses_a_model_is_named() -> None:
    comparison = _comparison(a=example_measurement(), b=ModelError("no kernel for LSTM"))
    assert comparison.complaints() == ["net: b did not run it: no kernel for LSTM"]
    assert list(comparison.measured) == ["a"]
    assert comparison.outputs_equal  # as far as there are any
    described = comparison.to_json_dict()["runtimes"][1]
    assert described == {"runtime": "b", "error": "no kernel for LSTM"}


def test_counts_per_mac() -> None:
    operators = (OperatorCycles(0, "CONV_2D", 8, 20), OperatorCycles(1, "RESHAPE", 1, 2))
    found = replace(example_measurement(), instructions=100, operators=operators)
    described = _comparison(a=found).to_json_dict()["runtimes"][0]
    assert described["instructions_per_mac"] == 2.0
    assert [op["instructions_per_mac"] for op in described["operators"]] == [0.5, None]


def test_nothing_is_named_twice(f746: Board) -> None:
    sample = next(draw_samples(f746, 1, 0))
    model = Model(sample.model, sample.graph)
    for runtimes, models in (([BUILTIN] * 2, [model]), ([BUILTIN, BUILTIN_PLAIN], [model] * 2)):
        with pytest.raises(ConfigError, match="named twice"):
            compare(Bench(f746), runtimes, models, MemoryStore())


def test_operators_are_put_side_by_side() -> None:
    """A runtime may fuse operators: what it does not have there is missing, never another one."""
    three = tuple(OperatorCycles(i, name, 10 + i) for i, name in enumerate(("PAD", "ADD", "RELU")))
    fused = (OperatorCycles(0, "ADD", 7), replace(three[1], cycles=5))
    whole = replace(example_measurement(), operators=three)
    rows = _comparison(a=replace(whole, operators=fused), b=whole).operators()
    assert [(row.index, row.name, row.macs) for row in rows] == [
        (0, "PAD", 40),
        (1, "ADD", 0),
        (2, "RELU", 0),
    ]
    assert [row.cycles["a"] for row in rows] == [None, fused[1], None]
    assert [row.cycles["b"] for row in rows] == list(three)
    assert _comparison(b=ModelError("no kernel")).operators() == []


@pytest.mark.parametrize(
    "change",
    [{"runtime": "tflm"}, {"runtime_revision": "2"}, {"kernels": "dsp"}, {"timing": "other"}],
)
def test_runtimes_never_mix_in_one_fit(change: dict[str, str]) -> None:
    example = example_measurement()
    other = Measurement.from_json_dict({**example.to_json_dict(), **change})
    check_one_kind([example] * 4)
    with pytest.raises(StoreError, match="do not mix"):
        check_one_kind([example, example, example, other])


def test_each_runtime_has_a_folder_of_its_own() -> None:
    assert calibration_folder("f746").name == "f746"
    assert calibration_folder("f746", runtime="tflm").name == "f746-tflm"


@pytest.mark.parametrize(
    ("key", "said"), [("runtime", "tflm"), ("kernels", "dsp"), ("runtime_revision", "8")]
)
def test_the_device_must_confirm_what_was_built(f746: Board, key: str, said: str) -> None:
    values = {
        "protocol": str(PROTOCOL),
        "board": "f746",
        "image_hash": "i",
        "model_count": "0",
        "runtime": "builtin",
        "runtime_revision": "7",
        "kernels": "plain",
    }
    image = FirmwareImage(
        Path(), Path(), "f746", "f", "i", (), 0, {}, runtime_revision="7", kernels="plain"
    )
    DeviceInfo(values).check_identity(image, f746)
    with pytest.raises(IdentityError, match=f"{key}={said}"):
        DeviceInfo({**values, key: said}).check_identity(image, f746)
