# SPDX-License-Identifier: Apache-2.0
"""Packing models into as few images as the flash allows: a sector lives 10,000 erase cycles."""

from __future__ import annotations

from collections.abc import Sequence

from unas.artifact import Flatbuffer
from unas.board import Board

# Room for the program itself, with some to spare; the linker has the last word.
PROGRAM_BYTES = 64 * 1024
_ALIGNMENT = 16
# Hundreds of single kernels share one erase cycle; more would only make one link slow.
MODELS_PER_IMAGE = 512


def pack(
    models: Sequence[Flatbuffer], board: Board, *, most: int = MODELS_PER_IMAGE
) -> list[list[Flatbuffer]]:
    """First-fit decreasing. A model that is too large even alone gets an image of its own.

    Args:
        models: Models to place.
        board: Whose flash to fill.
        most: Most models in one image.

    Returns:
        The images; each model is in exactly one of them.
    """
    capacity = board.flash_bytes - PROGRAM_BYTES
    images: list[list[Flatbuffer]] = []
    free: list[int] = []
    for model in sorted(models, key=lambda m: (-m.flatbuffer_bytes, m.sha256)):
        size = -(-model.flatbuffer_bytes // _ALIGNMENT) * _ALIGNMENT
        for index, room in enumerate(free):
            if size <= room and len(images[index]) < most:
                images[index].append(model)
                free[index] -= size
                break
        else:
            images.append([model])
            free.append(capacity - size)
    return images
