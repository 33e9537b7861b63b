# SPDX-License-Identifier: Apache-2.0
"""What a report shows of a study is what its journal holds."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from tests.study_example import CLASSES, SHAPE, example_config, write_example
from unas.candidate import Candidate
from unas.cli.main import main
from unas.cost.intervals import ConformalInterval as LatencyInterval
from unas.cost.intervals import Uncertainty
from unas.cost.mac_line import Line, MacLine
from unas.cost.model import MAC_LINE, LatencyModel, OverheadModel
from unas.cost.operators import ArenaLayout
from unas.cost.types import KernelProfile
from unas.errors import StoreError
from unas.record import FinalTraining, HardwareEvent, Outcome, Provenance, Record, Stage
from unas.record.latency import Latency, final_errors, latency_of, provenances_text
from unas.record.wording import NOT_KNOWN
from unas.report.study.accuracy_latency import figure as accuracy_figure
from unas.report.study.convergence import convergence_of
from unas.report.study.costs import (
    AXES,
    LATENCY,
    CostAxis,
    axes_of,
    complete,
    with_predicted_latency,
)
from unas.report.study.drawing import network_svg, place_operators
from unas.report.study.figures import FIGURES, draw
from unas.report.study.fronts import compare_fronts, front_over
from unas.report.study.mac_decisions import (
    TimedCandidate,
    best_proxy,
    decide_by_macs,
    proxy_errors,
)
from unas.report.study.network import network_views
from unas.report.study.outcomes import FINAL_TRAININGS, compute_seconds
from unas.report.study.page import inline_svg, study_page
from unas.space.catalogue import find_space
from unas.store.journal import Journal
from unas.store.measurements import LoggedMeasurement
from unas.store.study_folder import StudyResults, read_study
from unas.strategies.progress import covered_share
from unas.testing.contracts import example_measurement
from unas.tflite.order import exported_graph

VOID = {"meta", "br", "hr", "img", "link", "input"}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("results")
    write_example(place / "one", "predicted", seed=0)
    write_example(place / "two", "measured", seed=1)
    return place


@pytest.fixture(scope="module")
def study(results: Path) -> StudyResults:
    return read_study("one", results)


@pytest.fixture(scope="module")
def page(study: StudyResults, results: Path) -> str:
    return study_page(study, results)


@pytest.mark.parametrize("axis", AXES, ids=lambda axis: axis.name)
def test_a_front_is_what_nothing_beats(axis: CostAxis, study: StudyResults) -> None:
    def point(record: Record) -> tuple[float, float]:
        cost = axis.value(record)
        assert cost is not None
        return cost, record.values["error"]

    points = [point(record) for record in complete(study.records)]
    expected = {
        p for p in points if not any(q != p and q[0] <= p[0] and q[1] <= p[1] for q in points)
    }
    front = [point(record) for record in front_over(axis, study.records)]
    assert front == sorted(expected)
    assert [p[1] for p in front] == sorted((p[1] for p in front), reverse=True)


def test_latency_is_the_boards_where_it_was_asked(study: StudyResults) -> None:
    asked = [record for record in study.records if record.measurement is not None]
    assert asked
    for record in asked:
        timed = latency_of(record)
        assert timed is not None
        assert timed.provenance is Provenance.EMULATED
    left = next(r for r in study.records if r.figures is not None and r.measurement is None)
    timed = latency_of(left)
    assert timed is not None
    assert timed.provenance is Provenance.PREDICTED
    assert timed.lower_us is not None


def test_axes_say_where_latencies_come_from(study: StudyResults) -> None:
    assert provenances_text(study.records) == "emulated, predicted"
    assert LATENCY.title(study.records) == "latency (ms, emulated; hollow: predicted)"
    only = [record for record in study.records if record.measurement is not None]
    assert LATENCY.title(only) == "latency (ms, emulated)"
    label = accuracy_figure(study).axes[0].get_xlabel()
    assert "emulated, predicted" in label
    assert all("measured" not in axis.title(study.records) for axis in AXES)


def test_macs_stand_for_a_latency_that_nobody_knows(study: StudyResults) -> None:
    assert axes_of(study.records)[-1] is LATENCY
    unknown = [_without_latency(record) for record in study.records]
    assert axes_of(unknown)[-1].name == "macs"
    with pytest.raises(StoreError, match="latency"):
        accuracy_figure(replace(study, records=tuple(unknown)))


def test_the_convergence_is_that_of_every_prefix(study: StudyResults) -> None:
    curves = convergence_of(study.records, study.config)
    trained = [record for record in study.records if record.training is not None]
    assert len(curves.trainings) == len(trained)
    for n in (1, 5, len(trained) // 2, len(trained)):
        share = covered_share(trained[:n], study.config.judged)
        assert curves.hypervolume[n - 1] == pytest.approx(share, rel=1e-9)
        feasible = [r.values["error"] for r in trained[:n] if r.feasible]
        best = curves.best["error"][n - 1]
        assert best == (
            pytest.approx(min(feasible) / (study.config.judged.error or 1)) if feasible else None
        )


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_the_same_bytes_again(name: str, study: StudyResults, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, again = draw(study, tmp_path / "a", name), draw(study, tmp_path / "b", name)
    assert [path.suffix for path in first] == [".png", ".svg"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]


def test_several_studies_in_one_figure(results: Path) -> None:
    found = [read_study(name, results) for name in ("one", "two")]
    drawing = compare_fronts(found, results)
    words = {text.get_text() for legend in drawing.legends for text in legend.get_texts()}
    assert {word.split(":")[0] for word in words} == {"one", "two"}
    assert len(drawing.axes) == 3


def test_without_calibration_nothing_is_predicted(study: StudyResults, tmp_path: Path) -> None:
    unknown = tuple(_without_latency(record) for record in study.records)
    assert with_predicted_latency(study, unknown, tmp_path) == unknown


def test_final_seeds_are_a_mean_with_its_spread(study: StudyResults) -> None:
    again = next(r for r in study.records if study.finals_of(r))
    errors = [final.training.test_error or 0.0 for final in study.finals_of(again)]
    spread = final_errors(study.finals_of(again))
    assert spread is not None
    assert (spread.n, spread.min, spread.max) == (3, min(errors), max(errors))
    assert spread.mean == pytest.approx(np.mean(errors))
    assert spread.std == pytest.approx(np.std(errors, ddof=1))


def test_the_page_tells_of_seeds_that_diverged(study: StudyResults) -> None:
    record = network_views(study)[0].record
    finals = study.finals_of(record)
    lost = tuple(
        replace(one, training=replace(one.training, val_error=None, test_error=None), cause="nan")
        for one in finals
    )
    mixed = network_views(replace(study, finals=(*finals[:2], lost[2])))[0]
    assert [what for what, _, _ in mixed.errors[2:]] == [
        "int8, repeated trainings (2 of 3, 1 diverged): mean ± std",
        "… min to max",
    ]
    gone = network_views(replace(study, finals=lost))[0]
    assert gone.errors[2:] == (
        ("int8, repeated trainings (0 of 3, 3 diverged)", NOT_KNOWN, NOT_KNOWN),
    )


def _timed(study: StudyResults, macs: float, latency_us: float) -> TimedCandidate:
    return TimedCandidate(study.records[0], macs, Latency(latency_us, Provenance.EMULATED))


def test_a_limit_on_macs_errs_where_the_latency_lies_beyond_it(study: StudyResults) -> None:
    made = [_timed(study, macs, us) for macs in (1000, 2000) for us in (80.0, 120.0)]
    errors = proxy_errors(made, 100.0, macs_limit=1500)
    assert errors.fast_enough == 2
    assert errors.wrongly_rejected == (made[2],)
    assert errors.wrongly_accepted == (made[1],)
    assert sorted(one.macs for one in errors.wrong) == [1000, 2000]
    assert proxy_errors(made, 200.0, macs_limit=2000).wrong == ()


@pytest.mark.parametrize("seed", range(8))
def test_no_limit_on_macs_errs_less_than_the_best(study: StudyResults, seed: int) -> None:
    rng = np.random.default_rng(seed)
    made = [_timed(study, float(m), float(u)) for m, u in rng.integers(1, 30, (20, 2))]
    best = best_proxy(made, 15.0)
    every = [len(proxy_errors(made, 15.0, limit).wrong) for limit in np.arange(0.0, 31.0, 0.5)]
    assert len(best.wrong) == min(every)


def test_a_bound_on_macs_that_lets_nothing_through_rejects_all_that_keep_the_limit(
    study: StudyResults, tmp_path: Path
) -> None:
    bounds = replace(study.config.constraints, macs=1)
    strict = replace(study, config=replace(study.config, constraints=bounds))
    found, limit = decide_by_macs(strict), bounds.latency_us or 0.0
    known = [timed for record in study.records if (timed := latency_of(record)) is not None]
    keep = sum(timed.value_us <= limit for timed in known)
    assert len(found.candidates) == len(known)
    assert sum(len(found.of(word)) for word in found.provenances) == len(known)
    assert len(found.errors.wrongly_rejected) == len(found.errors.wrong) == keep
    text = study_page(strict, tmp_path)
    assert text.count("rejected it</td>") == min(keep, 20)


def _calibrate(results: Path, slope_us: float, intercept_us: float) -> None:
    """A calibration that holds nothing but a line over MACs."""
    clock_hz = 1e8
    model = LatencyModel(
        MAC_LINE,
        MacLine(Line(slope_us * clock_hz / 1e6, intercept_us * clock_hz / 1e6)),
        OverheadModel(),
        Uncertainty({}, 0.1),
        LatencyInterval(0.9, 1.0),
        KernelProfile(),
        ArenaLayout("dsp"),
        clock_hz,
        {"provenance": "emulated", "board": "f746"},
    )
    folder = results / "calibration" / "f746"
    folder.mkdir(parents=True)
    stored = {
        "latency": {MAC_LINE: model.to_json_dict()},
        "chosen": MAC_LINE,
        "arena": None,
        "flash": None,
        "quality": {},
    }
    (folder / "models.json").write_text(json.dumps(stored))


def test_kept_networks_are_predicted_by_the_calibration(
    study: StudyResults, tmp_path: Path
) -> None:
    _calibrate(tmp_path, slope_us=0.02, intercept_us=7.0)
    unknown = [_without_latency(record) for record in study.records]
    for record in with_predicted_latency(study, unknown, tmp_path):
        timed = latency_of(record)
        if study.flatbuffer(record) is None:
            assert timed is None
            continue
        assert timed is not None
        assert record.figures is not None
        assert timed.provenance is Provenance.PREDICTED
        assert timed.value_us == pytest.approx(0.02 * record.figures.paper_macs + 7.0)
        assert record.values == next(r for r in unknown if r.index == record.index).values


@pytest.mark.parametrize("name", ["cnn", "cnn+", "mlp"])
def test_drawings_hold_every_operator_and_no_two_boxes_meet(name: str) -> None:
    space, rng = find_space(name), np.random.default_rng(3)
    for _ in range(8):
        graph = exported_graph(space.random(rng), SHAPE, CLASSES)
        spots = place_operators(graph)
        assert len(set(spots)) == len(spots) == len(graph.operators)
        for position, operator in enumerate(graph.operators):
            for tensor in graph.activations_of(operator):
                source = graph.producer(tensor)
                assert spots[position].row > (0 if source is None else spots[source].row)
        svg = network_svg(graph, "a <network>")
        assert svg.count("<text") == 2 * (len(graph.operators) + 1)
        assert "<title>a &lt;network&gt;</title>" in svg


class _Checker(HTMLParser):
    """Collects ids and what is loaded from elsewhere; every tag must be closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: Counter[str] = Counter()
        self.outside: list[str] = []
        self.tags: Counter[str] = Counter()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id" and value:
                self.ids[value] += 1
            if name in ("src", "href", "xlink:href") and not (value or "").startswith("#"):
                self.outside.append(str(value))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_stands_for_itself(page: str) -> None:
    checker = _Checker()
    checker.feed(page)
    assert checker.open == []
    assert checker.outside == []
    assert checker.tags["script"] == 0
    assert set(checker.ids.values()) == {1}
    assert "@import" not in page
    assert re.findall(r"url\((?!#)", page) == []


