# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.dataset_files import assert_parted, pictures
from unas.errors import DataError
from unas.train.datasets import Dataset, Normalisation, check_options, dataset_names, load_dataset
from unas.train.datasets import files as files_module
from unas.train.datasets.dataset import DataProvenance, Split, Splits
from unas.train.datasets.files import stored_array, tree_digest
from unas.train.datasets.splits import by_group, plan_splits, stratified


@given(st.lists(st.integers(0, 5), min_size=2, max_size=200), st.data())
def test_stratified_draws_each_class_with_its_share(y_list: list[int], data: st.DataObject) -> None:
    y = np.array(y_list)
    size = data.draw(st.integers(1, len(y) - 1))
    drawn, rest = stratified(y, size, np.random.default_rng(data.draw(st.integers(0, 9))))
    assert len(drawn) == size
    assert sorted([*drawn, *rest]) == list(range(len(y)))
    for c in range(6):
        share = np.mean(y == c) * size
        assert abs(np.sum(y[drawn] == c) - share) < 1


@given(st.lists(st.integers(0, 8), min_size=2, max_size=100), st.floats(0.05, 0.9))
def test_groups_stay_whole(groups_list: list[int], fraction: float) -> None:
    groups = np.array(groups_list)
    drawn, rest = by_group(groups, fraction, np.random.default_rng(0))
    assert not set(groups[drawn]) & set(groups[rest])
    assert sorted([*drawn, *rest]) == list(range(len(groups)))
    assert len(drawn) >= fraction * len(groups) - 1e-9


def test_plan_keeps_given_parts_and_draws_the_others() -> None:
    y = np.arange(100) % 4
    parts = plan_splits(
        "x", {"train": y, "test": y[:8]}, validation_fraction=0.25, test_fraction=0.5, seed=0
    )
    assert parts.test[0] == "test"
    assert list(parts.test[1]) == list(range(8))
    assert parts.validation[0] == parts.train[0] == "train"
    assert sorted([*parts.validation[1], *parts.train[1]]) == list(range(100))
    assert len(parts.validation[1]) == 25


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, 0.001])
def test_plan_refuses_empty_parts(fraction: float) -> None:
    y = np.arange(20) % 2
    with pytest.raises(DataError, match="validation_fraction"):
        plan_splits("x", {"train": y}, validation_fraction=fraction, test_fraction=0.2, seed=0)


def test_digits_are_parted_without_mixing() -> None:
    from sklearn.datasets import load_digits

    dataset = load_dataset("digits")
    assert dataset.input_shape == (8, 8, 1)
    assert dataset.num_classes == 10
    assert_parted(dataset, load_digits().images.astype(np.uint8))
    truth = {
        image.astype(np.uint8).tobytes(): label
        for image, label in zip(load_digits().images, load_digits().target, strict=True)
    }
    for split in dataset.splits:
        assert [truth[x.tobytes()] for x in split.x] == list(split.y)
        counts = np.bincount(split.y, minlength=10) / len(split)
        assert np.allclose(counts, np.bincount(load_digits().target) / 1797, atol=1 / len(split))
    inputs = dataset.inputs(dataset.train)
    assert inputs.dtype == np.float32
    assert (inputs.min(), inputs.max()) == (0, 1)


def test_split_seed_changes_the_parts_and_nothing_else_does() -> None:
    first, same = load_dataset("digits"), load_dataset("digits", split_seed=0)
    other = load_dataset("digits", split_seed=1)
    assert np.array_equal(first.test.x, same.test.x)
    assert not np.array_equal(first.test.x, other.test.x)
    assert other.provenance.to_json()["seed"] == 1
    assert len(other.provenance.files[0][1]) == 64


