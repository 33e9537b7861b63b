# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.unit.dataset_files import write_wave
from unas.errors import DataError
from unas.train.datasets import SoundAugmentation, load_dataset
from unas.train.datasets.har import _CHANNELS
from unas.train.datasets.mfcc import Mfcc, mel_filters
from unas.train.datasets.speech import which_part

WORDS = ["yes", "no"]
# Speakers named in the data set's own testing_list.txt and validation_list.txt.
TESTING = ["0c40e715", "0ea0e2f4", "42beb5eb", "44260689", "44715c1c", "022cd682", "0d53e045"]
VALIDATION = ["fde2dee7", "099d52ad", "66cff190", "541120c7", "364c0853", "0ab3b47d", "4abefdf5"]
TRAINING = [f"speaker{i}" for i in range(40) if which_part(f"speaker{i}") == "train"][:20]


def test_parts_follow_the_data_sets_own_lists() -> None:
    assert {which_part(f"{s}_nohash_0") for s in TESTING} == {"test"}
    assert {which_part(f"{s}_nohash_3") for s in VALIDATION} == {"validation"}
    parts = [which_part(f"{i:08x}_nohash_1") for i in range(4000)]
    assert abs(parts.count("train") / 4000 - 0.8) < 0.03


def speech_folder(folder: Path) -> Path:
    """Each recording is constant and its value is its number, so it can be found again."""
    number = 100
    for word in (*WORDS, "cat", "dog"):
        for speaker in (*TESTING, *VALIDATION, *TRAINING):
            samples = 16_000 if number % 2 else 12_000
            sound = np.full(samples, number, np.int16)
            write_wave(folder / word / f"{speaker}_nohash_0.wav", sound)
            number += 1
    # The noise of each tenth of the recording is 1000 times its number.
    noise = np.repeat(np.arange(1, 11) * 1000, 20_000).astype(np.int16)
    write_wave(folder / "_background_noise_" / "hum.wav", noise)
    return folder


def peaks(x: NDArray[np.int16]) -> set[int]:
    return {int(value) for value in x.max(axis=1)}


def test_speech_commands(tmp_path: Path) -> None:
    dataset = load_dataset("speech_commands", speech_folder(tmp_path), words=WORDS)
    assert dataset.class_names == ("silence", "unknown", "yes", "no")
    assert dataset.input_shape == (98, 40, 1)
    # As many silent and unknown samples as a tenth of the words, rounded up.
    counts = [list(np.bincount(split.y)) for split in dataset.splits]
    assert counts == [[4, 4, 20, 20], [2, 2, 7, 7], [2, 2, 7, 7]]
    spoken = [peaks(split.x[split.y > 0]) for split in dataset.splits]
    for part, other in ((0, 1), (0, 2), (1, 2)):
        assert not spoken[part] & spoken[other]
    words = [peaks(split.x[split.y > 1]) for split in dataset.splits]
    assert sum(map(len, words)) == 2 * 34
    inputs = dataset.inputs(dataset.test)
    assert inputs.shape == (18, 98, 40, 1)
    assert np.isfinite(inputs).all()
    # Short recordings are filled up with silence.
    short = dataset.train.x[dataset.train.x[:, 0] % 2 == 0]
    assert np.all(short[np.isin(short[:, 0], list(words[0])), 12_000:] == 0)


def test_noise_of_one_part_is_not_heard_in_another(tmp_path: Path) -> None:
    dataset = load_dataset("speech_commands", speech_folder(tmp_path), words=WORDS, frames=49)
    assert dataset.input_shape == (49, 40, 1)
    augmentation = dataset.augmentation
    assert isinstance(augmentation, SoundAugmentation)
    assert set(augmentation.noise) == {1000 * n for n in range(1, 9)}
    assert augmentation.describe().startswith("time shift ±1600 samples")
    for split in dataset.splits:
        silent = split.x[split.y == 0].astype(int)
        assert silent.max() < 10_000
        assert silent.min() >= 0
    again = load_dataset("speech_commands", tmp_path, words=WORDS, frames=49)
    assert np.array_equal(again.train.x, dataset.train.x)


def test_wrong_sounds_are_told(tmp_path: Path) -> None:
    speech_folder(tmp_path)
    with pytest.raises(DataError, match="give the path of the folder with up"):
        load_dataset("speech_commands", tmp_path, words=["yes", "up"])
    with pytest.raises(DataError, match="'shift_px'; leave it out"):
        load_dataset("speech_commands", tmp_path, words=WORDS, shift_px=1)
    (tmp_path / "up").mkdir()
    with pytest.raises(DataError, match="for some parts only"):
        load_dataset("speech_commands", tmp_path, words=["up"])
    path = tmp_path / "yes" / f"{TESTING[0]}_nohash_0.wav"
    write_wave(path, np.zeros(8_000, np.int16), rate_hz=8_000)
    with pytest.raises(DataError, match="at 8000 Hz, expected 1 of 16 bits at 16000 Hz"):
        load_dataset("speech_commands", tmp_path, words=WORDS)
    path.write_bytes(b"RIFF")
    with pytest.raises(DataError, match="cannot be read"):
        load_dataset("speech_commands", tmp_path, words=WORDS)
    write_wave(tmp_path / "_background_noise_" / "hum.wav", np.zeros(16_000, np.int16))
    with pytest.raises(DataError, match="no recording of 10 s"):
        load_dataset("speech_commands", tmp_path, words=WORDS)


