# SPDX-License-Identifier: Apache-2.0
"""What is done to a training sample before the network sees it: values, no TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ImageAugmentation:
    """Random shift, mirror and rotation of a picture; the defaults change nothing.

    Attributes:
        shift_px: Largest shift (down, right) in pixels, drawn evenly from -shift … shift. What
            moves in from outside is the picture mirrored at its edge (symmetric padding, then a
            crop at a random place).
        flip: Mirror left and right, every second picture.
        rotate_rad: Largest rotation about the centre, drawn evenly from -angle … angle.
        rotate_probability: Share of the pictures that are rotated.
    """

    shift_px: tuple[int, int] = (0, 0)
    flip: bool = False
    rotate_rad: float = 0.0
    rotate_probability: float = 0.0

    def describe(self) -> str:
        """In words, for the record of a study."""
        parts = []
        if self.rotate_rad and self.rotate_probability:
            parts.append(f"rotate ±{self.rotate_rad:g} rad (p {self.rotate_probability:g})")
        if self.flip:
            parts.append("flip left-right")
        if any(self.shift_px):
            down, right = self.shift_px
            parts.append(f"shift ±{down} px" if down == right else f"shift ±{down}, ±{right} px")
        return ", ".join(parts) or "none"


@dataclass(frozen=True, slots=True, eq=False)
class SoundAugmentation:
    """Random time shift and background noise of a recording.

    Attributes:
        shift_samples: Largest shift in samples, drawn evenly; zeros move in.
        noise: int16 (m,), the noise to draw from; at least as long as a recording.
        noise_probability: Share of the recordings that get noise.
        noise_volume: Largest factor of the noise, drawn evenly from 0 … volume.
    """

    shift_samples: int
    noise: NDArray[np.int16]
    noise_probability: float = 0.8
    noise_volume: float = 0.1

    def describe(self) -> str:
        """In words, for the record of a study."""
        return (
            f"time shift ±{self.shift_samples} samples, background noise up to volume "
            f"{self.noise_volume:g} (p {self.noise_probability:g})"
        )


Augmentation = ImageAugmentation | SoundAugmentation
NO_AUGMENTATION = ImageAugmentation()