def test_inputs_come_in_pieces() -> None:
    dataset = load_dataset("digits")
    whole = dataset.inputs(dataset.train)
    assert np.array_equal(dataset.inputs(dataset.train, 5, 9), whole[5:9])
    assert len(whole) == len(dataset.train) > 1024


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("digit", {}, "did you mean digits"),
        ("?", {}, "known: chars74k, cifar10, digits"),
        ("mnist", {"binry": True}, "did you mean binary"),
        ("digits", {"split_seed": "1"}, "split_seed is '1', expected int"),
        ("mnist", {"binary": 1}, "binary is 1, expected bool"),
        ("mnist", {"validation_fraction": True}, "expected float"),
        ("mnist", {"flip": "yes"}, "flip is 'yes', expected bool"),
        ("digits", {"shift_px": -1}, r"give pixels, or \[down, right\]"),
        ("digits", {"path": "x"}, "leave the path out"),
        ("image_folder", {}, "needs the option 'size'"),
        ("speech_commands", {"frames": 50}, "frames is 50; give 98 or 49"),
        ("visual_wake_words", {"size": [96]}, r"give \[height, width\]"),
        ("image_folder", {"size": 8}, r"size is 8; give \[height, width\]"),
        ("image_folder", {"size": "88"}, r"size is '88'; give \[height, width\]"),
        ("tfrecord", {"size": [8, True]}, r"give \[height, width\]"),
        ("chars74k", {"size": [8, 0]}, r"give \[height, width\]"),
        ("chars74k", {"size": []}, r"size is \[\]; give \[height, width\]"),
        ("digits", {"shift_px": 3.0}, r"shift_px is 3\.0; give pixels, or \[down, right\]"),
        ("digits", {"shift_px": [1, 2, 3]}, r"give pixels, or \[down, right\]"),
        ("digits", {"shift_px": True}, r"give pixels, or \[down, right\]"),
        ("digits", {"split_seed": -1}, "split_seed is -1; give a whole number from 0"),
        ("digits", {"test_fraction": 1}, "test_fraction is 1; give a share between 0 and 1"),
        ("digits", {"rotate_probability": 7}, "rotate_probability is 7; give a share from 0 to 1"),
        ("digits", {"rotate_probability": -3}, "give a share from 0 to 1"),
        ("digits", {"rotate_rad": math.nan}, "rotate_rad is nan; give an angle"),
        ("speech_commands", {"words": [1]}, r"words is \[1\]; give different words"),
        ("speech_commands", {"words": "yes"}, "words is 'yes'; give different words, such as"),
        ("speech_commands", {"words": ["yes", "yes"]}, "give different words"),
        ("speech_commands", {"words": []}, "give different words"),
        ("npz", {"class_names": "ab"}, "class_names is 'ab'; give two different names"),
        ("npz", {"class_names": ["a"]}, "give two different names or more"),
        ("mnist", {"source": "t1k"}, "give auto, full or t10k"),
    ],
)
def test_wrong_names_and_options_are_told(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_dataset(name, **options)


def test_the_studies_of_the_project_name_options_that_exist() -> None:
    studies = sorted((Path(__file__).parents[2] / "configs").glob("*.toml"))
    assert studies
    for study in studies:
        data = tomllib.loads(study.read_text())["data"]
        check_options(data["name"], data.get("options", {}))


def test_augmentation_options_replace_the_sets_own() -> None:
    plain = load_dataset("digits")
    assert plain.augmentation.describe() == "none"
    changed = load_dataset("digits", shift_px=2, flip=True)
    assert changed.augmentation.describe() == "flip left-right, shift ±2 px"
    assert load_dataset("digits", shift_px=[0, 1]).augmentation.describe() == "shift ±0, ±1 px"


@pytest.mark.parametrize("name", [n for n in dataset_names() if n != "digits"])
def test_a_missing_set_says_what_to_put_where(name: str, tmp_path: Path) -> None:
    needed = {"size": [8, 8]} if name in ("image_folder", "tfrecord") else {}
    with pytest.raises(DataError, match=r"not found in .*; .*give the path of .*"):
        load_dataset(name, tmp_path / "nothing", **needed)


_IDX = "train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz and t10k"


_TOLD: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    ("mnist", {}, ("IDX files of MNIST", _IDX)),
    ("mnist", {"source": "t10k"}, ("no path was given; get the IDX files", "with t10k-images")),
    ("fashion_mnist", {}, ("github.com/zalandoresearch/fashion-mnist", _IDX)),
    ("cifar10", {}, ("cifar-10-binary.tar.gz from www.cs.toronto.edu/~kriz",)),
    ("chars74k", {}, ("EnglishImg.tgz from", "Sample001 … Sample062")),
    ("speech_commands", {}, ("speech_commands_v0.02.tar.gz", "_background_noise_")),
    ("visual_wake_words", {}, ("COCO 2014", "visualwakewords", "train*.record-*")),
    ("uci_har", {}, ("archive.ics.uci.edu/dataset/240", "'UCI HAR Dataset' with train and")),
    ("npz", {}, ("an .npz file with arrays x and y",)),
    ("image_folder", {"size": [8, 8]}, ("a folder that holds a folder a class",)),
    ("tfrecord", {"size": [8, 8]}, ("a folder with train*.tfrecord",)),
]


