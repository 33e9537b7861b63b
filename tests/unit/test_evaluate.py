# SPDX-License-Identifier: Apache-2.0
"""The evaluation of one candidate, driven by hand."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.study_cases import CLASSES, SHAPE, calibrated, study_of
from unas.candidate import Candidate
from unas.config import LatencyMode, MacCount, ResourcesConfig, StudyConfig
from unas.errors import ArenaTooSmallError, LinkError, UnasError, WorkerError
from unas.graph import Graph
from unas.graph.pruning import channel_groups, prunable_kernels, prune_graph
from unas.record import FinalTraining, Outcome, OutputCheck, Record, Stage
from unas.resources.estimate import estimate
from unas.space.catalogue import find_space
from unas.strategies.strategy import Proposal
from unas.study.context import EstimatedNetwork, EvaluationContext, evenly_kept, exported, pruned_to
from unas.study.evaluation import Evaluated, Evaluation, Evaluator
from unas.study.predictor import REFIT_EVERY, Calibrated, Predictor
from unas.study.requests import MeasurementRequest, Result, TrainingOutput, TrainingRequest
from unas.study.training import CandidateTrainer
from unas.testing.study import FakeTraining, fake_measurement
from unas.tflite.writer import write_flatbuffer

SPACE = find_space("cnn", study_of().space.options)


def graph_of(seed: int) -> Graph:
    return SPACE.graph(SPACE.random(np.random.default_rng(seed)), SHAPE, CLASSES)


def context_of(study: StudyConfig, *, enters: bool = False) -> EvaluationContext:
    known = Predictor(calibrated()) if study.latency.mode is not LatencyMode.MACS else None
    return EvaluationContext(study, SPACE, SHAPE, CLASSES, known, lambda _: enters)


def candidate(study: StudyConfig, sparsity: float = 0.5) -> Candidate:
    """One that keeps every bound before training."""
    for seed in itertools.count():
        found = Candidate(SPACE.random(np.random.default_rng(seed)), sparsity)
        evaluation = Evaluator(context_of(study)).evaluate(Proposal(0, found))
        try:
            next(evaluation)
        except StopIteration:
            continue
        return found
    raise AssertionError


@pytest.fixture
def trainer(tmp_path: Path) -> CandidateTrainer:
    return FakeTraining(study_of().to_toml(), str(tmp_path)).open()


def ended(evaluation: Evaluation[Record], output: Result | UnasError) -> Record:
    """The record that an output leads to at once."""
    step: Callable[[], object]
    if isinstance(output, UnasError):
        error = output
        step = lambda: evaluation.throw(error)  # noqa: E731
    else:
        given = output
        step = lambda: evaluation.send(given)  # noqa: E731
    with pytest.raises(StopIteration) as end:
        step()
    evaluated = end.value.value
    assert isinstance(evaluated, Evaluated)
    assert isinstance(evaluated.entry, Record)
    return evaluated.entry


@pytest.mark.parametrize("seed", range(6))
def test_shapes_depend_on_how_many_channels_stay_not_on_which(seed: int) -> None:
    graph, rng = graph_of(seed), np.random.default_rng(seed)
    groups = channel_groups(graph)
    keep = [rng.random(group.size) < 0.6 for group in groups]
    for mask in keep:
        mask[int(rng.integers(len(mask)))] = True
    mine = pruned_to(graph, [int(mask.sum()) for mask in keep])
    assert estimate(exported(mine)) == estimate(exported(prune_graph(graph, groups, keep)))


def test_even_pruning_keeps_one_channel_and_takes_its_share() -> None:
    graph = graph_of(3)
    sizes = [group.size for group in channel_groups(graph)]
    assert evenly_kept(graph, 0.0) == tuple(sizes)
    assert evenly_kept(graph, 0.99) == (1,) * len(sizes)
    half = evenly_kept(graph, 0.5)
    assert all(abs(kept - size / 2) <= 1 for kept, size in zip(half, sizes, strict=True))


def test_the_study_says_which_figures_are_constrained() -> None:
    study, mine = study_of(), Candidate(SPACE.random(np.random.default_rng(1)))
    network = context_of(study).untrained(mine)
    figures = network.figures
    assert network.values["macs"] == figures.macs
    paper = replace(study, resources=ResourcesConfig(count_input=False, macs=MacCount.PAPER))
    assert context_of(paper).untrained(mine).values == {
        "peak_memory_bytes": figures.peak_memory_without_input_bytes,
        "model_size_bytes": figures.model_size_bytes,
        "macs": figures.paper_macs,
    }


def test_a_network_too_large_even_when_pruned_costs_nothing() -> None:
    study = study_of()
    tight = replace(study, constraints=replace(study.constraints, model_size_bytes=200))
    evaluation = Evaluator(context_of(tight)).evaluate(Proposal(4, candidate(study)))
    with pytest.raises(StopIteration) as end:
        next(evaluation)
    record = end.value.value.entry
    assert (record.outcome, record.stage) == (Outcome.INFEASIBLE, Stage.RESOURCES)
    assert record.figures.model_size_bytes < record.unpruned.model_size_bytes
    ratio = record.figures.model_size_bytes / 200
    assert record.violations["model_size_bytes"] == pytest.approx(ratio)


def test_a_dense_network_over_a_bound_goes_on_if_pruning_saves_it() -> None:
    study = study_of()
    mine = candidate(study)
    graph = SPACE.graph(mine.architecture, SHAPE, CLASSES)
    dense = estimate(exported(graph)).model_size_bytes
    bound = replace(study.constraints, model_size_bytes=dense - 1)
    evaluation = Evaluator(context_of(replace(study, constraints=bound))).evaluate(
        Proposal(0, mine)
    )
    assert isinstance(next(evaluation), TrainingRequest)


def unstructured(study: StudyConfig) -> StudyConfig:
    assert study.pruning is not None
    return replace(study, pruning=replace(study.pruning, structured=False))


def test_single_weights_are_taken_from_kernels_alone() -> None:
    """Neither biases nor the logits' kernel: as the masks do, see test_train_masks."""
    study = unstructured(study_of())
    mine = candidate(study)
    graph = SPACE.graph(mine.architecture, SHAPE, CLASSES)
    dense = estimate(exported(graph)).model_size_bytes
    kernels = list(prunable_kernels(graph).values())
    least = dense - int(0.5 * sum(kernels) + 1e-3)
    assert least > dense - round(0.5 * dense)
    for bound, fits in ((least, True), (least - 1, False)):
        constraints = replace(study.constraints, model_size_bytes=bound)
        evaluator = Evaluator(context_of(replace(study, constraints=constraints)))
        evaluation = evaluator.evaluate(Proposal(0, mine))
        if fits:
            assert isinstance(next(evaluation), TrainingRequest)
            continue
        with pytest.raises(StopIteration) as end:
            next(evaluation)
        record = end.value.value.entry
        assert (record.outcome, record.unpruned) == (Outcome.INFEASIBLE, None)
        assert record.values["model_size_bytes"] == least
        assert record.figures.model_size_bytes == dense


