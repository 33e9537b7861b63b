# SPDX-License-Identifier: Apache-2.0
"""Training a candidate with Keras: when it is given up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.study_cases import study_of
from unas.candidate import Candidate
from unas.config import OptimizerConfig, SpaceConfig, StudyConfig, TrainingConfig
from unas.space.catalogue import find_space
from unas.study.requests import AskTraining, TrainingAnswer
from unas.study.training import KerasTraining

SPACE = SpaceConfig("mlp", {"dense_layers": [1, 1], "units": [10, 12]})


def trained(training: TrainingConfig, folder: Path, *, to_the_end: bool) -> TrainingAnswer:
    study: StudyConfig = replace(study_of(), space=SPACE, training=training, pruning=None)
    space = find_space(SPACE.name, SPACE.options)
    candidate = Candidate(space.random(np.random.default_rng(0)))
    # Threads as they are: other tests of this process may have begun to train already.
    room = KerasTraining(study.to_toml(), str(folder)).open()
    return room.train(AskTraining(candidate, 1, to_the_end=to_the_end))


def test_a_hopeless_training_goes_on_if_it_is_to_go_to_the_end(tmp_path: Path) -> None:
    training = TrainingConfig(epochs=2, hopeless=((1, 0.0),))
    given_up = trained(training, tmp_path, to_the_end=False)
    assert given_up.hopeless is not None
    assert (given_up.result.epochs, given_up.result.val_error) == (1, None)
    whole = trained(training, tmp_path, to_the_end=True)
    assert whole.hopeless is None
    assert whole.result.epochs == 2
    assert whole.result.val_error is not None


def test_a_training_that_diverges_ends_in_any_case(tmp_path: Path) -> None:
    wild = OptimizerConfig(learning_rate=1e30)
    answer = trained(TrainingConfig(epochs=3, optimizer=wild), tmp_path, to_the_end=True)
    assert (answer.hopeless or "").startswith("it diverged: the loss of epoch ")
    assert (answer.result.val_error, answer.model) == (None, None)