def test_the_page_shows_the_front_and_what_failed(page: str, study: StudyResults) -> None:
    kept = [r for r in study.records if study.flatbuffer(r) is not None]
    for record in kept:
        assert f'id="n{record.candidate.short_id}"' in page
    assert page.count('class="network"') == len(kept)
    failed = sum(record.outcome is Outcome.FAILED for record in study.records)
    row = rf"worker killed by signal 9</td><td class=\"n\">{failed}</td>"
    assert re.search(row, page)
    assert study.config.digest in page
    assert "wrongly accepted" in page
    assert "mean ± std" in page


def test_the_page_shows_the_config_as_the_study_went_on(tmp_path: Path) -> None:
    """The journal's first line is of the first run; what may change on resume is in study.toml."""
    write_example(tmp_path / "again", rounds=12)
    begun = read_study("again", tmp_path).config
    longer = replace(begun, search=replace(begun.search, trainings=97))
    other = replace(begun, constraints=replace(begun.constraints, error=0.001))
    for config, wanted in ((longer, 97), (other, begun.search.trainings)):
        (tmp_path / "again" / "study.toml").write_text(config.to_toml())
        assert read_study("again", tmp_path).config.search.trainings == wanted


def test_without_a_limit_on_the_latency_the_page_says_so(study: StudyResults) -> None:
    bounds = replace(study.config.constraints, latency_us=None)
    free = replace(study, config=replace(study.config, constraints=bounds))
    assert "Nothing to compare: the study has no limit on the latency." in study_page(free, Path())