@pytest.mark.parametrize("structured", [True, False])
def test_zeros_of_the_trained_network_count_without_structure_alone(
    tmp_path: Path, structured: bool
) -> None:
    study = study_of() if structured else unstructured(study_of())
    evaluation = Evaluator(context_of(study)).evaluate(Proposal(0, candidate(study)))
    request = next(evaluation)
    assert isinstance(request, TrainingRequest)
    output = FakeTraining(study.to_toml(), str(tmp_path)).open().train(request)
    record = ended(evaluation, replace(output, zeros=7))
    assert record.figures is not None
    zeros = 0 if structured else 7
    assert record.values["model_size_bytes"] == record.figures.model_size_bytes - zeros


def test_stages_of_the_measured_mode(trainer: CandidateTrainer) -> None:
    study = study_of("measured")
    evaluation = Evaluator(context_of(study)).evaluate(Proposal(5, candidate(study)))
    first = next(evaluation)
    assert isinstance(first, MeasurementRequest)
    training = evaluation.send(fake_measurement(first.model, 1.0, "plain"))
    assert isinstance(training, TrainingRequest)
    output = trainer.train(training)
    second = evaluation.send(output)
    assert isinstance(second, MeasurementRequest)
    assert second.model.sha256 == output.result.model_sha256 != first.model.sha256
    record = ended(evaluation, fake_measurement(second.model, 1.0, "plain"))
    assert record.outcome is Outcome.COMPLETE
    assert record.figures is not None
    assert record.figures.latency_us is not None  # predicted, beside the emulated one
    assert record.measurement is not None
    assert record.values["latency_us"] == record.measurement.latency_us


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ArenaTooSmallError("the arena is too small"), Outcome.INFEASIBLE),
        (LinkError("no output"), Outcome.FAILED),
    ],
)
def test_what_the_board_refuses_is_no_failure(error: UnasError, outcome: Outcome) -> None:
    study = study_of("measured")
    evaluation = Evaluator(context_of(study)).evaluate(Proposal(0, candidate(study)))
    next(evaluation)
    record = ended(evaluation, error)
    assert (record.outcome, record.stage) == (outcome, Stage.BOARD)
    assert record.cause == str(error)


