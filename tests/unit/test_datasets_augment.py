# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.ndimage
import tensorflow as tf
from numpy.typing import NDArray

from unas.train.datasets import ImageAugmentation, SoundAugmentation, load_dataset
from unas.train.datasets.augment import (
    augment_images,
    augment_sounds,
    plain_batch,
    training_batch,
)
from unas.train.datasets.dataset import DataProvenance, Dataset, Normalisation, Split, Splits
from unas.train.datasets.mfcc import Mfcc

SEED = tf.constant([3, 4])
EVERYTHING = ImageAugmentation((2, 3), flip=True, rotate_rad=0.2, rotate_probability=0.5)


def numbered(count: int, height: int = 7, width: int = 5, channels: int = 2) -> NDArray[np.uint8]:
    """Every pixel of a picture is another."""
    picture = np.arange(height * width * channels, dtype=np.uint8)
    return np.stack([picture.reshape(height, width, channels)] * count)


def shifted(picture: NDArray[Any], down: int, right: int) -> NDArray[Any]:
    """Symmetric padding and a crop, by NumPy."""
    pad = max(abs(down), abs(right))
    padded = np.pad(picture, ((pad, pad), (pad, pad), (0, 0)), "symmetric")
    height, width = picture.shape[:2]
    return padded[pad - down : pad - down + height, pad - right : pad - right + width]


def test_nothing_changes_at_zero_strength() -> None:
    x = numbered(3)
    assert np.array_equal(augment_images(x, SEED, ImageAugmentation()), x)
    sounds = np.arange(40, dtype=np.int16).reshape(2, 20)
    nothing = SoundAugmentation(0, np.ones(30, np.int16), noise_volume=0.0)
    assert np.array_equal(augment_sounds(sounds, SEED, nothing), sounds)
    for angle, probability in ((0.0, 1.0), (0.5, 0.0)):
        still = ImageAugmentation(rotate_rad=angle, rotate_probability=probability)
        assert np.array_equal(augment_images(x, SEED, still), x)


def test_shifts_move_pixels_as_said() -> None:
    x = numbered(600)
    result = augment_images(x, SEED, ImageAugmentation((2, 1))).numpy()
    assert result.dtype == np.uint8
    possible = {
        shifted(x[0], down, right).tobytes(): (down, right)
        for down in range(-2, 3)
        for right in range(-1, 2)
    }
    seen = [possible[picture.tobytes()] for picture in result]
    counts = np.unique(seen, axis=0, return_counts=True)[1]
    assert len(counts) == len(possible) == 15
    # 600 draws of 15 equal chances: 40 each, deviation 6.1.
    assert 15 < min(counts) <= max(counts) < 65


def test_flips_mirror_half_of_the_pictures() -> None:
    x = numbered(400)
    result = augment_images(x, SEED, ImageAugmentation(flip=True)).numpy()
    same = [np.array_equal(a, b) for a, b in zip(result, x, strict=True)]
    mirrored = [np.array_equal(a, b[:, ::-1]) for a, b in zip(result, x, strict=True)]
    assert [a != b for a, b in zip(same, mirrored, strict=True)] == [True] * 400
    assert 150 < sum(same) < 250


def test_rotations_turn_about_the_middle() -> None:
    x = np.random.default_rng(0).uniform(0, 255, (1, 9, 9, 1)).astype(np.float32)
    x = np.repeat(x, 50, axis=0)
    augmentation = ImageAugmentation(rotate_rad=0.3, rotate_probability=1.0)
    result = augment_images(x, SEED, augmentation).numpy()
    assert np.allclose(result[:, 4, 4], x[:, 4, 4], atol=1e-2)
    angles = np.linspace(-0.3, 0.3, 601)
    # SciPy blends the edge otherwise: compare where no source pixel lies outside.
    inner = (slice(2, 7), slice(2, 7))
    turned = [
        scipy.ndimage.rotate(x[0, :, :, 0], np.degrees(a), reshape=False, order=1)[inner]
        for a in angles
    ]
    errors = [[np.abs(picture[*inner, 0] - t).max() for t in turned] for picture in result]
    assert np.max(np.min(errors, axis=1)) < 0.5
    found = angles[np.argmin(errors, axis=1)]
    assert found.min() < -0.15
    assert found.max() > 0.15


def test_rotations_keep_their_share() -> None:
    x = tf.constant(numbered(10), tf.float32)
    augmentation = ImageAugmentation(rotate_rad=0.2, rotate_probability=0.25)
    compiled = tf.function(lambda seed: augment_images(x, seed, augmentation))
    results = [compiled(tf.constant([1, n])).numpy() for n in range(60)]
    turned = [int(np.any(result != x, axis=(1, 2, 3)).sum()) for result in results]
    assert set(turned) == {2, 3}
    assert 20 <= turned.count(3) <= 40


