# SPDX-License-Identifier: Apache-2.0
"""Trains and converts candidates, and finds the errors of the int8 models.

This runs in a process of its own: TensorFlow is imported when a training is set up.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from unas.config import StudyConfig
from unas.config.load import study_from_toml
from unas.errors import UnasError, WorkerError
from unas.record import Stage, TrainingResult
from unas.space.catalogue import find_space
from unas.store.folder import write_atomic
from unas.store.study_folder import KERAS_FILE, SAMPLE_FILE, TFLITE_FILE
from unas.study.requests import TrainingOutput, TrainingRequest
from unas.train.datasets import load_dataset
from unas.train.int8 import Int8Converter, Int8Network

if TYPE_CHECKING:
    from unas.train.distillation import Teacher
    from unas.train.result import Trained


class CandidateTrainer(Protocol):
    """Trains candidates, one after the other."""

    def train(self, request: TrainingRequest) -> TrainingOutput:
        """Train one candidate.

        Raises:
            UnasError: It failed; a ``WorkerError`` says in which stage.
        """
        ...


class TrainingSetup(Protocol):
    """How candidates are trained; a value that can be handed to another process."""

    def open(self) -> CandidateTrainer:
        """Load what all candidates need.

        Raises:
            UnasError: The data set or the teacher cannot be used.
        """
        ...


@dataclass(frozen=True, slots=True)
class KerasTraining:
    """Training with TensorFlow and Keras.

    Attributes:
        study: As TOML.
        folder: Where trained networks are written, a folder each.
        threads: For TensorFlow; None: all cores.
    """

    study: str
    folder: str
    threads: int | None = None

    def open(self) -> CandidateTrainer:
        """Import TensorFlow, load data and teacher."""
        return _KerasTrainer(self)


def keras_training(study: StudyConfig, folder: Path, threads: int) -> TrainingSetup:
    """Training with TensorFlow and Keras, the default of every study."""
    return KerasTraining(study.to_toml(), str(folder), threads)


class _KerasTrainer:
    """Data, teacher and space, loaded once for all candidates."""

    def __init__(self, setup: KerasTraining) -> None:
        from unas.train.backend import configure
        from unas.train.data import training_data

        with _silent_stderr():
            configure(threads=setup.threads)
        self._study = study = study_from_toml(setup.study, "the study", "study")
        self._folder = Path(setup.folder)
        self._dataset = load_dataset(study.data.name, study.data.path, **study.data.options)
        self._space = find_space(study.space.name, study.space.options)
        self._data = training_data(self._dataset, augmentation=study.training.augmentation)
        self._converter = Int8Converter(self._dataset)
        self._teacher = self._load_teacher()

    def train(self, request: TrainingRequest) -> TrainingOutput:
        """Train, convert and evaluate; the network lies in the folder afterwards."""
        from unas.train.backend import forget_models
        from unas.train.trainer import train

        study, dataset = self._study, self._dataset
        graph = self._space.graph(
            request.candidate.architecture, dataset.input_shape, dataset.num_classes
        )
        training = replace(study.training, hopeless=()) if request.to_the_end else study.training
        try:
            trained = train(
                graph,
                self._data,
                training,
                seed=request.seed,
                pruning=study.pruning,
                sparsity=request.candidate.sparsity,
                teacher=self._teacher,
                distillation=study.distillation,
            )
            return self._converted(request, trained)
        finally:
            forget_models()

    def _converted(self, request: TrainingRequest, trained: Trained) -> TrainingOutput:
        if trained.stopped_early is not None:
            return TrainingOutput(_result(request, trained, None), trained.stopped_early)
        began = time.monotonic()
        try:
            int8 = self._converter.convert(trained.model, request.candidate.short_id)
            keras, tflite = self._write(request, trained, int8)
        except UnasError as error:
            raise WorkerError(str(error), str(Stage.CONVERSION)) from error
        return TrainingOutput(
            _result(request, trained, int8),
            model=str(tflite),
            keras=str(keras),
            zeros=sum(int((x == 0).sum()) for x in trained.model.get_weights() if x.ndim > 1),
            conversion_seconds=round(time.monotonic() - began, 3),
        )

    def _write(
        self, request: TrainingRequest, trained: Trained, int8: Int8Network
    ) -> tuple[Path, Path]:
        from unas.train.keras_model import save_model

        folder = self._folder / f"{request.candidate.short_id}-{request.seed}"
        keras, tflite = folder / KERAS_FILE, folder / TFLITE_FILE
        write_atomic(tflite, int8.model.data)
        write_atomic(folder / SAMPLE_FILE, int8.sample.encode())
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


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
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


def _result(request: TrainingRequest, trained: Trained, int8: Int8Network | None) -> TrainingResult:
    kept = tuple(int(mask.sum()) for mask in trained.kept)
    return TrainingResult(
        seed=request.seed,
        epochs=len(trained.epochs),
        best_epoch=trained.best_epoch,
        val_error=int8.val_error if int8 else None,
        test_error=int8.test_error if int8 else None,
        float_val_error=trained.validation_error,
        float_test_error=trained.test_error,
        model_sha256=int8.model.sha256 if int8 else None,
        kept_channels=kept or None,
        seconds=round(trained.seconds, 3),
    )
