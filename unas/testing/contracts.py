# SPDX-License-Identifier: Apache-2.0
"""Contract suites: subclass one, implement its fixture method, and pytest runs it on your class."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import replace

from unas.artifact import FirmwareImage
from unas.errors import LinkClosedError
from unas.hil.flash import Flasher
from unas.hil.transport import Transport
from unas.names import Timing
from unas.record import ArenaUse, Measurement, OutputCheck, Provenance
from unas.store.cache import MeasurementKey, MeasurementStore


def _collect(transport: Transport, count: int, patience_s: float = 10.0) -> bytes:
    end, received = time.monotonic() + patience_s, b""
    while len(received) < count and time.monotonic() < end:
        received += transport.read(0.2)
    return received


class TransportContract(ABC):
    """What every transport promises; the other end must return each byte it gets."""

    @abstractmethod
    def echo(self) -> Transport:
        """A fresh transport whose other end echoes."""

    def test_every_byte_value_survives(self) -> None:
        """No byte is special to a transport."""
        transport = self.echo()
        transport.write(bytes(range(256)))
        assert _collect(transport, 256) == bytes(range(256))
        transport.close()

    def test_order_and_length_survive_a_large_write(self) -> None:
        """64 KiB come back whole and in order."""
        transport = self.echo()
        data = bytes((i * 7 + i // 251) % 256 for i in range(65536))
        received = b""
        for start in range(0, len(data), 1024):
            transport.write(data[start : start + 1024])
            received += _collect(transport, 1024)
        assert received == data
        transport.close()

    def test_a_quiet_line_reads_as_empty(self) -> None:
        """No byte in time is no error."""
        transport = self.echo()
        assert transport.read(0.01) == b""
        transport.close()

    def test_a_closed_transport_says_so(self) -> None:
        """Use after close is a LinkClosedError, closing twice is fine."""
        transport = self.echo()
        transport.close()
        transport.close()
        for use in (lambda: transport.write(b"x"), lambda: transport.read(0.01)):
            closed = False
            try:
                use()
            except LinkClosedError:
                closed = True
            assert closed


def example_measurement(model_sha256: str = "0" * 64) -> Measurement:
    """A measurement to store in tests: made up, and marked so."""
    return Measurement(
        model_sha256=model_sha256,
        model_name="example",
        flatbuffer_bytes=1000,
        provenance=Provenance.EMULATED,
        timing="fake",
        board_id="fake",
        runtime="builtin",
        runtime_revision="1",
        kernels="plain",
        unit="fake",
        clock_hz=1_000_000,
        cold_cycles=12,
        samples_cycles=(10, 11, 10),
        operators=(),
        profiled_cycles=11,
        instructions=None,
        arena=ArenaUse(100, 60, 20, 20, 1000),
        flash_bytes=5000,
        region_bytes={"flash": 5000},
        program_bytes=4000,
        output=OutputCheck("fake", 10, 0),
        output_sha256="0" * 64,
        input_seed=1,
        warmup=0,
        info={"board": "fake"},
        events=(),
    )


class FlasherContract(ABC):
    """What every flasher promises."""

    @abstractmethod
    def flasher(self) -> Flasher:
        """A fresh flasher."""

    @abstractmethod
    def image(self) -> FirmwareImage:
        """An image that runs on its unit until it is stopped."""

    def test_a_flashed_unit_has_a_port_and_runs(self) -> None:
        """Also where an image runs already."""
        flasher = self.flasher()
        try:
            for _ in range(2):
                assert flasher.flash(self.image())
                assert flasher.failure() is None
                assert flasher.timing
        finally:
            flasher.close()

    def test_only_silicon_measures(self) -> None:
        """A number never claims to come from elsewhere than it does."""
        flasher = self.flasher()
        measures = flasher.provenance is Provenance.MEASURED
        assert measures or flasher.provenance is Provenance.EMULATED
        assert measures == (flasher.timing == Timing.SILICON)
        flasher.close()

    def test_counts_of_stages_never_fall(self) -> None:
        """They are those since the last flash: none of the firmware that ran before it."""
        flasher = self.flasher()
        try:
            for _ in range(2):
                flasher.flash(self.image())
                counts = [mark.instructions for mark in flasher.stages()]
                assert counts == sorted(counts)
        finally:
            flasher.close()

    def test_it_may_be_closed_twice_and_before_it_has_flashed(self) -> None:
        """Closing is what cleans up, whatever came before."""
        flasher = self.flasher()
        flasher.close()
        flasher.close()


class StoreContract(ABC):
    """What every measurement store promises."""

    @abstractmethod
    def store(self) -> MeasurementStore:
        """A fresh, empty store."""

    key = MeasurementKey("0" * 64, "fake", "1" * 64, "virtual", 0, 3, 1)

    def test_what_was_put_comes_back_equal(self) -> None:
        """Every field survives."""
        store = self.store()
        assert store.get(self.key) is None
        store.put(self.key, example_measurement())
        assert store.get(self.key) == example_measurement()

    def test_every_field_of_the_key_counts(self) -> None:
        """Another model, board, firmware, source or procedure is another measurement."""
        store = self.store()
        store.put(self.key, example_measurement())
        changes = {
            "model_sha256": "2" * 64,
            "board_id": "other",
            "firmware_hash": "3" * 64,
            "source": "unit a",
            "warmup": 1,
            "runs": 4,
            "seed": 2,
            "verify_arena": False,
            "most_output_bytes": 512,
        }
        assert set(changes) == set(MeasurementKey.__dataclass_fields__)
        for name, value in changes.items():
            assert store.get(replace(self.key, **{name: value})) is None  # type: ignore[arg-type]

    def test_the_last_put_wins(self) -> None:
        """Measuring again replaces."""
        store = self.store()
        store.put(self.key, example_measurement())
        newer = replace(example_measurement(), cold_cycles=99)
        store.put(self.key, newer)
        assert store.get(self.key) == newer