@pytest.mark.parametrize("count", [1, 5, 64])
def test_pictures_keep_shape_and_depend_on_the_seed_alone(count: int) -> None:
    x = np.random.default_rng(1).integers(0, 256, (count, 8, 6, 3), np.uint8)
    compiled = tf.function(lambda x, seed: augment_images(x, seed, EVERYTHING))
    first = compiled(x, SEED).numpy()
    assert first.shape == x.shape
    assert np.array_equal(first, augment_images(x, SEED, EVERYTHING))
    assert not np.array_equal(first, compiled(x, tf.constant([3, 5])))
    assert first.min() >= 0
    assert first.max() <= 255


def test_a_batch_of_unknown_size_keeps_its_static_shape() -> None:
    def augment(x: Any) -> Any:
        result = augment_images(x, SEED, EVERYTHING)
        assert tuple(result.shape) == (None, 8, 6, 3)
        return result

    compiled = tf.function(augment, [tf.TensorSpec((None, 8, 6, 3), tf.uint8)])
    assert compiled(np.zeros((4, 8, 6, 3), np.uint8)).shape == (4, 8, 6, 3)


def test_sounds_shift_and_fill_with_silence() -> None:
    sound = np.arange(1, 101, dtype=np.int16)
    augmentation = SoundAugmentation(10, np.zeros(200, np.int16))
    result = augment_sounds(np.stack([sound] * 300), SEED, augmentation).numpy()
    possible = {
        shift: np.pad(sound, (max(shift, 0), max(-shift, 0)))[max(-shift, 0) :][:100]
        for shift in range(-10, 11)
    }
    seen = {shift for row in result for shift, s in possible.items() if np.array_equal(row, s)}
    assert seen == set(possible)
    assert all(any(np.array_equal(row, s) for s in possible.values()) for row in result)


def test_noise_is_added_as_often_and_as_loud_as_said() -> None:
    noise = np.arange(1000, 2000, dtype=np.int16)
    augmentation = SoundAugmentation(0, noise, noise_probability=0.8, noise_volume=0.1)
    added = augment_sounds(np.zeros((500, 50), np.int16), SEED, augmentation).numpy()
    heard = added[:, 0] > 0
    assert 360 < heard.sum() < 440
    assert np.all(added[~heard] == 0)
    volume = np.diff(added[heard], axis=1).mean(axis=1)
    assert 0 <= volume.min() < 0.01
    assert 0.09 < volume.max() <= 0.1
    starts = added[heard][:, 0] / volume
    assert starts.min() > 990
    assert starts.max() < 1970
    loud = augment_sounds(np.full((4, 50), 32767, np.int16), SEED, augmentation).numpy()
    assert loud.max() == 32767


def test_the_networks_input_is_the_same_with_and_without_tensorflow() -> None:
    digits = load_dataset("digits", shift_px=1)
    got = plain_batch(digits)(digits.test.x).numpy()
    assert np.allclose(got, digits.inputs(digits.test), atol=1e-6)
    still = training_batch(digits.without_augmentation())(digits.test.x, SEED).numpy()
    assert np.array_equal(still, got)
    moved = training_batch(digits)(digits.test.x, SEED).numpy()
    assert moved.shape == got.shape
    assert not np.array_equal(moved, got)


def test_sounds_become_the_same_pictures_with_and_without_tensorflow() -> None:
    mfcc = Mfcc(samples=4_000)
    waves = np.random.default_rng(0).normal(0, 2000, (3, 4_000)).astype(np.int16)
    split = Split(waves, np.array([0, 1, 1], np.int32))
    dataset = Dataset(
        name="sounds",
        input_shape=(mfcc.frames, mfcc.bands, 1),
        class_names=("a", "b"),
        splits=Splits(split, split, split),
        normalisation=Normalisation.of(np.zeros((1, mfcc.bands, 1)), 0.5),
        provenance=DataProvenance((), "by hand", 0),
        augmentation=SoundAugmentation(100, waves[0], noise_volume=0.05),
        features=mfcc,
    )
    expected = dataset.inputs(split)
    assert np.allclose(plain_batch(dataset)(waves).numpy(), expected, atol=1e-3)
    compiled = tf.function(training_batch(dataset))
    augmented = compiled(waves, SEED).numpy()
    assert augmented.shape == expected.shape
    assert not np.allclose(augmented, expected, atol=0.1)
