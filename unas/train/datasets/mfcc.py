# SPDX-License-Identifier: Apache-2.0
"""Mel-frequency cepstral coefficients: a second of sound as a picture (time, coefficient)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

FULL_SCALE = 32768.0  # of int16 sound
LOG_FLOOR = 1e-6  # power below which a mel band counts as silent; keeps the logarithm finite


@dataclass(frozen=True, slots=True)
class Mfcc:
    """How sound is turned into coefficients.

    Hann window, power spectrum, triangular filters of height 1 spaced evenly on the mel scale
    ``2595 log10(1 + f / 700)``, natural logarithm, orthonormal DCT-II (S. Davis, P. Mermelstein,
    1980).

    Attributes:
        rate_hz: Samples a second.
        samples: Length of a recording.
        window: Samples a frame looks at.
        hop: Samples from frame to frame.
        bands: Mel filters, and coefficients kept.
        low_hz: Where the first filter begins.
        high_hz: Where the last one ends.
    """

    rate_hz: int = 16_000
    samples: int = 16_000
    window: int = 480
    hop: int = 160
    bands: int = 40
    low_hz: float = 20.0
    high_hz: float = 4_000.0

    @property
    def frames(self) -> int:
        """Frames of a recording."""
        return (self.samples - self.window) // self.hop + 1

    @property
    def fft_size(self) -> int:
        """The window, filled up with zeros to a power of two."""
        return 1 << (self.window - 1).bit_length()

    def describe(self) -> str:
        """In words, for whoever computes them on a device."""
        return (
            f"mel-frequency cepstral coefficients of {self.samples} samples at {self.rate_hz} Hz: "
            f"r / {FULL_SCALE:g}; {self.frames} frames (rows) of {self.window} samples, one every "
            f"{self.hop}; each times a periodic Hann window, filled up with zeros to "
            f"{self.fft_size}; power spectrum; {self.bands} triangular filters of height 1, evenly "
            f"from {self.low_hz:g} to {self.high_hz:g} Hz on the scale 2595 log10(1 + f / 700); "
            f"natural logarithm of each sum + {LOG_FLOOR:g}; orthonormal DCT-II (columns)"
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values for a record."""
        return {"kind": "mfcc", **asdict(self), "words": self.describe()}

    def compute(self, waves: NDArray[Any]) -> NDArray[np.float32]:
        """Coefficients of int16 recordings (n, samples), as (n, frames, bands, 1)."""
        sound = waves.astype(np.float32) / np.float32(FULL_SCALE)
        frames = np.lib.stride_tricks.sliding_window_view(sound, self.window, axis=1)
        frames = frames[:, :: self.hop] * hann(self.window)
        power = np.abs(scipy.fft.rfft(frames, self.fft_size, axis=-1)) ** 2
        energies = np.log(power @ mel_filters(self) + np.float32(LOG_FLOOR))
        coefficients: NDArray[np.float32] = (energies @ dct_matrix(self.bands))[..., None]
        return coefficients


def hann(size: int) -> NDArray[np.float32]:
    """Periodic Hann window."""
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size), np.float32)


@lru_cache
def mel_filters(mfcc: Mfcc) -> NDArray[np.float32]:
    """Triangular filters, (fft_size / 2 + 1, bands)."""
    edges_mel = np.linspace(_mel(mfcc.low_hz), _mel(mfcc.high_hz), mfcc.bands + 2)
    bins_mel = _mel(np.arange(mfcc.fft_size // 2 + 1) * mfcc.rate_hz / mfcc.fft_size)[:, None]
    lower, centre, upper = edges_mel[:-2], edges_mel[1:-1], edges_mel[2:]
    rising = (bins_mel - lower) / (centre - lower)
    falling = (upper - bins_mel) / (upper - centre)
    return np.asarray(np.maximum(np.minimum(rising, falling), 0), np.float32)


@lru_cache
def dct_matrix(size: int) -> NDArray[np.float32]:
    """``energies @ matrix`` is their orthonormal DCT-II, (size, size)."""
    return np.asarray(scipy.fft.dct(np.eye(size), axis=1, norm="ortho"), np.float32)


def _mel(hz: Any) -> Any:
    return 2595.0 * np.log10(1.0 + np.asarray(hz, np.float64) / 700.0)