def test_the_page_trusts_no_text(tmp_path: Path) -> None:
    hostile = '<script>alert(1)</script> & "more"'
    study = example_config()
    rng = np.random.default_rng(0)
    candidate = Candidate(find_space("cnn").random(rng))
    with Journal(tmp_path / "study" / "journal.jsonl", study) as journal:
        journal.append(Record(0, candidate, Outcome.FAILED, Stage.TRAINING, cause=hostile))
    found = read_study(str(tmp_path / "study"), tmp_path)
    text = study_page(replace(found, environment={"note": hostile}), tmp_path)
    assert "<script>" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; " in text
    assert "No network is feasible." in text


def test_figures_in_one_page_share_no_ids() -> None:
    def ids(name: str) -> set[str]:
        drawing = Figure()
        drawing.add_subplot().plot([1, 2])
        text = inline_svg(drawing, name, "a & b")
        assert text.startswith("<svg")
        assert "<title>a &amp; b</title>" in text
        used = set(re.findall(r'(?:url\(#|href="#)([^")]+)', text))
        found = set(re.findall(r'\bid="([^"]+)"', text))
        assert used <= found
        return found

    assert not ids("one") & ids("two")


def _without_latency(record: Record) -> Record:
    figures = record.figures and replace(record.figures, latency_us=None)
    return replace(record, figures=figures, measurement=None)


