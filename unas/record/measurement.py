# SPDX-License-Identifier: Apache-2.0
"""What was found out about a network, with its provenance; JSON in and out."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from unas._codec import object_without, plain_object, read_object
from unas.errors import StoreError

if TYPE_CHECKING:
    import pandas as pd

MEASUREMENT_SCHEMA = 2


class Provenance(StrEnum):
    """Where a number comes from. Numbers of different provenance never mix."""

    PREDICTED = "predicted"  # from a model
    EMULATED = "emulated"  # from the virtual board
    MEASURED = "measured"  # from silicon


@dataclass(frozen=True, slots=True)
class Conditions:
    """What must be equal where numbers of two measurements stand in one fit or one table.

    The field names are the keys of a latency model's ``identity``.

    Attributes:
        board: Kind of board. Units of one kind are taken to be equal.
        runtime: What ran the models.
        runtime_revision: Its revision: another one may have faster kernels.
        kernels: Which kernels were linked.
        provenance: EMULATED or MEASURED.
        timing: How cycles came about.
    """

    board: str
    runtime: str
    runtime_revision: str
    kernels: str
    provenance: Provenance
    timing: str

    @property
    def identity(self) -> dict[str, str]:
        """The fields as text, as latency models keep them."""
        return {f.name: str(getattr(self, f.name)) for f in fields(self)}

    def agree_with(self, identity: Mapping[str, str]) -> bool:
        """Whether a latency model of this identity was fitted under these conditions.

        Identities of before have no ``runtime_revision``: what is unknown is not different.
        """
        unknown = {} if "runtime_revision" in identity else {"runtime_revision": ""}
        return {**self.identity, **unknown} == {**identity, **unknown}


@dataclass(frozen=True, slots=True)
class OperatorCycles:
    """Share of one operator in the profiled run.

    Attributes:
        index: Position in the model.
        name: TFLite's name.
        cycles: Of the core clock.
        instructions: Executed ones; virtual boards only.
    """

    index: int
    name: str
    cycles: int
    instructions: int | None = None


@dataclass(frozen=True, slots=True)
class ArenaUse:
    """The tensor arena, in bytes.

    Attributes:
        used_bytes: The smallest arena that works, if verified; otherwise what the runtime claims.
        tensor_bytes: Activations, after planning.
        scratch_bytes: What the kernels' working memory adds.
        persistent_bytes: Prepared operators and the tensors' descriptions.
        capacity_bytes: What the board has.
        bound_bytes: The most tensors and working memory that live at once, so no plan has less; 0
            where the runtime cannot say.
        plan: How tensors and working memory were placed: "greedy" by the device, "offline" in an
            order that the host found; other runtimes name their own.
        verified: An inference in an arena of exactly used_bytes gave the same output and wrote
            nothing beyond; in one step (16 bytes) less there was none.
        claimed_bytes: What the runtime itself says it uses.
    """

    used_bytes: int
    tensor_bytes: int
    scratch_bytes: int
    persistent_bytes: int
    capacity_bytes: int
    bound_bytes: int = 0
    plan: str = ""
    verified: bool = False
    claimed_bytes: int = 0


@dataclass(frozen=True, slots=True)
class OutputCheck:
    """The device's output bytes against a golden implementation.

    Attributes:
        golden: What computed the expected bytes, with its version.
        output_bytes: Number of bytes compared.
        mismatches: How many differ; None if no golden implementation was to be had.
    """

    golden: str
    output_bytes: int
    mismatches: int | None

    @property
    def equal(self) -> bool:
        """True if every byte was compared and is equal."""
        return self.mismatches == 0


@dataclass(frozen=True, slots=True)
class HardwareEvent:
    """One act on the hardware: what, how many seconds of the host, how many tries."""

    act: str
    seconds: float
    tries: int = 1


@dataclass(frozen=True, slots=True)
class Measurement:
    """One network, timed on one board.

    Attributes:
        model_sha256: Digest of the flatbuffer.
        model_name: For people.
        flatbuffer_bytes: Size of the flatbuffer.
        provenance: EMULATED or MEASURED.
        timing: How cycles came about: ``"silicon"`` or the name of the virtual board's cycle model.
        board_id: Kind of board.
        runtime: What ran it, as chosen: ``"builtin"``, ``"builtin-plain"`` or ``"tflm"``.
        runtime_revision: Its version, as the device tells it.
        kernels: Which kernels were really linked: ``"dsp"``, ``"plain"``, ``"cmsis-nn"``…
        unit: Which one: the unique id of its chip.
        clock_hz: Core clock the device reports.
        cold_cycles: The first inference after preparation.
        samples_cycles: Every timed inference, in order.
        operators: Cycles per operator from a profiled run of its own.
        profiled_cycles: Whole profiled run.
        instructions: Executed instructions of one timed inference; virtual boards only.
        arena: Tensor arena.
        flash_bytes: The whole program, all its models included.
        region_bytes: Bytes per memory region, from the ELF.
        program_bytes: ``flash_bytes`` without the image's models.
        output: Result of the output check.
        output_sha256: Digest of the output bytes.
        input_seed: Seed of the input.
        warmup: Runs before the timed ones, the cold one not counted.
        info: Everything the device said of itself.
        events: Hardware acts that this measurement took part in.

    Raises:
        StoreError: No timed inference, or no clock above 0: there is no latency.
    """

    model_sha256: str
    model_name: str
    flatbuffer_bytes: int
    provenance: Provenance
    timing: str
    board_id: str
    runtime: str
    runtime_revision: str
    kernels: str
    unit: str
    clock_hz: int
    cold_cycles: int
    samples_cycles: tuple[int, ...]
    operators: tuple[OperatorCycles, ...]
    profiled_cycles: int
    instructions: int | None
    arena: ArenaUse
    flash_bytes: int
    region_bytes: Mapping[str, int]
    program_bytes: int
    output: OutputCheck
    output_sha256: str
    input_seed: int
    warmup: int
    info: Mapping[str, str]
    events: tuple[HardwareEvent, ...]

    def __post_init__(self) -> None:
        if not self.samples_cycles or self.clock_hz <= 0:
            raise StoreError(
                f"{len(self.samples_cycles)} timed inferences at {self.clock_hz} Hz have no "
                "latency; measure again"
            )

    @property
    def conditions(self) -> Conditions:
        """What it was measured under: numbers of other conditions do not mix with it."""
        return Conditions(
            board=self.board_id,
            runtime=self.runtime,
            runtime_revision=self.runtime_revision,
            kernels=self.kernels,
            provenance=self.provenance,
            timing=self.timing,
        )

    @property
    def median_cycles(self) -> float:
        """Median of the samples."""
        return statistics.median(self.samples_cycles)

    @property
    def spread_cycles(self) -> int:
        """Largest minus smallest sample."""
        return max(self.samples_cycles) - min(self.samples_cycles)

    @property
    def latency_us(self) -> float:
        """Median latency of one inference in microseconds."""
        return self.median_cycles * 1e6 / self.clock_hz

    def to_dict(self) -> dict[str, Any]:
        """As JSON types: what ``unas-hil measure --format json`` prints."""
        return self.to_json_dict()

    def to_frame(self) -> pd.DataFrame:
        """A row an operator: index, name, cycles, and instructions where they were counted."""
        import pandas as pd

        return pd.DataFrame([asdict(one) for one in self.operators])

    def to_json_dict(self) -> dict[str, Any]:
        """As JSON types, with a schema number."""
        return {"schema": MEASUREMENT_SCHEMA, **plain_object(self)}

    @classmethod
    def from_json_dict(cls, data: Mapping[str, Any]) -> Measurement:
        """From ``to_json_dict``'s result.

        Raises:
            StoreError: Another schema, or fields that are missing, unknown or of the wrong kind.
        """
        what, advice = "a stored measurement", "measure it again with this version"
        rest = object_without(data, "schema", MEASUREMENT_SCHEMA, what, advice, StoreError)
        return read_object(rest, cls, what, defaults=True)
