# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from unas.architecture import Architecture, DenseLayer, MlpArchitecture
from unas.candidate import Candidate
from unas.errors import ArchitectureError
from unas.space.cnn import random_architecture

MLP = MlpArchitecture((DenseLayer(10), DenseLayer(20)))
PARENT = Candidate(MlpArchitecture((DenseLayer(10),)))


def test_candidates_survive_json() -> None:
    rng = np.random.default_rng(0)
    architectures: list[Architecture] = [MLP, *(random_architecture(rng) for _ in range(20))]
    for architecture in architectures:
        for sparsity in (None, 0.0, 1 / 3):
            for parent in (None, PARENT.sha256):
                candidate = Candidate(architecture, sparsity, parent)
                assert Candidate.from_json_dict(json.loads(candidate.to_json())) == candidate
                assert "\n" not in candidate.to_json()


def test_the_hash_is_of_the_genes_and_the_same_in_every_run() -> None:
    candidate = Candidate(MLP, 0.25)
    assert candidate.sha256 == Candidate(MLP, 0.25, PARENT.sha256).sha256
    genes = {c.sha256 for c in (candidate, Candidate(MLP), Candidate(MLP, 0.0), PARENT)}
    assert len(genes) == 4
    assert candidate.sha256.startswith(candidate.short_id)
    # Journals refer to candidates by it: this digest must never change.
    assert candidate.short_id == "6b27d3cd111b"


@pytest.mark.parametrize(
    "change",
    [
        {"sparsity": "0.5"},
        {"sparsity": True},
        {"sparsity": 1.0},
        {"sparsity": -0.1},
        {"sparsity": float("nan")},
        {"parent": 5},
        {"parent": "abc"},
        {"architecture": {}},
        {"extra": 1},
    ],
)
def test_what_is_no_candidate_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ArchitectureError):
        Candidate.from_json_dict({**Candidate(MLP, 0.5).to_json_dict(), **change})


def test_every_key_must_be_there() -> None:
    data = Candidate(MLP).to_json_dict()
    for key in data:
        with pytest.raises(ArchitectureError, match="is missing"):
            Candidate.from_json_dict({k: v for k, v in data.items() if k != key})


def test_a_candidate_is_a_value() -> None:
    assert replace(PARENT) == PARENT
    assert len({PARENT, replace(PARENT)}) == 1
