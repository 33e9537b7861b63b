# SPDX-License-Identifier: Apache-2.0
"""Speech Commands v0.02: one second of sound, ten words, silence, unknown (arXiv 1804.03209)."""

from __future__ import annotations

import hashlib
import math
import re
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unas.errors import DataError
from unas.train.datasets.augmentation import SoundAugmentation
from unas.train.datasets.dataset import DataProvenance, Dataset, Normalisation, Split, Splits
from unas.train.datasets.files import missing, parse, stored_array, tree_digest
from unas.train.datasets.mfcc import Mfcc

_WORDS = ("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes")
_NOISE = "_background_noise_"
_SOURCE = "download.tensorflow.org/data/speech_commands_v0.02.tar.gz, unpack it"
_RATE_HZ = 16_000
_SAMPLES = 16_000
_HASHES = 2**27  # the data set's own rule, from its README
_TEST_PERCENT, _VALIDATION_PERCENT = 10, 10
_EXTRA = 0.1  # silence and unknown words, each as a share of the wanted words
_SHIFT_SAMPLES = 1_600  # 100 ms
_STATISTICS = 2_000  # training sounds that the normalisation is computed from
_FEATURES = {
    98: Mfcc(window=480, hop=160, high_hz=4_000.0),
    49: Mfcc(window=640, hop=320, high_hz=7_500.0),
}
# Shares of each noise recording: no part hears another's noise.
_NOISE_SHARES = {"train": (0.0, 0.8), "validation": (0.8, 0.9), "test": (0.9, 1.0)}

Wave = NDArray[np.int16]


def which_part(stem: str) -> str:
    """Part of a recording, by the hash of its speaker: all of one speaker go to one part.

    Args:
        stem: File name without ``.wav``; the speaker stands before ``_nohash_``.
    """
    speaker = re.sub(r"_nohash_.*$", "", stem)
    number = int(hashlib.sha1(speaker.encode(), usedforsecurity=False).hexdigest(), 16)
    percent = (number % _HASHES) * 100 / (_HASHES - 1)
    if percent < _VALIDATION_PERCENT:
        return "validation"
    return "test" if percent < _VALIDATION_PERCENT + _TEST_PERCENT else "train"


def load_speech_commands(
    path: Path | None,
    *,
    frames: int = 98,
    words: Sequence[str] = _WORDS,
    split_seed: int = 0,
) -> Dataset:
    """Spoken words as mel-frequency cepstral coefficients (frames, 40, 1).

    Classes: silence, unknown (any other word), then the words. Silence and unknown have a tenth of
    the samples of all words each; silence is noise from the folder of background noise.

    Args:
        path: The unpacked archive: a folder a word, and ``_background_noise_``.
        frames: 98 (30 ms window every 10 ms, to 4,000 Hz) or 49 (40 ms every 20 ms, to 7,500 Hz).
        words: The words to tell apart.
        split_seed: Of the draws of silence and unknown words; the parts follow from the speakers.

    Raises:
        DataError: Folders are missing, or a recording cannot be read.
    """
    if frames not in _FEATURES:
        raise DataError(f"speech_commands: frames is {frames}; give 98 or 49")
    needed = (*words, _NOISE)
    if path is None or not all((path / name).is_dir() for name in needed):
        lacking = [] if path is None else [n for n in needed if not (path / n).is_dir()]
        wanted = f"the folder with {', '.join(lacking or needed)}"
        missing("speech_commands", path, wanted, _SOURCE)
    names = sorted(f.name for f in path.iterdir() if f.is_dir() and not f.name.startswith("_"))
    files = {name: sorted((path / name).glob("*.wav")) for name in names}
    noises = sorted((path / _NOISE).glob("*.wav"))
    noise = [_read_wave(file) for file in noises]
    if not any(len(sound) >= 10 * _SAMPLES for sound in noise):
        raise DataError(
            f"{path / _NOISE} holds no recording of 10 s or more; unpack the archive again"
        )
    tree = tree_digest(path, [*noises, *(file for listed in files.values() for file in listed)])
    splits = Splits(
        *(_part(part, tree[1], files, tuple(words), noise, split_seed) for part in _NOISE_SHARES)
    )
    if not all(len(split) for split in splits):
        raise DataError(f"{path} holds recordings for some parts only; unpack the archive again")
    features = _FEATURES[frames]
    return Dataset(
        name="speech_commands",
        input_shape=(frames, features.bands, 1),
        class_names=("silence", "unknown", *words),
        normalisation=_normalisation(features, splits.train.x, split_seed),
        augmentation=SoundAugmentation(_SHIFT_SAMPLES, np.concatenate(_share(noise, "train"))),
        provenance=DataProvenance((tree,), "by the hash of the speaker, 80/10/10", split_seed),
        features=features,
        splits=splits,
    )


