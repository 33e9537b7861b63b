# SPDX-License-Identifier: Apache-2.0
"""Where candidates are trained and converted, and the int8 model's error is found.

Lives in a process of its own: TensorFlow is imported when a room is opened.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from unas.artifact import Flatbuffer
from unas.config.load import study_from_toml
from unas.errors import UnasError, WorkerError
from unas.record import Stage, TrainingResult
from unas.space.catalogue import find_space
from unas.study.requests import AskTraining, TrainingAnswer
from unas.train.datasets import Dataset, load_dataset

if TYPE_CHECKING:
    from unas.train.distillation import Teacher
    from unas.train.result import EpochReport, Trained

# Enough for the scales of activations; more only takes time.
_REPRESENTATIVE = 200


class Trainer(Protocol):
    """Trains candidates, one after the other."""

    def train(self, job: AskTraining) -> TrainingAnswer:
        """Train one.

        Raises:
            UnasError: It failed; a ``WorkerError`` says in which stage.
        """
        ...


class Training(Protocol):
    """How to begin training in a process; a value that can be handed to one."""

    def open(self) -> Trainer:
        """Load what all candidates need.

        Raises:
            UnasError: The data set or the teacher cannot be used.
        """
        ...


@dataclass(frozen=True, slots=True)
class KerasTraining:
    """Training with Keras.

    Attributes:
        study: As TOML.
        folder: Where trained networks are written, a folder each.
        threads: For TensorFlow; None: all cores.
    """

    study: str
    folder: str
    threads: int | None = None

    def open(self) -> Trainer:
        """Import TensorFlow, load data and teacher."""
        return _Room(self)


class _Room:
    """Data, teacher and space, loaded once."""

    def __init__(self, what: KerasTraining) -> None:
        from unas.train.backend import configure
        from unas.train.data import training_data

        with _without_chatter():
            configure(threads=what.threads)
        self._study = study = study_from_toml(what.study, "the study", "study")
        self._folder = Path(what.folder)
        self._dataset = load_dataset(study.data.name, study.data.path, **study.data.options)
        self._space = find_space(study.space.name, study.space.options)
        self._data = training_data(self._dataset, augmentation=study.training.augmentation)
        self._judges = _Int8Errors(self._dataset)
        self._teacher = self._load_teacher()

    def train(self, job: AskTraining) -> TrainingAnswer:
        """Train, convert, judge; the network lies in the folder afterwards."""
        from unas.train.backend import forget_models
        from unas.train.trainer import train

        study, dataset = self._study, self._dataset
        graph = self._space.graph(
            job.candidate.architecture, dataset.input_shape, dataset.num_classes
        )
        training = replace(study.training, hopeless=()) if job.to_the_end else study.training
        progress = _Progress()
        try:
            trained = train(
                graph,
                self._data,
                training,
                seed=job.seed,
                pruning=study.pruning,
                sparsity=job.candidate.sparsity,
                teacher=self._teacher,
                distillation=study.distillation,
                on_epoch=progress,
            )
            return self._converted(job, trained)
        except _DivergedError:
            return progress.given_up(job.seed)
        finally:
            forget_models()

    def _converted(self, job: AskTraining, trained: Trained) -> TrainingAnswer:
        if trained.hopeless is not None:
            return TrainingAnswer(_result(job, trained, None, None), trained.hopeless)
        began = time.monotonic()
        try:
            model, val_error, test_error = self._int8(job, trained)
            keras, tflite = self._kept(job, trained, model)
        except UnasError as error:
            raise WorkerError(str(error), str(Stage.CONVERSION)) from error
        return TrainingAnswer(
            _result(job, trained, model, (val_error, test_error)),
            model=str(tflite),
            keras=str(keras),
            zeros=sum(int((x == 0).sum()) for x in trained.model.get_weights() if x.ndim > 1),
            conversion_seconds=round(time.monotonic() - began, 3),
        )

    def _int8(self, job: AskTraining, trained: Trained) -> tuple[Flatbuffer, float, float]:
        from unas.tflite.converter import convert_keras
        from unas.tflite.order import reorder_flatbuffer

        samples = self._judges.representative()
        name = job.candidate.short_id
        model = reorder_flatbuffer(convert_keras(trained.model, samples, name))
        return model, *self._judges.errors(model)

    def _kept(self, job: AskTraining, trained: Trained, model: Flatbuffer) -> tuple[Path, Path]:
        from unas.store.folder import write_atomic
        from unas.train.files import save_model

        place = self._folder / f"{job.candidate.short_id}-{job.seed}"
        keras, tflite = place / "model.keras", place / "model.tflite"
        write_atomic(tflite, model.data)
        write_atomic(place / "sample.json", self._judges.sample(model).encode())
        save_model(trained.model, keras)
        return keras, tflite

    def _load_teacher(self) -> Teacher | None:
        from unas.train.distillation import load_teacher

        distillation = self._study.distillation
        if distillation is None:
            return None
        dataset = self._dataset
        path = Path(distillation.teacher).expanduser()
        return load_teacher(path, dataset.input_shape, dataset.num_classes)


class _DivergedError(Exception):
    """The loss is no number any more, and will never be one again."""


class _Progress:
    """Looks at every epoch."""

    def __init__(self) -> None:
        self._reports: list[EpochReport] = []

    def __call__(self, report: EpochReport) -> None:
        self._reports.append(report)
        if not math.isfinite(report.train_loss):
            raise _DivergedError

    def given_up(self, seed: int) -> TrainingAnswer:
        """Of a training that diverged."""
        best = min(self._reports, key=lambda report: report.validation_error)
        result = TrainingResult(
            seed=seed,
            epochs=len(self._reports),
            best_epoch=best.epoch,
            val_error=None,
            test_error=None,
            float_val_error=best.validation_error,
            float_test_error=None,
            seconds=round(sum(report.seconds for report in self._reports), 3),
        )
        last = self._reports[-1].epoch
        return TrainingAnswer(result, f"it diverged: the loss of epoch {last} is no number")


class _Int8Errors:
    """Inputs of the splits as the network sees them, made once."""

    def __init__(self, dataset: Dataset) -> None:
        self._labels = dataset.validation.y, dataset.test.y
        self._inputs = dataset.inputs(dataset.validation), dataset.inputs(dataset.test)
        count = len(dataset.train)
        picked = np.random.default_rng(0).permutation(count)[:_REPRESENTATIVE]
        self._samples = [dataset.inputs(dataset.train, i, i + 1) for i in sorted(picked.tolist())]

    def representative(self) -> Iterator[NDArray[np.float32]]:
        """Inputs of shape (1, height, width, channels) from the training split."""
        return iter(self._samples)

    def sample(self, model: Flatbuffer) -> str:
        """The first input of the test split as the model gets it, with its label; as JSON."""
        from unas.tflite.io_quantization import quantize_input, read_io_quantization

        first = quantize_input(self._inputs[1][0], read_io_quantization(model.data))
        label = int(self._labels[1][0])
        return json.dumps(
            {"shape": list(first.shape), "input": first.ravel().tolist(), "label": label}
        )

    def errors(self, model: Flatbuffer) -> tuple[float, float]:
        """(validation, test) error of the bytes that go to the board, 0..1."""
        from unas.host.batch import int8_outputs
        from unas.tflite.io_quantization import quantize_input, read_io_quantization
        from unas.train.scores import classification_error

        ends = read_io_quantization(model.data)
        validation, test = (
            classification_error(
                int8_outputs(model.data, quantize_input(inputs, ends)),
                labels,
                boundary=ends.output_zero,
            )
            for inputs, labels in zip(self._inputs, self._labels, strict=True)
        )
        return validation, test


@contextlib.contextmanager
def _without_chatter() -> Iterator[None]:
    """TensorFlow writes to the file descriptor while it is imported, whatever its log level."""
    sys.stderr.flush()
    saved = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as sink:
            os.dup2(sink.fileno(), 2)
            yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


def _result(
    job: AskTraining,
    trained: Trained,
    model: Flatbuffer | None,
    int8: tuple[float, float] | None,
) -> TrainingResult:
    kept = tuple(int(mask.sum()) for mask in trained.kept)
    return TrainingResult(
        seed=job.seed,
        epochs=len(trained.epochs),
        best_epoch=trained.best_epoch,
        val_error=int8[0] if int8 else None,
        test_error=int8[1] if int8 else None,
        float_val_error=trained.validation_error,
        float_test_error=trained.test_error,
        model_sha256=model.sha256 if model else None,
        kept_channels=kept or None,
        seconds=round(trained.seconds, 3),
    )
