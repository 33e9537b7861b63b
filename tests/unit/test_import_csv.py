# SPDX-License-Identifier: Apache-2.0
"""Measurements made elsewhere: what a CSV may say, and what is refused, by line and column."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from tests.unit.kernel_log import CLOCK_HZ, cycles_of, draw_conv, kernel_log
from unas.calibration.csv_import import Imported, read_measurements
from unas.cost.model_selection import fit_latency
from unas.cost.operators import ArenaLayout, Kernel, kernels
from unas.cost.types import KernelProfile
from unas.errors import StoreError
from unas.graph import Activation, ConvOptions, DenseOptions, Graph, OperatorKind, Padding
from unas.graph.builder import GraphBuilder
from unas.record import Provenance
from unas.tflite.writer import write_flatbuffer


def read(
    folder: Path, text: str, provenance: Provenance = Provenance.MEASURED, runtime: str = "unknown"
) -> Imported:
    path = folder / "log.csv"
    path.write_text(text)
    return read_measurements(
        path, board_id="f746", clock_hz=216_000_000, runtime=runtime, provenance=provenance
    )


def small_network() -> Graph:
    build = GraphBuilder()
    x = build.input("input", (1, 8, 8, 3))
    options = ConvOptions(Padding.SAME, activation=Activation.RELU)
    x = build.conv("conv", x, filters=6, kernel=3, options=options)
    x = build.mean("mean", x)
    return build.finish(build.dense("dense", x, units=4, options=DenseOptions()))


CONV = "operator,input_h,input_w,input_c,output_c,kernel_h,kernel_w,cycles"


def test_a_kernel_row_is_the_kernel_of_a_network_with_that_operator(tmp_path: Path) -> None:
    text = (
        "operator,input_h,input_w,input_c,output_c,kernel_h,kernel_w,padding,activation,first,cycles\n"
        "CONV_2D,8,8,3,6,3,3,same,RELU,1,1000\n"
        "MEAN,8,8,6,,,,,,0,50\n"
        "FULLY_CONNECTED,,,6,4,,,,,,70\n"
    )
    found = read(tmp_path, text)
    expected = kernels(small_network())
    assert tuple(sample.calls[0].kernel for sample in found.samples) == expected
    assert [sample.cycles for sample in found.samples] == [1000, 50, 70]
    assert [sample.operator_cycles for sample in found.samples] == [(1000,), (50,), (70,)]
    assert not any(sample.is_network for sample in found.samples)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (
            "DEPTHWISE_CONV_2D,9,7,4,8,3,3,2,1,valid,,9",
            Kernel(OperatorKind.DEPTHWISE_CONV_2D, (9, 7, 4), (4, 5, 8), (3, 3), (2, 1)),
        ),
        (
            "MAX_POOL_2D,9,7,4,,2,2,2,2,VALID,,9",
            Kernel(OperatorKind.MAX_POOL_2D, (9, 7, 4), (4, 3, 4), (2, 2), (2, 2)),
        ),
        ("ADD,9,7,4,,,,1,1,,,9", Kernel(OperatorKind.ADD, (9, 7, 4), (9, 7, 4))),
        ("PAD,9,7,4,,,,,,,3,9", Kernel(OperatorKind.PAD, (9, 7, 4), (12, 7, 4), pad=(3, 0))),
        ("RELU,9,7,4,,,,,,,,9", Kernel(OperatorKind.RELU, (9, 7, 4), (9, 7, 4))),
        ("SOFTMAX,,,10,,,,,,,,9", Kernel(OperatorKind.SOFTMAX, (1, 1, 10), (1, 1, 10))),
    ],
)
def test_every_kind_has_its_row(tmp_path: Path, row: str, expected: Kernel) -> None:
    header = "operator,input_h,input_w,input_c,output_c,kernel_h,kernel_w,stride_h,stride_w,padding"
    found = read(tmp_path, f"{header},pad_h,cycles\n{row}\n")
    assert found.samples[0].calls[0].kernel == expected


def test_repeated_rows_are_averaged(tmp_path: Path) -> None:
    rows = "CONV_2D,8,8,3,6,3,3,{}\n"
    text = f"{CONV}\n" + rows.format(100) + rows.format(200) + "CONV_2D,8,8,3,7,3,3,50\n"
    found = read(tmp_path, text)
    assert [sample.cycles for sample in found.samples] == [150, 50]
    assert found.rows == 3


def test_a_network_groups_its_kernels(tmp_path: Path) -> None:
    text = (
        f"{CONV},network\n"
        "CONV_2D,8,8,3,6,3,3,100,one\nCONV_2D,8,8,6,6,3,3,100,one\nCONV_2D,8,8,3,6,3,3,90,two\n"
    )
    assert [sample.name for sample in read(tmp_path, text).samples] == ["one", "one", "two"]


def test_microseconds_become_cycles_of_the_stated_clock(tmp_path: Path) -> None:
    header = CONV.replace("cycles", "latency_us")
    of_board = read(tmp_path, f"{header}\nCONV_2D,8,8,3,6,3,3,10\n")
    assert of_board.clock_hz == 216_000_000
    assert of_board.samples[0].cycles == pytest.approx(2160)
    stated = read(tmp_path, f"{header},clock_hz\nCONV_2D,8,8,3,6,3,3,10,80000000\n")
    assert stated.clock_hz == 80_000_000
    assert stated.samples[0].cycles == pytest.approx(800)


def test_a_network_row_names_a_model_beside_the_file(tmp_path: Path) -> None:
    graph = small_network()
    content = write_flatbuffer(graph, seed=0, name="small").data
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "small.tflite").write_bytes(content)
    text = (
        "model,latency_us,operators\nmodels/small.tflite,100,60;10;25\nmodels/small.tflite,102,\n"
    )
    (sample,) = read(tmp_path, text).samples
    assert sample.is_network
    assert sample.name == hashlib.sha256(content).hexdigest()[:12]
    assert tuple(call.kernel for call in sample.calls) == kernels(graph)
    assert sample.cycles == pytest.approx(101 * 216)
    assert sample.operator_cycles == pytest.approx((60 * 216, 10 * 216, 25 * 216))


def test_what_the_numbers_are_of(tmp_path: Path) -> None:
    text = (
        f"{CONV},board,runtime,kernels,provenance\n"
        "CONV_2D,8,8,3,6,3,3,9,f746,tflm,cmsis-nn,measured\n"
    )
    assert read(tmp_path, text).identity == {
        "board": "f746",
        "runtime": "tflm",
        "kernels": "cmsis-nn",
        "provenance": "measured",
        "timing": "device",
    }
    emulated = f"{CONV},provenance\nCONV_2D,8,8,3,6,3,3,9,emulated\n"
    found = read(tmp_path, emulated, Provenance.EMULATED, runtime="tflm")
    assert (found.identity["provenance"], found.identity["runtime"]) == ("emulated", "tflm")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{CONV.replace('output_c', 'out_c')}\n1", ["line 1", "'out_c'", "output_c"]),
        (f"{CONV},cycles\n", ["no rows"]),
        (f"{CONV},cycles\n,,,,,,,,\n", ["line 1", "twice"]),
        (f"{CONV}\nCONV_2D,8,8,3,6,3\n", ["line 2", "6 cells", "8 columns"]),
        (f"# note\n\n{CONV}\nCONV_2D,8,8,3,6,3,x,9\n", ["line 4", "'kernel_w'", "'x'"]),
        (f"{CONV}\nCONV_2D,8,8,3,2.5,3,3,9\n", ["line 2", "'output_c'", "whole"]),
        (f"{CONV}\nCONV_2D,8,8,3,0,3,3,9\n", ["'output_c'", "from 1"]),
        (f"{CONV}\nCONV_2D,8,8,,6,3,3,9\n", ["'input_c'", "empty"]),
        (f"{CONV}\nCONV2D,8,8,3,6,3,3,9\n", ["'operator'", "CONV_2D"]),
        (f"{CONV}\nCONV_2D,8,8,3,6,9,9,9\n", ["line 2", "window"]),
        (f"{CONV}\nADD,8,8,3,,5,,9\n", ["'kernel_h'", "ADD has none"]),
        (f"{CONV}\nQUANTIZE,8,8,3,,,,9\n", ["QUANTIZE", "whole network"]),
        (f"{CONV}\nDEPTHWISE_CONV_2D,8,8,3,4,3,3,9\n", ["'output_c'", "multiple of the 3"]),
        (f"{CONV},output_h\nCONV_2D,8,8,3,6,3,3,9,8\n", ["'output_h'", "gives 6"]),
        (f"{CONV}\nCONV_2D,8,8,3,6,3,3,0\n", ["'cycles'", "above zero"]),
        (f"{CONV}\nCONV_2D,8,8,3,6,3,3,nan\n", ["'cycles'"]),
        (f"{CONV}\nCONV_2D,8,8,3,6,3,3,\n", ["line 2", "latency_us nor cycles"]),
        (f"{CONV},latency_us\nCONV_2D,8,8,3,6,3,3,216,2\n", ["'cycles'", "216000000 Hz"]),
        (f"{CONV},first\nCONV_2D,8,8,3,6,3,3,9,x\n", ["'first'"]),
        (f"{CONV},board\nCONV_2D,8,8,3,6,3,3,9,l4r5\n", ["'board'", "l4r5", "f746"]),
        (f"{CONV},provenance\nCONV_2D,8,8,3,6,3,3,9,emulated\n", ["'provenance'", "never mix"]),
        (
            f"{CONV},kernels\nCONV_2D,8,8,3,6,3,3,9,a\nCONV_2D,8,8,3,6,3,3,9,b\n",
            ["line 3", "'kernels'", "'a'"],
        ),
        ("model,cycles\nnone.tflite,9\n", ["line 2", "'model'", "No such file"]),
        ("model,cycles\n../log.csv,9\n", ["'model'", "beside"]),
        ("model,cycles\nlog.csv,9\n", ["'model'", "no TFLite file"]),
        ("model,cycles,input_h\nlog.csv,9,3\n", ["'input_h'", "whole network"]),
        (f"{CONV},model\nCONV_2D,8,8,3,6,3,3,9,a.tflite\n", ["line 2", "a model and an operator"]),
        ("model,cycles\n,9\n", ["no model and no operator"]),
    ],
)
def test_a_wrong_file_is_refused_by_line_and_column(
    tmp_path: Path, text: str, words: list[str]
) -> None:
    with pytest.raises(StoreError) as caught:
        read(tmp_path, text)
    for word in words:
        assert word in str(caught.value)


def test_operators_of_a_network_must_be_as_many_as_it_has(tmp_path: Path) -> None:
    content = write_flatbuffer(small_network(), seed=0, name="small").data
    (tmp_path / "small.tflite").write_bytes(content)
    with pytest.raises(StoreError, match="has 3 operators"):
        read(tmp_path, "model,cycles,operators\nsmall.tflite,9,4;5\n")


@pytest.mark.slow
def test_a_log_of_real_shape_cross_validates(tmp_path: Path) -> None:
    """Hundreds of single convolutions, one sample each: what a lab publishes."""
    found = read(tmp_path, kernel_log(150, seed=0))
    assert found.clock_hz == CLOCK_HZ
    fitted = fit_latency(
        found.samples,
        KernelProfile(found.identity["kernels"]),
        ArenaLayout(found.identity["kernels"]),
        float(found.clock_hz),
        found.identity,
    )
    default, line = fitted.quality(fitted.model.name), fitted.quality("mac-line")
    assert default.fit.n == len(found.samples)
    assert default.fit.within_10_percent >= 95.0
    assert line.fit.within_10_percent < 70.0  # or the log would be too easy
    assert abs(default.coverage_percent - default.nominal_percent) <= 6.0


def test_the_log_has_the_spread_of_published_ones() -> None:
    """Single-channel inputs cost many times the usual cycles per MAC, as on real silicon."""
    rng = np.random.default_rng(1)
    convs = [draw_conv(rng) for _ in range(500)]
    cost = np.array([cycles_of(conv) / conv.macs for conv in convs])
    single = np.array([conv.channels == 1 for conv in convs])
    assert 2 < np.median(cost) < 6
    assert np.median(cost[single]) > 4 * np.median(cost[~single])
