# SPDX-License-Identifier: Apache-2.0
"""Records: what a study found out about its candidates. One record is about one network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from unas._codec import object_without, plain_object, read_object
from unas.candidate import Candidate
from unas.errors import StoreError
from unas.record.measurement import Measurement, Provenance

RECORD_SCHEMA = 1
_T = TypeVar("_T")


class Outcome(StrEnum):
    """How the judging of a candidate ended."""

    COMPLETE = "complete"  # trained and judged; it may still violate a bound
    INFEASIBLE = "infeasible"  # violates a bound that is known without training: not trained
    STOPPED_EARLY = "stopped_early"  # training was given up: without prospects, or it diverged
    FAILED = "failed"  # a worker, the board or a tool failed; nothing is known of the rest

    @classmethod
    def _missing_(cls, value: object) -> Outcome | None:
        # Journals of before call it as channel pruning is called.
        return cls.STOPPED_EARLY if value == "pruned" else None


class Stage(StrEnum):
    """The stages a candidate passes, cheapest first."""

    RESOURCES = "resources"
    PREDICTION = "prediction"
    EXPORT = "export"
    BOARD = "board"
    TRAINING = "training"
    CONVERSION = "conversion"  # of the trained network, and its int8 error
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model says of a quantity; provenance *predicted*.

    Attributes:
        value: Best guess, in the unit of the quantity that bears it.
        lower: Lower end of the interval.
        upper: Upper end of the interval.
    """

    value: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What the models say of the network; provenance *predicted*.

    Attributes:
        macs: Multiply-accumulates.
        paper_macs: The paper's count, with pools and additions.
        model_size_bytes: Parameters at one byte each.
        peak_memory_bytes: Least RAM for activations, the input counted.
        peak_memory_without_input_bytes: The same as the paper counts it.
        flatbuffer_bytes: Size of the .tflite file; None if not known.
        latency_us: Of one inference; None without a latency model.
        arena_used_bytes: Tensor arena; None without an arena model.
    """

    macs: int
    paper_macs: int
    model_size_bytes: int
    peak_memory_bytes: int
    peak_memory_without_input_bytes: int
    flatbuffer_bytes: int | None = None
    latency_us: Prediction | None = None
    arena_used_bytes: Prediction | None = None


@dataclass(frozen=True, slots=True)
class MeasuredFigures:
    """What a board said of the network, and which stored measurement says more.

    Attributes:
        model_sha256: Digest of the flatbuffer that ran.
        provenance: EMULATED or MEASURED.
        timing: How cycles came about, as in ``Measurement``.
        board_id: Kind of board.
        runtime: What ran it.
        latency_us: Median of the timed inferences.
        arena_used_bytes: Tensor arena on the device.
        flash_bytes: The whole program with this model alone.
        output_equal: Whether the output's bytes were those of the golden implementation; None if
            there was none.
    """

    model_sha256: str
    provenance: Provenance
    timing: str
    board_id: str
    runtime: str
    latency_us: float
    arena_used_bytes: int
    flash_bytes: int
    output_equal: bool | None

    @classmethod
    def of(cls, measurement: Measurement) -> MeasuredFigures:
        """What a record keeps of a measurement."""
        checked = measurement.output.mismatches is not None
        return cls(
            model_sha256=measurement.model_sha256,
            provenance=measurement.provenance,
            timing=measurement.timing,
            board_id=measurement.board_id,
            runtime=measurement.runtime,
            latency_us=measurement.latency_us,
            arena_used_bytes=measurement.arena.used_bytes,
            flash_bytes=measurement.program_bytes + measurement.flatbuffer_bytes,
            output_equal=measurement.output.equal if checked else None,
        )


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """A training, and the errors of the weights it ended with. Errors are shares, 0 to 1.

    Attributes:
        seed: Of weights, order of samples and augmentation.
        epochs: Trained ones.
        best_epoch: The one whose weights were kept, counted from 0.
        val_error: Of the int8 model on the validation split; what the search sees.
        test_error: Of the int8 model on the test split; never seen by the search.
        float_val_error: The same weights before quantisation.
        float_test_error: The same on the test split.
        model_sha256: Digest of the trained int8 flatbuffer.
        kept_channels: Channels that pruning left, per group, in the graph's order; None without
            structured pruning.
        seconds: Of training; time of the host.
    """

    seed: int
    epochs: int
    best_epoch: int
    val_error: float | None
    test_error: float | None
    float_val_error: float
    float_test_error: float | None
    model_sha256: str | None = None
    kept_channels: tuple[int, ...] | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Record:
    """One judged candidate. Every number in it belongs to one and the same network.

    With structured pruning that is the network that pruning left, once there is one; ``unpruned``
    keeps what was known before.

    Attributes:
        index: Number of the proposal, from 0, unique in a study.
        candidate: Its genes.
        outcome: How judging ended.
        stage: The stage in which it ended; DONE for COMPLETE.
        values: What is known of the quantities that ``Constraints`` names, bounded or not; the
            error is ``training.val_error``. What is missing was not found out.
        violations: Value over bound, above 1, of each violated bound.
        figures: What the models say; None where judging ended before.
        unpruned: What the models said before pruning; None without structured pruning.
        measurement: What the board said; None if it was not asked.
        training: How training went; None if there was none.
        cause: Why, for FAILED and STOPPED_EARLY: one line.
        seconds: Of the host, per stage, waiting for workers and board included. Not reproducible,
            nothing is decided by it.
    """

    index: int
    candidate: Candidate
    outcome: Outcome
    stage: Stage
    values: Mapping[str, float] = field(default_factory=dict)
    violations: Mapping[str, float] = field(default_factory=dict)
    figures: Figures | None = None
    unpruned: Figures | None = None
    measurement: MeasuredFigures | None = None
    training: TrainingResult | None = None
    cause: str | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def feasible(self) -> bool:
        """Whether it was judged to the end and violates no bound."""
        return self.outcome is Outcome.COMPLETE and not self.violations

    def to_json_dict(self) -> dict[str, Any]:
        """As JSON types, with the schema's number.

        Raises:
            StoreError: A number is not finite.
        """
        return {"schema": RECORD_SCHEMA, **plain_object(self)}

    @classmethod
    def from_json_dict(cls, data: Mapping[str, Any]) -> Record:
        """The inverse of ``to_json_dict``, strict.

        Raises:
            StoreError: Another schema, or fields that are missing, unknown or of the wrong type.
        """
        return _versioned(data, cls, "a record")


@dataclass(frozen=True, slots=True)
class FinalTraining:
    """One network of the front, trained again with another seed after the search.

    Attributes:
        candidate_sha256: Which candidate.
        training: How it went.
        values: Judged quantities of the network that came out, as in ``Record``; empty if it
            diverged.
        cause: How it diverged: one line; None for one that came to its end. Its errors are None.
    """

    candidate_sha256: str
    training: TrainingResult
    values: Mapping[str, float] = field(default_factory=dict)
    cause: str | None = None

    @property
    def diverged(self) -> bool:
        """Whether it gave no network."""
        return self.cause is not None

    def to_json_dict(self) -> dict[str, Any]:
        """As JSON types, with the schema's number."""
        result = {"schema": RECORD_SCHEMA, **plain_object(self)}
        if self.cause is None:  # the key came later than the schema
            del result["cause"]
        return result

    @classmethod
    def from_json_dict(cls, data: Mapping[str, Any]) -> FinalTraining:
        """The inverse of ``to_json_dict``, strict.

        Raises:
            StoreError: Another schema, or fields that are missing, unknown or of the wrong type.
        """
        whole = {"cause": None, **data} if isinstance(data, Mapping) else data
        return _versioned(whole, cls, "a final training")


def _versioned(data: object, kind: type[_T], what: str) -> _T:
    advice = "use the version of unas that wrote it"
    rest = object_without(data, "schema", RECORD_SCHEMA, what, advice, StoreError)
    return read_object(rest, kind, what)