def test_a_wrong_output_is_a_failure() -> None:
    study = study_of("measured")
    evaluation = Evaluator(context_of(study)).evaluate(Proposal(0, candidate(study)))
    request = next(evaluation)
    assert isinstance(request, MeasurementRequest)
    wrong = replace(
        fake_measurement(request.model, 1.0, "plain"), output=OutputCheck("golden", 10, 2)
    )
    record = ended(evaluation, wrong)
    assert record.outcome is Outcome.FAILED
    assert "2 of 10" in (record.cause or "")


def test_a_worker_says_where_it_failed() -> None:
    study = study_of()
    evaluation = Evaluator(context_of(study)).evaluate(Proposal(0, candidate(study)))
    next(evaluation)
    record = ended(evaluation, WorkerError("no converter", "conversion"))
    assert (record.outcome, record.stage) == (Outcome.FAILED, Stage.CONVERSION)


class BrokenSpace:
    """A bug that only some architectures bring out."""

    def graph(self, *_: object) -> Graph:
        raise KeyError("no such layer")


def test_a_bug_costs_one_candidate_not_the_study() -> None:
    study = study_of()
    broken = replace(context_of(study), space=BrokenSpace())
    with pytest.raises(StopIteration) as end:
        next(Evaluator(broken).evaluate(Proposal(3, candidate(study))))
    record = end.value.value.entry
    assert (record.index, record.outcome, record.stage) == (3, Outcome.FAILED, Stage.RESOURCES)
    assert record.cause.startswith("KeyError in test_evaluate.py:")
    assert record.cause.endswith("'no such layer'; report it with the candidate")


