# SPDX-License-Identifier: Apache-2.0
"""The same models on the same board under several runtimes, side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from unas.artifact import Flatbuffer
from unas.errors import ConfigError, UnasError
from unas.firmware.runtimes import Runtime
from unas.hil.measure import Failure
from unas.lab.bench import Bench
from unas.lab.lab import Result, measure_all
from unas.record import Measurement, OperatorCycles
from unas.resources.estimate import estimate
from unas.store.cache import MeasurementStore
from unas.tflite.model_file import Model


@dataclass(frozen=True, slots=True)
class OperatorComparison:
    """One operator of a model under several runtimes.

    Attributes:
        index: Position in the model.
        name: Its kind.
        macs: Multiply-accumulates of one inference.
        cycles: Per runtime, what it took; None where the runtime has no such operator there.
    """

    index: int
    name: str
    macs: int
    cycles: Mapping[str, OperatorCycles | None]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One model under several runtimes.

    Attributes:
        model: The model.
        macs: Multiply-accumulates of one inference.
        operator_macs: The same per operator, by its position in the model.
        results: Per runtime, in the order asked for, the measurement or why there is none.
    """

    model: Flatbuffer
    macs: int
    operator_macs: Mapping[int, int]
    results: Mapping[str, Measurement | UnasError]

    @property
    def measured(self) -> dict[str, Measurement]:
        """The runtimes that ran the model."""
        return {name: r for name, r in self.results.items() if isinstance(r, Measurement)}

    @property
    def outputs_equal(self) -> bool:
        """True if all runtimes that ran the model gave the same bytes, and none a wrong one."""
        outputs = {f.output_sha256 for f in self.measured.values()}
        return len(outputs) <= 1 and not any(f.output.mismatches for f in self.measured.values())

    def complaints(self) -> list[str]:
        """What is wrong, a line each: outputs that differ, runtimes that did not run the model."""
        name, lines = self.model.name, []
        for runtime, result in self.results.items():
            if isinstance(result, UnasError):
                lines.append(f"{name}: {runtime} did not run it: {result}")
            elif result.output.mismatches:
                output = result.output
                lines.append(
                    f"{name}: {output.mismatches} of {output.output_bytes} bytes of "
                    f"{runtime}'s output differ from {output.golden}"
                )
        measured = list(self.measured.items())
        for runtime, measurement in measured[1:]:
            first, other = measured[0]
            if measurement.output_sha256 != other.output_sha256:
                lines.append(f"{name}: the outputs of {first} and {runtime} differ")
        return lines

    def per_mac(self, count: int | None, macs: int | None = None) -> float | None:
        """A count per multiply-accumulate; None where there are none, or no count."""
        divisor = self.macs if macs is None else macs
        return None if count is None or not divisor else count / divisor

    def operators(self) -> list[OperatorComparison]:
        """The operators side by side, as the runtime with the most of them names them."""
        measured = self.measured
        longest = max((list(one.operators) for one in measured.values()), key=len, default=[])
        return [
            OperatorComparison(
                operator.index,
                operator.name,
                self.operator_macs.get(operator.index, 0),
                {name: _same_operator(one, operator) for name, one in measured.items()},
            )
            for operator in longest
        ]

    def to_json_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            "model": self.model.name,
            "model_sha256": self.model.sha256,
            "flatbuffer_bytes": self.model.flatbuffer_bytes,
            "macs": self.macs,
            "complaints": self.complaints(),
            "runtimes": [self._runtime(name, result) for name, result in self.results.items()],
        }

    def _runtime(self, name: str, result: Measurement | UnasError) -> dict[str, Any]:
        if isinstance(result, UnasError):
            return {"runtime": name, "error": str(result)}
        return {
            "runtime": name,
            "program_bytes": result.program_bytes,
            "median_cycles": result.median_cycles,
            "latency_us": result.latency_us,
            "instructions": result.instructions,
            "instructions_per_mac": self.per_mac(result.instructions),
            "arena_used_bytes": result.arena.used_bytes,
            "operators": [
                {
                    "index": operator.index,
                    "name": operator.name,
                    "macs": self.operator_macs.get(operator.index),
                    "cycles": operator.cycles,
                    "instructions": operator.instructions,
                    "instructions_per_mac": self.per_mac(
                        operator.instructions, self.operator_macs.get(operator.index, 0)
                    ),
                }
                for operator in result.operators
            ],
            "measurement": result.to_json_dict(),
        }


def _same_operator(measurement: Measurement, wanted: OperatorCycles) -> OperatorCycles | None:
    """The operator at the same place, if it is of the same kind."""
    for operator in measurement.operators:
        if (operator.index, operator.name) == (wanted.index, wanted.name):
            return operator
    return None


def compare(
    bench: Bench,
    runtimes: Sequence[Runtime],
    models: Sequence[Model],
    store: MeasurementStore,
    *,
    log: Callable[[str], None] | None = None,
    on_step: Callable[[str, str], None] = lambda *_: None,
) -> list[Comparison]:
    """Measure all models anew under all runtimes, one runtime after the other.

    All models are in one image per runtime where they fit. Nothing comes from the store.

    Args:
        bench: What to measure on; its own runtime does not matter.
        runtimes: At least one, no two of the same name.
        models: At least one, no two of the same content.
        store: Takes the measurements.
        log: Takes the device's log lines.
        on_step: Takes a runtime and "" before its images are built, and the name of each model
            after it was measured.

    Returns:
        A comparison per model, in the order given.

    Raises:
        ConfigError: A runtime or a model is given twice.
        UnasError: The bench itself failed.
    """
    names = [runtime.name for runtime in runtimes]
    digests = [model.flatbuffer.sha256 for model in models]
    if len(set(names)) < len(names) or len(set(digests)) < len(digests):
        raise ConfigError("a runtime or a model is named twice; name each once")
    results: dict[tuple[str, str], Measurement | UnasError] = {}
    for runtime in runtimes:
        on_step(runtime.name, "")
        measured = measure_all(
            # One worker: so that the models share an image, and each runtime's program is one.
            replace(bench, runtime=runtime, workers=1),
            store,
            [model.flatbuffer for model in models],
            fresh=True,
            log=log,
            on_result=_on_result(on_step, runtime.name),
        )
        for digest, result in measured.items():
            results[runtime.name, digest] = result.error if isinstance(result, Failure) else result
    return [
        _comparison(model, {name: results[name, digest] for name in names})
        for model, digest in zip(models, digests, strict=True)
    ]


def _on_result(on_step: Callable[[str, str], None], runtime: str) -> Callable[[Result, bool], None]:
    return lambda result, _stored: on_step(runtime, result.model_name)


def _comparison(model: Model, results: Mapping[str, Measurement | UnasError]) -> Comparison:
    figures = estimate(model.graph)
    return Comparison(
        model=model.flatbuffer,
        macs=figures.macs,
        operator_macs={operator.position: operator.macs for operator in figures.operators},
        results=results,
    )
