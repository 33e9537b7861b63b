# SPDX-License-Identifier: Apache-2.0
"""An exported network is the one that was judged, and its card says so."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.study_example import write_example
from unas.artifact import Flatbuffer
from unas.board import Board
from unas.errors import ConfigError, DataError, ModelError, StoreError
from unas.exports.bundle import best_record, export_network, write_bundle
from unas.exports.card import error_rows, repeated_trainings_text
from unas.exports.network import ExportedNetwork, exported_network
from unas.exports.project import app_files
from unas.exports.sample import data_sample, kept_sample, seeded_sample
from unas.firmware.recipe import Recipe
from unas.firmware.runtimes import BUILTIN, Library, Runtime
from unas.host.reference import reference_output, seeded_input
from unas.host.runtime import run_on_host
from unas.record import Record
from unas.record.wording import percent
from unas.store.study_folder import StudyResults, read_study, study_folder
from unas.train.datasets import load_dataset

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler for this machine")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudyResults:
    place = tmp_path_factory.mktemp("results")
    write_example(place / "one")
    return read_study("one", place)


@pytest.fixture(scope="module")
def best(study: StudyResults) -> Record:
    return best_record(study)


@pytest.fixture(scope="module")
def network(study: StudyResults, best: Record) -> ExportedNetwork:
    data = study.flatbuffer(best)
    assert data is not None
    return exported_network(Flatbuffer(data, "net"), best.candidate.short_id)


def test_the_best_is_chosen_by_the_validation_error(study: StudyResults, best: Record) -> None:
    feasible = [record for record in study.records if record.feasible]
    again = [record for record in feasible if study.finals_of(record)]
    means = {
        record.index: np.mean(
            [record.values["error"], *(f.training.val_error for f in study.finals_of(record))]
        )
        for record in again
    }
    assert means[best.index] == min(means.values())
    kept = [record for record in feasible if study.flatbuffer(record) is not None]
    alone = best_record(replace(study, finals=()))
    assert alone.values["error"] == min(record.values["error"] for record in kept)
    # A better test error changes nothing.
    other = next(r for r in feasible if r is not best)
    assert other.training is not None
    lucky = replace(other, training=replace(other.training, test_error=0.0))
    records = tuple(lucky if record is other else record for record in study.records)
    assert best_record(replace(study, records=records)).index == best.index


def test_the_card_tells_of_seeds_that_diverged(study: StudyResults, best: Record) -> None:
    finals = study.finals_of(best)
    lost = [
        replace(one, training=replace(one.training, val_error=None, test_error=None), cause="nan")
        for one in finals
    ]
    rows = error_rows(best, (lost[0], *finals[1:]))[2:]
    seed = lost[0].training.seed
    assert rows[0] == (
        f"int8, repeated training, seed {seed}: diverged",
        percent(None),
        percent(None),
    )
    assert rows[-1][0] == "int8, mean ± std over seeds (2 of 3, 1 diverged)"
    assert rows[-1][1].endswith(" %")
    text = repeated_trainings_text((lost[0], *finals[1:]), study.config.judged)
    feasible = 2 * (not study.config.judged.violations(finals[1].values))
    assert text.startswith(f"Repeated trainings with other seeds: {feasible} of 3 feasible")
    # A network of which no other training came to its end is no winner by its one lucky run.
    others = tuple(one for one in study.finals if one not in finals)
    assert best_record(replace(study, finals=(*lost, *others))) != best


def test_without_a_feasible_network_there_is_no_best(study: StudyResults) -> None:
    records = tuple(record for record in study.records if not record.feasible)
    with pytest.raises(StoreError, match="--candidate"):
        best_record(replace(study, records=records))


def test_a_bundle_holds_the_bytes_that_were_judged(
    study: StudyResults, best: Record, f746: Board, tmp_path: Path
) -> None:
    bundle = write_bundle(study, best, f746, tmp_path / "home")
    model = (bundle.folder / "model.tflite").read_bytes()
    assert model == study.flatbuffer(best)
    assert (bundle.folder / "model.keras").read_bytes() == b"weights"
    for place in ("model_data.c", "project/src/model_data.c"):
        literals = re.findall(r'"((?:\\\d{3})+)"', (bundle.folder / place).read_text())
        escapes = re.findall(r"\\(\d{3})", "".join(literals))
        assert bytes(int(escape, 8) for escape in escapes) == model
    genes = json.loads((bundle.folder / "candidate.json").read_text())
    assert genes == best.candidate.to_json_dict()
    card = (bundle.folder / "MODEL_CARD.md").read_text()
    assert best.candidate.sha256 in card
    assert study.config.digest in card
    assert best.training is not None
    assert f"| {100 * (best.training.test_error or 0):.2f} % |" in card
    assert set(bundle.files) == {
        path.relative_to(bundle.folder).as_posix()
        for path in bundle.folder.rglob("*")
        if path.is_file()
    }


def test_a_bundle_says_what_the_input_means(
    study: StudyResults, best: Record, f746: Board, tmp_path: Path
) -> None:
    seen = load_dataset("digits").input_to_json()
    data = {**study.environment["data"], **seen, "augmentation": "none"}
    recorded = replace(study, environment={**study.environment, "data": data})
    write_bundle(recorded, best, f746, tmp_path / "recorded")
    write_bundle(study, best, f746, tmp_path / "old")
    for name in ("MODEL_CARD.md", "project/README.md", "project/src/network.h"):
        text = (tmp_path / "recorded" / name).read_text()
        assert "x = r * 0.0625" in text, name
        assert "q = round(x / " in text, name
        assert "not recorded" not in text, name
        assert "not recorded" in " ".join((tmp_path / "old" / name).read_text().split()), name
    card = (tmp_path / "recorded" / "MODEL_CARD.md").read_text()
    assert "- augmentation while training: none" in card


def test_every_cost_in_the_card_has_its_provenance(
    study: StudyResults, f746: Board, tmp_path: Path
) -> None:
    asked = next(r for r in study.records if r.measurement and study.flatbuffer(r))
    assert asked.measurement is not None
    write_bundle(study, asked, f746, tmp_path / "home")
    card = (tmp_path / "home" / "MODEL_CARD.md").read_text()
    table = card[card.index("## What it costs") : card.index("*predicted*: by")]
    rows = [line.split("|")[1:4] for line in table.splitlines() if line.startswith("| ")][1:]
    words = {what.strip(): origin.strip() for what, _, origin in rows if what.strip() != "latency"}
    assert words["MACs"] == "predicted"
    assert words["flash, benchmark firmware with it"].startswith("emulated: f746")
    latencies = [origin.strip() for what, _, origin in rows if what.strip() == "latency"]
    assert latencies[0] == "predicted"
    assert latencies[1] == "emulated: f746, builtin, timing 'pipeline+memory'"


def test_no_file_names_a_place_of_this_machine(
    study: StudyResults, best: Record, f746: Board, tmp_path: Path
) -> None:
    bundle = write_bundle(study, best, f746, tmp_path / "home")
    here = Path(__file__).resolve().parents[2]
    for name in bundle.files:
        content = (bundle.folder / name).read_bytes()
        for place in (here, tmp_path, study.folder, Path.home()):
            assert str(place).encode() not in content or place == Path("/"), name


def test_a_place_that_is_taken_is_left_alone(
    study: StudyResults, best: Record, f746: Board, tmp_path: Path
) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(StoreError, match="--to"):
        write_bundle(study, best, f746, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_another_file_than_the_judged_one_is_refused(
    f746: Board, best: Record, study: StudyResults, tmp_path: Path
) -> None:
    shutil.copytree(study.folder, tmp_path / "copy")
    copy = read_study("copy", tmp_path)
    (copy.network_folder(best) / "model.tflite").write_bytes(b"something else")
    with pytest.raises(StoreError, match="not the file that was judged"):
        write_bundle(copy, best, f746, tmp_path / "home")
    assert not (tmp_path / "home").exists()


def test_one_call_exports_the_best_or_a_named_network(
    study: StudyResults, best: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    bundle = export_network(study)
    assert bundle.record == best
    assert bundle.folder == Path(f"one-{best.candidate.short_id}")
    other = next(r for r in study.records if study.flatbuffer(r) is not None and r != best)
    named = export_network(study, candidate=other.candidate.short_id, to=tmp_path / "other")
    assert named.record.candidate == other.candidate
    assert named.sample.label is None  # neither kept nor from the data set
    with pytest.raises(DataError, match="scikit-learn"):
        export_network(study, data=tmp_path, to=tmp_path / "data")
    with pytest.raises(ConfigError, match="your tree"):
        export_network(study, runtime="tflm", to=tmp_path / "tflm")


@pytest.mark.parametrize("table", [[1], "digits", 3])
def test_an_environment_with_another_table_is_told(
    study: StudyResults, best: Record, f746: Board, tmp_path: Path, table: object
) -> None:
    broken = replace(study, environment={**study.environment, "data": table})
    with pytest.raises(StoreError, match=r"environment\.json"):
        write_bundle(broken, best, f746, tmp_path / "home")


def test_a_network_that_was_not_kept_names_those_that_were(
    study: StudyResults, f746: Board, tmp_path: Path
) -> None:
    lost = next(record for record in study.records if study.flatbuffer(record) is None)
    kept = next(record for record in study.records if study.flatbuffer(record) is not None)
    with pytest.raises(StoreError, match=kept.candidate.short_id):
        write_bundle(study, lost, f746, tmp_path / "home")


def test_the_arena_is_what_the_runtime_takes(network: ExportedNetwork) -> None:
    given = seeded_input(network.input_bytes, 1)
    for kernels, need in (("dsp", network.dsp), ("plain", network.plain)):
        run = run_on_host(
            network.model.data, given, arena_bytes=need.used_bytes, kernels=kernels,
            order=need.order,
        )  # fmt: skip
        assert run.output == reference_output(network.model.data, given).output


def test_a_sample_is_quantised_as_the_network_wants_it(network: ExportedNetwork) -> None:
    scale, zero = network.io.input_scale, network.io.input_zero
    wanted = np.arange(network.input_bytes) % 256 - 128
    values = ((wanted - zero) * scale).astype(np.float32).reshape(network.input_shape)
    sample = data_sample(network, values, 3, "a set */ of data")
    assert np.frombuffer(sample.data, np.int8).tolist() == wanted.tolist()
    assert sample.label == 3
    assert "*/" not in sample.origin
    assert sum(map(len, sample.rows)) == network.input_bytes
    extreme = np.full(network.input_shape, 1e9, np.float32)
    assert set(data_sample(network, extreme, 0, "x").rows[0]) == {127}


def test_a_kept_sample_is_taken_as_it_is(
    study: StudyResults, best: Record, network: ExportedNetwork, tmp_path: Path
) -> None:
    assert kept_sample(study, best, network) is None
    copy = replace(study, folder=tmp_path)
    place = copy.network_folder(best) / "sample.json"
    place.parent.mkdir(parents=True)
    values = [(7 * i) % 256 - 128 for i in range(network.input_bytes)]
    place.write_text(json.dumps({"shape": [8, 8, 1], "input": values, "label": 4}))
    sample = kept_sample(copy, best, network)
    assert sample is not None
    assert [value for row in sample.rows for value in row] == values
    assert sample.label == 4
    place.write_text(json.dumps({"input": values[1:], "label": 4}))
    with pytest.raises(StoreError, match="another network"):
        kept_sample(copy, best, network)
    for text in ("{", "null", "[]", "3", "{}", '{"input":[],"label":"x"}', "[" * 100_000, "\0"):
        place.write_text(text)
        with pytest.raises(StoreError, match=r"sample\.json"):
            kept_sample(copy, best, network)


def test_class_names_cannot_leave_their_string(study: StudyResults, best: Record) -> None:
    data = study.flatbuffer(best)
    assert data is not None
    names = ['a"; int x; "', *map(str, range(1, 10))]
    network = exported_network(Flatbuffer(data, "net"), "id", {"class_names": names})
    assert network.class_names[0] == "a__ int x_ _"
    few = {"class_names": ["too", "few"]}
    assert exported_network(Flatbuffer(data, "net"), "id", few).class_names[9] == "9"


def test_a_broken_file_is_no_network() -> None:
    with pytest.raises(ModelError):
        exported_network(Flatbuffer(b"not a model", "net"), "id")


def test_a_runtime_that_needs_a_library_is_refused(f746: Board, network: ExportedNetwork) -> None:
    library = Library("", None, (), "r", "d", False, frozenset())
    runtime = Runtime("tflm", "runtime_tflm", "tflm", library=library)
    with pytest.raises(ConfigError, match="--runtime builtin"):
        app_files(Recipe(f746, "gcc", runtime), network, seeded_sample(network))
    assert "src/main.c" in app_files(Recipe(f746, "gcc", BUILTIN), network, seeded_sample(network))


def test_a_study_is_found_by_name_or_folder(study: StudyResults) -> None:
    results = study.folder.parent
    assert study_folder("one", results) == results / "one"
    assert study_folder(str(study.folder), Path("elsewhere")) == study.folder
    with pytest.raises(StoreError, match="there is one"):
        study_folder("onn", results)
    with pytest.raises(StoreError, match="unas-hil search"):
        study_folder("one", results / "nothing")


def test_a_candidate_is_found_by_its_first_digits(study: StudyResults) -> None:
    record = study.records[3]
    assert study.find(record.candidate.short_id) is record
    assert study.find(record.candidate.sha256.upper()) is record
    with pytest.raises(StoreError, match="several"):
        study.find(_shared_digit(study))
    with pytest.raises(StoreError, match="no candidate"):
        study.find("xyz")


def _shared_digit(study: StudyResults) -> str:
    digits = [record.candidate.sha256[0] for record in study.records]
    return next(digit for digit in digits if digits.count(digit) > 1)
