# SPDX-License-Identifier: Apache-2.0
"""Batches as the network sees them, in TensorFlow: a whole batch at a time, without state.

A picture at a time, as tf.data does it, costs more than training a tiny network. The functions here
are plain tensor operators on a batch, so they run inside the compiled epoch; what they draw depends
on the seed alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from unas.train.backend import load_tensorflow
from unas.train.datasets.augmentation import ImageAugmentation, SoundAugmentation
from unas.train.datasets.dataset import Dataset
from unas.train.datasets.mfcc import FULL_SCALE, LOG_FLOOR, Mfcc, dct_matrix, hann, mel_filters

Plain = Callable[[Any], Any]
Seeded = Callable[[Any, Any], Any]


def plain_batch(dataset: Dataset) -> Plain:
    """From stored samples to what the network sees, as ``Dataset.inputs`` does it.

    Returns:
        (batch as stored) -> float32 (n, height, width, channels).
    """
    tf = load_tensorflow()

    normalisation, features = dataset.normalisation, dataset.features

    def prepare(x: Any) -> Any:
        x = tf.cast(x, tf.float32)
        if features is not None:
            x = _coefficients(tf, x / FULL_SCALE, features)
        return (x - normalisation.offset) * normalisation.scale

    return prepare


def training_batch(dataset: Dataset) -> Seeded:
    """The same with the data set's augmentation; give batches in random order.

    Returns:
        (batch as stored, int32 seed (2,)) -> float32 (n, height, width, channels). Equal seeds
        give equal batches.
    """
    augmentation, plain = dataset.augmentation, plain_batch(dataset)

    def prepare(x: Any, seed: Any) -> Any:
        if isinstance(augmentation, SoundAugmentation):
            return plain(augment_sounds(x, seed, augmentation))
        return plain(augment_images(x, seed, augmentation))

    return prepare


def augment_images(x: Any, seed: Any, augmentation: ImageAugmentation) -> Any:
    """Rotate, mirror and shift pictures.

    Args:
        x: (n, height, width, channels); keeps its type unless rotated, then float32.
        seed: int32 (2,).
        augmentation: What to do.
    """
    tf = load_tensorflow()

    x = tf.convert_to_tensor(x)
    if augmentation.rotate_rad and augmentation.rotate_probability:
        x = _rotated(tf, tf.cast(x, tf.float32), _fold(tf, seed, 0), augmentation)
    shape = tf.shape(x)
    count, height, width = shape[0], shape[1], shape[2]
    down, right = augmentation.shift_px
    if down:
        rows = tf.range(height) - _shifts(tf, count, _fold(tf, seed, 1), down)
        x = tf.gather(x, _mirrored(tf, rows, height), axis=1, batch_dims=1)
    if right or augmentation.flip:
        columns = tf.range(width) - _shifts(tf, count, _fold(tf, seed, 2), right)
        columns = _mirrored(tf, columns, width)
        if augmentation.flip:
            coin = tf.random.stateless_uniform((count, 1), _fold(tf, seed, 3)) < 0.5
            columns = tf.where(coin, width - 1 - columns, columns)
        x = tf.gather(x, columns, axis=2, batch_dims=1)
    return x


def augment_sounds(x: Any, seed: Any, augmentation: SoundAugmentation) -> Any:
    """Shift recordings in time and add noise.

    Args:
        x: (n, samples), int16 or float32 on the scale of int16.
        seed: int32 (2,).
        augmentation: What to do.

    Returns:
        float32 (n, samples), within the range of int16.
    """
    tf = load_tensorflow()

    x = tf.cast(x, tf.float32)
    count, samples = tf.shape(x)[0], tf.shape(x)[1]
    if augmentation.shift_samples:
        shifts = _shifts(tf, count, _fold(tf, seed, 0), augmentation.shift_samples)
        places = tf.range(samples) - shifts
        inside = (places >= 0) & (places < samples)
        moved = tf.gather(x, tf.clip_by_value(places, 0, samples - 1), axis=1, batch_dims=1)
        x = tf.where(inside, moved, 0.0)
    if augmentation.noise_probability and augmentation.noise_volume:
        noise = tf.constant(augmentation.noise)
        last = tf.size(noise) - samples
        starts = tf.random.stateless_uniform((count, 1), _fold(tf, seed, 1), 0, last + 1, tf.int32)
        added = tf.cast(tf.gather(noise, starts + tf.range(samples)), tf.float32)
        volume = augmentation.noise_volume * tf.random.stateless_uniform(
            (count, 1), _fold(tf, seed, 2)
        )
        heard = (
            tf.random.stateless_uniform((count, 1), _fold(tf, seed, 3))
            < augmentation.noise_probability
        )
        x += tf.where(heard, volume, 0.0) * added
    return tf.clip_by_value(x, -FULL_SCALE, FULL_SCALE - 1)


def _fold(tf: Any, seed: Any, purpose: int) -> Any:
    """A seed of its own for each thing that is drawn."""
    return tf.random.experimental.stateless_fold_in(tf.cast(seed, tf.int32), purpose)


def _shifts(tf: Any, count: Any, seed: Any, largest: int) -> Any:
    """Whole numbers from -largest … largest, (count, 1)."""
    return tf.random.stateless_uniform((count, 1), seed, -largest, largest + 1, tf.int32)


def _mirrored(tf: Any, places: Any, size: Any) -> Any:
    """Places outside 0 … size - 1, seen in a mirror at the edge."""
    places = tf.where(places < 0, -1 - places, places)
    places = tf.where(places >= size, 2 * size - 1 - places, places)
    return tf.clip_by_value(places, 0, size - 1)  # shifts beyond the size


def _rotated(tf: Any, x: Any, seed: Any, augmentation: ImageAugmentation) -> Any:
    """Rotate the first pictures, as many as the probability says.

    Batches come in random order, so the first are any; rotating all by mostly nothing would take
    three times as long at the usual probability. What is left of a picture is rounded by chance.
    """
    shape = tf.shape(x)
    size = tf.cast(shape[1:3], tf.float32)
    share = augmentation.rotate_probability * tf.cast(shape[0], tf.float32)
    count = tf.cast(share + tf.random.stateless_uniform((), _fold(tf, seed, 0)), tf.int32)
    count = tf.minimum(count, shape[0])
    limit = augmentation.rotate_rad
    angles = tf.random.stateless_uniform((count,), _fold(tf, seed, 1), -limit, limit)
    sine, cosine = tf.sin(angles), tf.cos(angles)
    middle_y, middle_x = (size[0] - 1) / 2, (size[1] - 1) / 2
    nothing = tf.zeros_like(angles)
    # From a place of the result to one of the source, about the middle.
    transforms = tf.stack(
        [
            cosine, -sine, middle_x - cosine * middle_x + sine * middle_y,
            sine, cosine, middle_y - sine * middle_x - cosine * middle_y,
            nothing, nothing,
        ],
        axis=1,
    )  # fmt: skip
    turned = tf.raw_ops.ImageProjectiveTransformV3(
        images=x[:count],
        transforms=transforms,
        output_shape=shape[1:3],
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
        fill_value=0.0,
    )
    return tf.ensure_shape(tf.concat([turned, x[count:]], axis=0), x.shape)


def _coefficients(tf: Any, sound: Any, features: Mfcc) -> Any:
    """``Mfcc.compute`` in TensorFlow, on sounds of -1 … 1: (n, frames, bands, 1)."""
    frames = tf.signal.frame(sound, features.window, features.hop) * hann(features.window)
    spectrum = tf.signal.rfft(frames, [features.fft_size])
    power = tf.square(tf.math.real(spectrum)) + tf.square(tf.math.imag(spectrum))
    energies = tf.math.log(tf.matmul(power, mel_filters(features)) + LOG_FLOOR)
    return tf.matmul(energies, dct_matrix(features.bands))[..., tf.newaxis]
