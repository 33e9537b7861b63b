# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
import tomllib
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import unas.config
from unas.config import (
    LatencyMode,
    MacCount,
    OptimizerName,
    StudyConfig,
    TrainingConfig,
    load_study,
    study_from_toml,
)
from unas.config.load import study_from_dict
from unas.config.writing import toml_text
from unas.errors import ConfigError
from unas.space.catalogue import find_space
from unas.train.datasets import check_options

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = sorted((ROOT / "configs").glob("*.toml"))
TABLES = [
    kind for kind in vars(unas.config).values() if isinstance(kind, type) and is_dataclass(kind)
]

FULL = """
schema = 1
name = "everything"

[data]
name = "npz"
path = "my data/x.npz"
[data.options]
binary = true
classes = ["a", "b"]
share = 0.25

[space]
name = "cnn+"
[space.options]
blocks = [1, 4]
kernel_sizes = [3, 5]
p_relu = 1.0

[resources]
count_input = false
macs = "paper"

[constraints]
error = 0.1
peak_memory = "64KiB"
model_size = 64_000
macs = 1_000_000
latency = "12.5ms"

[search]
strategy = "random"
rounds = 500
trainings = 100
population = 50
sample = 10
initial = 20
sparsity_step = 0.1
tries = 5
cap = 4
seed = 3
workers = 2
final_seeds = 0

[training]
epochs = 40
batch_size = 64
schedule = [[25, 0.005], [35, 1e-3]]
hopeless = [[3, 0.5]]
dropout = 0.15
l2 = 0.001
class_weights = true
augmentation = false
[training.optimizer]
name = "adam"
learning_rate = 0.001
momentum = 0.8
weight_decay = 1e-5
[training.early_stop]
patience = 5
min_delta = 0.01

[pruning]
structured = false
start_epoch = 3
finish_epoch = 30
min_sparsity = 0.1
max_sparsity = 0.9
interval = 8

[distillation]
teacher = "teacher.keras"
alpha = 0.5
temperature = 2

[latency]
mode = "predicted"
calibration = "results/calibration/f746"
ask = false

[board]
id = "l4r5"
runtime = "tflm"
tflm = "tree"
virtual = true
emulator = "qemu"
timing = "pipeline"
runs = 5
warmup = 0
"""
SMALL = '[data]\nname = "digits"\n[constraints]\nerror = 0.1\n'


def _study(text: str) -> StudyConfig:
    return study_from_toml(text, "study.toml", "study")


def test_every_value_of_a_study_file_arrives() -> None:
    study = _study(FULL)
    assert study.name == "everything"
    assert study.data.options == {"binary": True, "classes": ["a", "b"], "share": 0.25}
    assert study.constraints.peak_memory_bytes == 64 * 1024
    assert study.constraints.latency_us == 12_500.0
    assert study.training.optimizer.name is OptimizerName.ADAM
    assert study.training.schedule == ((25, 0.005), (35, 0.001))
    assert study.resources.macs is MacCount.PAPER
    written, defaults = study.to_dict(), _study(SMALL).to_dict()
    for table in ("search", "board", "latency", "resources"):  # no value is left as it was
        for key in defaults[table]:
            assert written[table][key] != defaults[table][key], key


@pytest.mark.parametrize("text", [FULL, SMALL])
def test_a_study_survives_being_written(text: str) -> None:
    study = _study(text)
    again = study_from_toml(study.to_toml(), "again.toml", "other")
    assert again == study
    assert again.digest == study.digest
    assert tomllib.loads(study.to_toml()) == study.to_dict()


def _variants(data: dict[str, Any]) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for key, value in data.items():
        # Free tables are read by those who use them.
        inner = _variants(value) if isinstance(value, dict) and key != "options" else [()]
        found += [(key, *rest) for rest in inner]
    return found


@pytest.mark.parametrize("path", _variants(tomllib.loads(FULL)), ids=".".join)
def test_a_misspelt_key_is_an_error_that_names_the_near_one(path: tuple[str, ...]) -> None:
    data = tomllib.loads(FULL)
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1] + "s"] = place.pop(path[-1])
    table = rf" \[{re.escape('.'.join(path[:-1]))}\]" if path[:-1] else ""
    pattern = rf"study\.toml{table}: unknown .*'{path[-1]}s'; did you mean .*{path[-1]}"
    with pytest.raises(ConfigError, match=pattern):
        _study(toml_text(data))


