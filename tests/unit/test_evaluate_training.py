# SPDX-License-Identifier: Apache-2.0
"""Training a candidate with Keras: when it is stopped early."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.study_cases import study_of
from unas.candidate import Candidate
from unas.config import OptimizerConfig, SpaceConfig, StudyConfig, TrainingConfig
from unas.space.catalogue import find_space
from unas.study.requests import TrainingOutput, TrainingRequest
from unas.study.training import KerasTraining

SPACE = SpaceConfig("mlp", {"dense_layers": [1, 1], "units": [10, 12]})


def trained(training: TrainingConfig, folder: Path, *, to_the_end: bool) -> TrainingOutput:
    study: StudyConfig = replace(study_of(), space=SPACE, training=training, pruning=None)
    space = find_space(SPACE.name, SPACE.options)
    candidate = Candidate(space.random(np.random.default_rng(0)))
    # Threads as they are: other tests of this process may have begun to train already.
    trainer = KerasTraining(study.to_toml(), str(folder)).open()
    return trainer.train(TrainingRequest(candidate, 1, to_the_end=to_the_end))


def test_early_termination_is_off_where_training_is_to_go_to_the_end(tmp_path: Path) -> None:
    training = TrainingConfig(epochs=2, hopeless=((1, 0.0),))
    stopped = trained(training, tmp_path, to_the_end=False)
    assert stopped.stopped_early is not None
    assert (stopped.result.epochs, stopped.result.val_error) == (1, None)
    whole = trained(training, tmp_path, to_the_end=True)
    assert whole.stopped_early is None
    assert whole.result.epochs == 2
    assert whole.result.val_error is not None


def test_a_training_that_diverges_ends_in_any_case(tmp_path: Path) -> None:
    wild = OptimizerConfig(learning_rate=1e30)
    output = trained(TrainingConfig(epochs=3, optimizer=wild), tmp_path, to_the_end=True)
    assert (output.stopped_early or "").startswith("diverged: the loss of epoch ")
    assert (output.result.val_error, output.model) == (None, None)
