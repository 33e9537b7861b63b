# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from unas.artifact import Flatbuffer
from unas.board import load_board
from unas.firmware.sizes import PROGRAM_BYTES, pack

BOARD = load_board("f746")


@given(st.lists(st.integers(1, 1_200_000), max_size=40), st.integers(1, 64))
def test_every_model_is_in_one_image_that_fits(sizes: list[int], most: int) -> None:
    models = [
        Flatbuffer(i.to_bytes(4, "little") + bytes(size), str(i)) for i, size in enumerate(sizes)
    ]
    images = pack(models, BOARD, most=most)
    packed = [model.name for image in images for model in image]
    assert sorted(packed) == sorted(model.name for model in models)
    for image in images:
        assert len(image) <= most
        room = BOARD.flash_bytes - PROGRAM_BYTES
        assert len(image) == 1 or sum(m.flatbuffer_bytes for m in image) <= room


def test_few_images_for_many_models() -> None:
    models = [Flatbuffer(i.to_bytes(2, "little") + bytes(80_000), str(i)) for i in range(24)]
    assert len(pack(models, BOARD)) == 2 + (2 * (BOARD.flash_bytes - PROGRAM_BYTES) < 24 * 80_002)