@pytest.mark.parametrize("path", _variants(tomllib.loads(FULL)), ids=".".join)
def test_a_value_of_another_type_is_an_error_that_names_the_place(path: tuple[str, ...]) -> None:
    data = tomllib.loads(FULL)
    place = data
    for key in path[:-1]:
        place = place[key]
    old = place[path[-1]]
    for wrong in (
        {"a": {"b": 1}},
        "nonsense" if not isinstance(old, str) or path[0] == "constraints" else 1.5,
        not isinstance(old, bool) or 1,
    ):
        place[path[-1]] = wrong
        with pytest.raises(ConfigError, match=rf"study\.toml.*'?{path[-1]}"):
            _study(toml_text(data))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "[data] is missing"),
        ('[data]\nname = "digits"\n', "[constraints] is empty"),
        ("data = 1\n", "must be a table"),
        ("[data\n", "no valid TOML"),
        ("schema = 2\n" + SMALL, "reads 1"),
        ('name = "a/b"\n' + SMALL, "letters, digits, spaces"),
        ('name = "a$^$b"\n' + SMALL, "--name"),
        ('name = "[x]"\n' + SMALL, "letters, digits, spaces"),
        ('name = " .."\n' + SMALL, "letters, digits, spaces"),
        (SMALL + "peak_memory = -1\n", "positive"),
        (SMALL + 'peak_memory = "64 cats"\n', "size in bytes"),
        (SMALL + 'latency = "5ms"\n', "macs to stand for it"),
        (SMALL + "[search]\nsample = 0\n", "at least 1"),
        (SMALL + "[training]\ndropout = 1.0\n", "below 1"),
        (SMALL + "[training]\nschedule = [[9, 0.1], [3, 0.2]]\n", "must rise"),
        (SMALL + "[training]\nschedule = [[75, 0.1]]\n", "must rise"),
        (SMALL + "[training]\nschedule = [[3, 0.1, 4]]\n", "2 entries"),
        (SMALL + "[training]\nschedule = [[3, 0.1]]\n[training.plateau]\n", "leave one out"),
        (SMALL + "[training.optimizer]\nlearning_rate = nan\n", "above 0"),
        (SMALL + '[training.optimizer]\nname = "sgdw"\n', "did you mean sgd?"),
        (SMALL + "[pruning]\n", "'finish_epoch' is missing"),
        (SMALL + "[pruning]\nfinish_epoch = 75\n", "below the 75 epochs"),
        (SMALL + "[pruning]\nfinish_epoch = 5\nstart_epoch = 5\n", "one epoch"),
        (SMALL + "[pruning]\nfinish_epoch = 5\nmin_sparsity = 0.9\n", "swap"),
        (SMALL + "[data.options]\nx = {}\n", "numbers, strings"),
        (SMALL + "[board]\nruns = 257\n", "1..256"),
    ],
)
def test_what_makes_no_sense_is_an_error(text: str, words: str) -> None:
    if text.startswith(SMALL) and "[data.options]" in text:
        text = text.replace("[data.options]", "[data.options.more]")
    with pytest.raises(ConfigError, match=re.escape(words)):
        _study(text)


def test_the_file_says_what_it_cannot_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the study"):
        load_study(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(SMALL.replace("digits", "\xe9").encode("latin-1"))
    with pytest.raises(ConfigError, match="UTF-8"):
        load_study(tmp_path / "latin.toml")
    (tmp_path / "mine.toml").write_text(SMALL)
    assert load_study(tmp_path / "mine.toml").name == "mine"


def test_the_digest_is_of_what_gives_records_their_meaning() -> None:
    study = _study(FULL)
    same = [
        replace(study, name="other"),
        replace(study, data=replace(study.data, path=None)),
        replace(study, search=replace(study.search, rounds=9, trainings=None, workers=8)),
        replace(study, search=replace(study.search, final_seeds=7)),
        replace(study, board=replace(study.board, tflm=None)),
    ]
    other = [
        replace(study, data=replace(study.data, options={})),
        replace(study, search=replace(study.search, seed=4)),
        replace(study, training=replace(study.training, epochs=41)),
        replace(study, pruning=None),
        replace(study, constraints=replace(study.constraints, error=0.2)),
    ]
    assert {x.digest for x in same} == {study.digest}
    assert len({x.digest for x in other} | {study.digest}) == len(other) + 1


def test_one_latency_term_is_judged() -> None:
    study = _study(FULL)
    assert (study.judged.macs, study.judged.latency_us) == (None, 12_500.0)
    by_macs = replace(study, latency=replace(study.latency, mode=LatencyMode.MACS))
    assert (by_macs.judged.macs, by_macs.judged.latency_us) == (1_000_000, None)
    free = replace(study, constraints=replace(study.constraints, latency_us=None))
    assert free.judged == free.constraints


def test_the_learning_rate_follows_the_schedule() -> None:
    training = TrainingConfig(epochs=10, schedule=((3, 0.5), (7, 0.25)))
    rates = [training.learning_rate(epoch) for epoch in range(10)]
    assert rates == [0.01] * 3 + [0.5] * 4 + [0.25] * 3


@pytest.mark.parametrize("name", ["digits_f746", "a study", "v1.2+x-3", "prüfung"])
def test_plain_names_are_kept(name: str) -> None:
    assert study_from_toml(f'name = "{name}"\n{SMALL}', "here", "x").name == name


def test_the_examples_of_the_documentation_are_read() -> None:
    blocks = re.findall(r"```toml\n(.*?)```", (ROOT / "docs" / "studies.md").read_text(), re.DOTALL)
    loaders = set()
    for block in blocks:
        study = study_from_dict(tomllib.loads(SMALL) | tomllib.loads(block), "studies.md", "x")
        check_options(study.data.name, study.data.options)
        loaders.add(study.data.name)
    assert loaders >= {"npz", "image_folder", "tfrecord"}


@pytest.mark.parametrize("kind", TABLES, ids=lambda kind: kind.__name__)
def test_every_value_is_documented_with_its_default(kind: type) -> None:
    text = kind.__doc__ or ""
    for field in fields(kind):
        entry = re.search(rf"^ {{8}}{field.name}: ((?:.|\n {{12}})+)", text, re.MULTILINE)
        assert entry, f"{kind.__name__}.{field.name}"
        words = entry[1].lower()
        if kind is not StudyConfig:
            assert "default" in words or "(default)" in words or "table of its own" in words


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_committed_studies_load(path: Path) -> None:
    study = load_study(path)
    find_space(study.space.name, study.space.options)
    assert study_from_toml(study.to_toml(), "x", "y") == study


def test_there_is_a_study_for_each_data_set() -> None:
    names = {load_study(path).data.name for path in CONFIGS}
    expected = {
        "mnist",
        "fashion_mnist",
        "cifar10",
        "chars74k",
        "speech_commands",
        "visual_wake_words",
        "uci_har",
    }
    assert names >= {"digits", *expected}