def test_a_bug_after_training_is_told_too(
    trainer: CandidateTrainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = study_of()
    mine = candidate(study)
    broken = Evaluator(context_of(study))

    def trained(*_: object) -> EstimatedNetwork:
        raise ZeroDivisionError("float division")

    evaluation = broken.evaluate(Proposal(0, mine))
    request = next(evaluation)
    assert isinstance(request, TrainingRequest)
    monkeypatch.setattr(EvaluationContext, "trained", trained)
    record = ended(evaluation, trainer.train(request))
    assert (record.outcome, record.stage) == (Outcome.FAILED, Stage.CONVERSION)
    assert "ZeroDivisionError" in (record.cause or "")
    again = broken.repeat(record, 1)
    request = next(again)
    assert isinstance(request, TrainingRequest)
    with pytest.raises(WorkerError, match=r"ZeroDivisionError in .*float division; report"):
        again.send(trainer.train(request))


@pytest.mark.parametrize("ending", [KeyboardInterrupt, SystemExit])
def test_ending_a_study_is_no_failure_of_a_candidate(ending: type[BaseException]) -> None:
    study = study_of()
    evaluation = Evaluator(context_of(study)).evaluate(Proposal(0, candidate(study)))
    next(evaluation)
    with pytest.raises(ending):
        evaluation.throw(ending())


@pytest.mark.parametrize(("enters", "asks"), [(True, True), (False, False)])
def test_predicted_asks_for_the_front_only(
    trainer: CandidateTrainer, enters: bool, asks: bool
) -> None:
    study = study_of("predicted")
    wide = replace(study, constraints=replace(study.constraints, latency_us=1e9))
    evaluation = Evaluator(context_of(wide, enters=enters)).evaluate(Proposal(0, candidate(wide)))
    request = next(evaluation)
    assert isinstance(request, TrainingRequest)
    output = trainer.train(request)
    if asks:
        assert isinstance(evaluation.send(output), MeasurementRequest)
    else:
        record = ended(evaluation, output)
        assert record.outcome is Outcome.COMPLETE
        assert record.measurement is None


def test_predicted_asks_before_training_where_the_interval_straddles() -> None:
    study = study_of("predicted")
    mine = candidate(study)
    graph = SPACE.graph(mine.architecture, SHAPE, CLASSES)
    pruned = exported(pruned_to(graph, evenly_kept(graph, mine.sparsity or 0)))
    found = Predictor(calibrated()).latency_us(pruned)
    for limit, asks in ((found.value, True), (found.upper * 1.1, False)):
        bound = replace(study.constraints, latency_us=limit)
        evaluation = Evaluator(context_of(replace(study, constraints=bound))).evaluate(
            Proposal(0, mine)
        )
        assert isinstance(next(evaluation), MeasurementRequest) is asks


def test_answers_cross_processes_unchanged(trainer: CandidateTrainer) -> None:
    request = TrainingRequest(candidate(study_of()), 3)
    assert TrainingRequest.from_json(request.to_json()) == request
    output = trainer.train(request)
    assert TrainingOutput.from_json_dict(output.to_json_dict()) == output


def test_final_trainings_go_to_the_end_and_tell_of_divergence(trainer: CandidateTrainer) -> None:
    study = study_of()
    evaluator = Evaluator(context_of(study))
    evaluation = evaluator.evaluate(Proposal(0, candidate(study)))
    request = next(evaluation)
    assert isinstance(request, TrainingRequest)
    assert not request.to_the_end
    record = ended(evaluation, trainer.train(request))
    again = evaluator.repeat(record, 1)
    request = next(again)
    assert isinstance(request, TrainingRequest)
    assert request.to_the_end
    assert TrainingRequest.from_json(request.to_json()) == request
    output = trainer.train(request)
    lost = replace(output.result, val_error=None, test_error=None)
    with pytest.raises(StopIteration) as end:
        again.send(TrainingOutput(lost, "it diverged"))
    final = end.value.value.entry
    assert final == FinalTraining(record.candidate.sha256, lost, {}, "it diverged")
    assert final.diverged


def networks(count: int) -> list[Graph]:
    return [exported(graph_of(seed)) for seed in range(count)]


def test_the_predictor_learns_each_network_once_and_refits_every_so_often() -> None:
    predictor = Predictor(calibrated())
    graphs = networks(REFIT_EVERY)
    before = [predictor.latency_us(graph).value for graph in graphs]
    for seed, graph in enumerate(graphs):
        model = write_flatbuffer(graph, seed=seed, name="net")
        sample = predictor.sample_of(graph, fake_measurement(model, 30.0, "plain"))
        assert sample is not None
        assert predictor.refits == 0
        predictor.learn(sample)
        if seed < REFIT_EVERY - 1:
            predictor.learn(sample)
    assert predictor.refits == 1
    after = [predictor.latency_us(graph).value for graph in graphs]
    assert all(b > a for a, b in zip(before, after, strict=True))


def test_other_provenance_teaches_nothing() -> None:
    predictor = Predictor(calibrated())
    (graph,) = networks(1)
    found = fake_measurement(write_flatbuffer(graph, seed=0, name="net"), 10.0, "plain")
    assert predictor.sample_of(graph, found) is not None
    for changed in (
        replace(found, timing="silicon"),
        replace(found, kernels="dsp"),
        replace(found, board_id="other"),
        replace(found, runtime="tflm"),
        replace(found, runtime_revision="3"),
        replace(found, operators=()),
        replace(found, operators=found.operators[1:]),
    ):
        assert predictor.sample_of(graph, changed) is None


def test_a_calibration_of_before_does_not_tell_its_runtime_revision() -> None:
    known = calibrated()
    identity = {k: v for k, v in known.latency.identity.items() if k != "runtime_revision"}
    old = replace(known, latency=replace(known.latency, identity=identity))
    (graph,) = networks(1)
    found = fake_measurement(write_flatbuffer(graph, seed=0, name="net"), 10.0, "plain")
    for revision in ("2", "3"):
        sample = Predictor(old).sample_of(graph, replace(found, runtime_revision=revision))
        assert sample is not None
    assert Predictor(old).sample_of(graph, replace(found, runtime="tflm")) is None


def test_without_samples_the_model_stays_as_it_is() -> None:
    known = calibrated()
    predictor = Predictor(Calibrated(known.latency))
    (graph,) = networks(1)
    before = predictor.latency_us(graph)
    for seed in range(2 * REFIT_EVERY):
        model = write_flatbuffer(graph, seed=seed, name="net")
        sample = predictor.sample_of(graph, fake_measurement(model, 99.0, "plain"))
        assert sample is not None
        predictor.learn(sample)
    assert predictor.refits == 0
    assert predictor.latency_us(graph) == before
