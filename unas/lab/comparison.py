# SPDX-License-Identifier: Apache-2.0
"""The same models on the same board under several runtimes, side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from unas.artifact import Flatbuffer
from unas.errors import ConfigError, UnasError
from unas.firmware.runtimes import Runtime
from unas.graph import Graph
from unas.hil.measure import Failure
from unas.lab.bench import Bench
from unas.lab.lab import Result, measure_all
from unas.record import Measurement
from unas.resources.estimate import estimate
from unas.store.cache import MeasurementStore


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


def compare(
    bench: Bench,
    runtimes: Sequence[Runtime],
    models: Sequence[tuple[Flatbuffer, Graph]],
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
        models: Each with its graph.
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
    digests = [model.sha256 for model, _ in models]
    if len(set(names)) < len(names) or len(set(digests)) < len(digests):
        raise ConfigError("a runtime or a model is named twice; name each once")
    flatbuffers = [model for model, _ in models]
    results: dict[str, dict[str, Result]] = {}
    for runtime in runtimes:
        on_step(runtime.name, "")
        results[runtime.name] = measure_all(
            # One worker: so that the models share an image, and each runtime's program is one.
            replace(bench, runtime=runtime, workers=1),
            store,
            flatbuffers,
            fresh=True,
            log=log,
            on_result=_on_result(on_step, runtime.name),
        )
    return [
        _comparison(model, graph, {name: results[name][model.sha256] for name in names})
        for model, graph in models
    ]


def _on_result(on_step: Callable[[str, str], None], runtime: str) -> Callable[[Result, bool], None]:
    return lambda result, _stored: on_step(runtime, result.model_name)


def _comparison(model: Flatbuffer, graph: Graph, results: Mapping[str, Result]) -> Comparison:
    figures = estimate(graph)
    return Comparison(
        model=model,
        macs=figures.macs,
        operator_macs={operator.position: operator.macs for operator in figures.operators},
        results={
            name: result.error if isinstance(result, Failure) else result
            for name, result in results.items()
        },
    )
