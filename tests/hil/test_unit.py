# SPDX-License-Identifier: Apache-2.0
"""The same path as tests/virtual/test_end_to_end.py, on silicon where some is plugged in."""

from __future__ import annotations

import numpy as np
import pytest

from unas.board import list_boards, load_board
from unas.hil.measure import Procedure
from unas.hil.units import choose_unit, load_units
from unas.lab.bench import Bench
from unas.lab.lab import Lab
from unas.record import Measurement, Provenance
from unas.space.cnn import random_architecture
from unas.testing.fakes import MemoryStore
from unas.tflite.order import exported_graph
from unas.tflite.writer import write_flatbuffer


@pytest.mark.hil
@pytest.mark.parametrize("board_id", list_boards())
def test_a_unit_measures_what_it_was_given(board_id: str) -> None:
    board = load_board(board_id)
    unit = choose_unit(board, None, load_units())
    if unit is None:
        pytest.skip(f"no unit of {board_id} is plugged in (hardware_map.toml)")
    architecture = random_architecture(np.random.default_rng(1))
    model = write_flatbuffer(exported_graph(architecture, (16, 16, 3), 10), seed=1, name="net")
    bench = Bench(board, unit, 1, Procedure(1, 5, 1))
    ((found, _),) = list(Lab(bench, MemoryStore()).measure([model]))
    assert isinstance(found, Measurement), found
    assert found.provenance is Provenance.MEASURED
    assert found.timing == "silicon"
    assert found.output.equal
    assert found.spread_cycles <= 0.01 * found.median_cycles