def _part(
    part: str,
    digest: str,
    files: dict[str, list[Path]],
    words: tuple[str, ...],
    noise: list[Wave],
    seed: int,
) -> Split:
    own = {
        name: [path for path in listed if which_part(path.stem) == part]
        for name, listed in files.items()
    }
    paths = [path for word in words for path in own[word]]
    labels = [label for label, word in enumerate(words, 2) for _ in own[word]]
    extra = math.ceil(_EXTRA * len(paths))
    rng = np.random.default_rng([seed, list(_NOISE_SHARES).index(part)])
    others = [path for name, listed in own.items() if name not in words for path in listed]
    unknown = [others[i] for i in rng.permutation(len(others))[:extra]]
    crops = _crops(_share(noise, part), extra, rng)

    def fill(array: NDArray[Any]) -> None:
        array[: len(crops)] = crops
        for i, path in enumerate((*unknown, *paths), len(crops)):
            sound = _read_wave(path)[:_SAMPLES]
            array[i, : len(sound)] = sound
            array[i, len(sound) :] = 0

    y = np.array([0] * len(crops) + [1] * len(unknown) + labels, np.int32)
    key = f"waves {digest} {part} {seed} {' '.join(words)}"
    return Split(stored_array(key, (len(y), _SAMPLES), np.int16, fill), y)


def _share(noise: list[Wave], part: str) -> list[Wave]:
    """The part's own piece of each recording, where it is long enough to cut a sample from."""
    low, high = _NOISE_SHARES[part]
    pieces = [sound[int(low * len(sound)) : int(high * len(sound))] for sound in noise]
    return [piece for piece in pieces if len(piece) >= _SAMPLES]


def _crops(noise: list[Wave], count: int, rng: np.random.Generator) -> Wave:
    """A second of noise from a random place, at a volume from 0 to that of the recording."""
    crops = np.empty((count, _SAMPLES), np.int16)
    for crop in crops:
        piece = noise[rng.integers(len(noise))]
        start = rng.integers(len(piece) - _SAMPLES + 1)
        crop[:] = piece[start : start + _SAMPLES] * rng.random()
    return crops


def _normalisation(features: Mfcc, waves: NDArray[Any], seed: int) -> Normalisation:
    """Mean 0 and deviation 1 of each coefficient: they differ by orders of magnitude."""
    order = np.random.default_rng([seed, len(_NOISE_SHARES)]).permutation(len(waves))
    return Normalisation.standard(features.compute(waves[np.sort(order[:_STATISTICS])]), (0, 1, 3))


def _read_wave(path: Path) -> Wave:
    def read(file: Path) -> Wave:
        try:
            with wave.open(str(file), "rb") as sound:
                kind = (sound.getnchannels(), sound.getsampwidth(), sound.getframerate())
                if kind != (1, 2, _RATE_HZ):
                    raise ValueError(
                        f"{kind[0]} channels of {8 * kind[1]} bits at {kind[2]} Hz, "
                        f"expected 1 of 16 bits at {_RATE_HZ} Hz"
                    )
                return np.frombuffer(sound.readframes(sound.getnframes()), "<i2")
        except wave.Error as error:
            raise ValueError(str(error)) from error

    return parse(path, read, "unpack the archive again")