@pytest.mark.parametrize(("name", "options", "told"), _TOLD)
def test_a_set_without_path_says_what_to_get_and_where_to_name_it(
    name: str, options: dict[str, Any], told: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    def no_network(*args: Any, **options: Any) -> Any:
        raise OSError("no network")

    monkeypatch.setattr(keras.utils, "get_file", no_network)
    with pytest.raises(DataError) as caught:
        load_dataset(name, **options)
    message = str(caught.value)
    assert message.startswith(f"{name}: no path was given")
    assert message.endswith("(--data PATH, or [data] path in the study)")
    assert all(part in message for part in told), message


def test_every_set_that_needs_a_path_is_asked_without_one() -> None:
    assert {name for name, _, _ in _TOLD} == {*dataset_names()} - {"digits"}


def test_damaged_values_are_refused() -> None:
    x, y = pictures(4, (2, 2, 1)), np.array([0, 1, 0, 1], np.int32)
    split = Split(x, y)

    def dataset(*splits: Split) -> Dataset:
        return Dataset(
            name="tiny",
            input_shape=(2, 2, 1),
            class_names=("a", "b"),
            splits=Splits(*splits),
            normalisation=Normalisation.of(0, 1),
            provenance=DataProvenance((), "by hand", 0),
        )

    assert dataset(split, split, split).num_classes == 2
    for wrong, message in (
        (Split(x[:0], y[:0]), "no samples to validation"),
        (Split(x[:3], y), "3 samples but 4 labels in validation"),
        (Split(x, y + 1), "labels 1 … 2 in validation"),
        (Split(x.reshape(4, 4, 1, 1), y), "expected"),
    ):
        with pytest.raises(DataError, match=message):
            dataset(split, wrong, split)


def test_standard_normalisation() -> None:
    x = np.random.default_rng(0).normal(5, 3, (50, 4, 6, 2)) * [1, 100]
    seen = Normalisation.standard(x, (0, 1, 2))(x)
    assert np.allclose(seen.mean((0, 1, 2)), 0, atol=1e-5)
    assert np.allclose(seen.std((0, 1, 2)), 1, atol=1e-5)
    assert seen.dtype == np.float32


def test_big_arrays_are_filled_once_and_mapped() -> None:
    fills = []

    def fill(array: Any) -> None:
        fills.append(1)
        array[:] = np.arange(6).reshape(2, 3)

    arrays = [
        stored_array("big", (2, 3), np.int16, fill, in_memory_bytes=limit) for limit in (4, 4, 100)
    ]
    assert len(fills) == 2
    assert all(np.array_equal(array, np.arange(6).reshape(2, 3)) for array in arrays)
    assert isinstance(arrays[1], np.memmap)
    assert not arrays[1].flags.writeable
    assert not isinstance(arrays[2], np.memmap)


@pytest.mark.parametrize("rehashed", [1 << 20, 0])
def test_a_trees_digest_follows_names_and_contents(
    rehashed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files_module, "_REHASHED_BYTES", rehashed)
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_text("1")
    second.write_text("22")
    before = tree_digest(tmp_path, [second, first])
    assert before == tree_digest(tmp_path, [first, second])
    second.write_text("333")
    changed = tree_digest(tmp_path, [first, second])
    renamed = tree_digest(tmp_path, [first, second.rename(tmp_path / "c")])
    assert len({before[1], changed[1], renamed[1]}) == 3


@pytest.mark.slow
def test_loading_needs_no_tensorflow() -> None:
    code = (
        "import sys; from unas.train.datasets import load_dataset, augment; load_dataset('digits');"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