@pytest.mark.parametrize("mfcc", [Mfcc(), Mfcc(window=640, hop=320, high_hz=7_500.0)])
def test_mfcc_agree_with_tensorflow(mfcc: Mfcc) -> None:
    import tensorflow as tf

    waves = np.random.default_rng(0).normal(0, 3000, (3, mfcc.samples)).astype(np.int16)
    spectrum = tf.signal.stft(waves / 32768.0, mfcc.window, mfcc.hop, mfcc.fft_size)
    filters = tf.signal.linear_to_mel_weight_matrix(
        mfcc.bands, mfcc.fft_size // 2 + 1, mfcc.rate_hz, mfcc.low_hz, mfcc.high_hz, tf.float64
    )
    assert np.allclose(mel_filters(mfcc), filters.numpy(), atol=1e-4)
    energies = tf.math.log(tf.matmul(tf.abs(spectrum) ** 2, filters) + 1e-6)
    expected = tf.signal.mfccs_from_log_mel_spectrograms(energies).numpy()
    expected[..., 0] /= np.sqrt(2)  # TensorFlow scales as HTK does, not orthonormally
    assert mfcc.compute(waves).shape == (3, mfcc.frames, mfcc.bands, 1)
    assert np.allclose(mfcc.compute(waves)[..., 0], expected, atol=2e-3)


@pytest.mark.parametrize(("mfcc", "frames"), [(Mfcc(), 98), (Mfcc(window=640, hop=320), 49)])
def test_mfcc_have_the_papers_frames(mfcc: Mfcc, frames: int) -> None:
    assert mfcc.frames == frames


def har_folder(folder: Path, counts: dict[str, Iterable[int]]) -> Path:
    """Signal c of window n is 1000 * c + n, plus the step's number over 1000."""
    for part, people in counts.items():
        who = list(people)
        root = folder / "UCI HAR Dataset" / part
        (root / "Inertial Signals").mkdir(parents=True)
        steps = np.arange(128) / 1000
        for c, channel in enumerate(_CHANNELS):
            table = [1000 * c + n + steps for n in range(len(who))]
            np.savetxt(root / "Inertial Signals" / f"{channel}_{part}.txt", table, "%16.7e")
        np.savetxt(root / f"y_{part}.txt", np.arange(len(who)) % 6 + 1, "%d")
        np.savetxt(root / f"subject_{part}.txt", who, "%d")
    return folder


def test_uci_har_is_parted_by_people(tmp_path: Path) -> None:
    people = [n // 8 + 1 for n in range(80)]
    dataset = load_dataset("uci_har", har_folder(tmp_path, {"train": people, "test": [20] * 12}))
    assert dataset.input_shape == (128, 1, 9)
    assert [len(split) for split in dataset.splits] == [64, 16, 12]
    numbers = [split.x[:, 0, 0, 0].astype(int) for split in dataset.splits]
    owners = [{people[n] for n in numbers[part]} for part in (0, 1)]
    assert not owners[0] & owners[1]
    for split, windows in zip(dataset.splits, numbers, strict=True):
        assert list(split.y) == [n % 6 for n in windows]
        expected = windows[:, None, None] + 1000 * np.arange(9) + np.arange(128)[:, None] / 1000
        assert np.allclose(split.x[:, :, 0], expected, atol=1e-3)
    assert np.allclose(dataset.inputs(dataset.train).mean((0, 1, 2)), 0, atol=1e-3)
    assert np.allclose(dataset.inputs(dataset.train).std((0, 1, 2)), 1, atol=1e-3)


def test_wrong_har_files_are_told(tmp_path: Path) -> None:
    har_folder(tmp_path, {"train": [1, 2, 3] * 6, "test": [4] * 6})
    root = tmp_path / "UCI HAR Dataset"
    with pytest.raises(DataError, match="validation_fraction is 1"):
        load_dataset("uci_har", root, validation_fraction=1)
    with pytest.raises(DataError, match=r"too few people to keep 0\.9 of"):
        load_dataset("uci_har", root, validation_fraction=0.9)
    labels = root / "train" / "y_train.txt"
    labels.write_text("1\n2\n")
    with pytest.raises(DataError, match="unequal numbers of lines"):
        load_dataset("uci_har", root)
    labels.write_text("one\n")
    with pytest.raises(DataError, match=r"y_train\.txt cannot be read"):
        load_dataset("uci_har", root)
    labels.unlink()
    with pytest.raises(DataError, match="give the path of the folder with y_train"):
        load_dataset("uci_har", root)
