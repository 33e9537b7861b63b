# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from unas.store.cache import DirectoryStore, MeasurementStore
from unas.testing.contracts import StoreContract, example_measurement
from unas.testing.fakes import MemoryStore


class TestMemoryStore(StoreContract):
    def store(self) -> MeasurementStore:
        return MemoryStore()


class TestDirectoryStore(StoreContract):
    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path) -> None:
        self.place = tmp_path

    def store(self) -> MeasurementStore:
        return DirectoryStore(self.place)

    def test_it_survives_the_process(self) -> None:
        self.store().put(self.key, example_measurement())
        assert self.store().get(self.key) == example_measurement()

    @pytest.mark.parametrize("content", [b"", b"{", b'{"schema": 99}', b"\xff\xfe"])
    def test_a_torn_file_is_measured_again(self, content: bytes) -> None:
        store = self.store()
        store.put(self.key, example_measurement())
        (path,) = self.place.rglob("*.json")
        path.write_bytes(content)
        assert store.get(self.key) is None
        store.put(self.key, example_measurement())
        assert store.get(self.key) == example_measurement()