def test_waiting_is_no_compute_time(study: StudyResults, results: Path, tmp_path: Path) -> None:
    trained = next(record for record in study.records if record.training is not None)
    assert trained.training is not None
    waits = {"resources": 0.5, "training": 900.0, "conversion": 2.0, "board": 700.0}
    busy = replace(trained, seconds=waits, training=replace(trained.training, seconds=40.0))
    repeated = replace(busy, index=busy.index + 1, seconds={})
    events = (HardwareEvent("flash", 1.0), HardwareEvent("measure", 2.5))
    said = replace(example_measurement(), events=events)
    finding = LoggedMeasurement(busy.index, None, said, None)
    final = FinalTraining(busy.candidate.sha256, replace(trained.training, seconds=30.0), {})
    again = replace(finding, seed=final.training.seed)
    lines = [json.dumps(one.to_json_dict()) + "\n" for one in (finding, again)]
    (tmp_path / "measurements.jsonl").write_text("".join(lines))
    one = replace(study, folder=tmp_path, records=(busy, repeated), finals=(final,))
    spent = {
        "training": 40.0,
        FINAL_TRAININGS: 30.0,
        "board": 3.5,
        "conversion": 2.0,
        "resources": 0.5,
    }
    assert compute_seconds(one) == spent
    assert "76.0 s in all stages" in study_page(one, results)
    cached = replace(busy, seconds={"board": 0.1})
    assert compute_seconds(replace(one, records=(cached,), finals=())) == {"board": 0.1}


def test_a_page_is_a_file(
    results: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def drawn(*_: object) -> str:
        raise AssertionError("the page is drawn before its place is looked at")

    monkeypatch.setattr("unas.report.study.page.study_page", drawn)
    with pytest.raises(SystemExit) as end:
        main(["report", "one", "--results", str(results), "--to", str(tmp_path)])
    assert end.value.code == 1
    assert f"--to {tmp_path / 'report.html'}" in capsys.readouterr().err
