# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from dataclasses import replace

import pytest

from unas.errors import StoreError
from unas.record import HardwareEvent, Measurement, OperatorCycles, OutputCheck
from unas.testing.contracts import example_measurement


def test_a_measurement_survives_json() -> None:
    measurement = replace(
        example_measurement(),
        operators=(OperatorCycles(0, "CONV_2D", 7), OperatorCycles(1, "SOFTMAX", 3)),
        events=(HardwareEvent("flash", 1.25), HardwareEvent("measure", 0.5, 2)),
        instructions=123,
    )
    text = json.dumps(measurement.to_json_dict())
    assert Measurement.from_json_dict(json.loads(text)) == measurement


def test_latency_is_the_median_by_the_clock() -> None:
    measurement = replace(
        example_measurement(), samples_cycles=(100, 300, 110), clock_hz=10_000_000
    )
    assert measurement.latency_us == 11.0
    assert measurement.spread_cycles == 200


def test_unchecked_output_does_not_count_as_equal() -> None:
    assert OutputCheck("x", 4, 0).equal
    assert not OutputCheck("x", 4, 1).equal
    assert not OutputCheck("x", 4, None).equal


@pytest.mark.parametrize(
    "change", [{"schema": 0}, {"provenance": "guessed"}, {"extra": 1}, {"arena": {}}, {"events": 1}]
)
def test_what_is_no_measurement_is_refused(change: dict[str, object]) -> None:
    data = {**example_measurement().to_json_dict(), **change}
    with pytest.raises(StoreError):
        Measurement.from_json_dict(data)
