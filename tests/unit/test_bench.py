# SPDX-License-Identifier: Apache-2.0
"""What a bench is put together from: names, a map of units, a board as a file or a value."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from unas._process import run
from unas.board import Board
from unas.errors import ConfigError
from unas.firmware.runtimes import BUILTIN_PLAIN
from unas.hil.flash import PlatformioFlasher, VirtualFlasher
from unas.hil.measure import Procedure
from unas.hil.units import MAP_FILE, Unit, write_units
from unas.lab.bench import Bench, Emulation, find_emulation, open_bench, virtual_revision
from unas.names import Emulator, RuntimeName, Timing, find_name
from unas.virtual.revision import sources_digest

LIGHT = """
import sys
from unas.lab.bench import find_emulation, open_bench
bench = open_bench("f746", "desk", emulation=find_emulation("unicorn", "pipeline+memory"))
assert bench.unit is not None
heavy = {"unicorn", "capstone", "tensorflow"}
print("LOADED", *sorted(heavy & sys.modules.keys()))
"""


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Unit:
    """A desk with one unit, in the map of the working directory."""
    unit = Unit("desk", "f746", str(tmp_path / "tty"), "066A")
    Path(unit.port).touch()
    monkeypatch.chdir(tmp_path)
    write_units([unit], MAP_FILE)
    return unit


def test_a_unit_that_is_plugged_in_is_taken(desk: Unit) -> None:
    lines: list[str] = []
    bench = open_bench("f746", procedure=Procedure(1, 5), virtual_runs=1, log=lines.append)
    assert bench.unit == desk
    assert bench.procedure.runs == 5
    assert bench.source == "unit desk"
    assert isinstance(bench.flasher(0), PlatformioFlasher)
    assert lines == []
    assert open_bench("f746", "desk").unit == desk


def test_a_virtual_board_is_named_and_takes_one_run(desk: Unit, f746: Board) -> None:
    lines: list[str] = []
    bench = open_bench(
        f746,
        virtual=True,
        workers=3,
        procedure=Procedure(1, 5),
        virtual_runs=1,
        runtime=BUILTIN_PLAIN,
        emulation=Emulation(timing=Timing.PIPELINE),
        log=lines.append,
    )
    assert (bench.unit, bench.workers, bench.procedure.runs) == (None, 3, 1)
    assert bench.runtime == BUILTIN_PLAIN
    assert "timing pipeline " in bench.source
    assert lines == [
        "as asked: using the virtual NUCLEO-F746ZG; its numbers are emulated, not measured"
    ]
    flasher = bench.flasher(0)
    assert isinstance(flasher, VirtualFlasher)
    flasher.close()


def test_without_a_unit_the_virtual_board_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lines: list[str] = []
    emulation = find_emulation("qemu")
    bench = open_bench("an386", procedure=Procedure(1, 5), emulation=emulation, log=lines.append)
    assert bench.unit is None
    assert bench.procedure.runs == 5
    assert lines[0].startswith("no unit is plugged in: using the virtual ")
    assert " in QEMU;" in lines[0]


def test_what_does_not_go_together_is_refused(desk: Unit, f746: Board) -> None:
    with pytest.raises(ConfigError, match="leave one of them out"):
        open_bench("f746", "desk", virtual=True)
    with pytest.raises(ConfigError, match="known: desk"):
        open_bench("f746", "other")
    with pytest.raises(ConfigError, match="no board"):
        open_bench("f747")
    with pytest.raises(ConfigError, match="has no virtual machine"):
        Bench(replace(f746, virtual_machine=None))


@pytest.mark.parametrize(
    ("emulator", "timing", "words"),
    [
        ("bochs", None, "known: unicorn, qemu"),
        ("unicron", None, "did you mean unicorn"),
        ("unicorn", "fast", "known: .*pipeline"),
        ("unicorn", "silicon", "known: instructions, pipeline, pipeline.memory$"),
        ("qemu", "pipeline", "QEMU counts instructions"),
    ],
)
def test_an_emulation_that_does_not_exist_is_refused(
    emulator: str, timing: str | None, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        find_emulation(emulator, timing)


def test_an_emulation_is_found_by_its_names() -> None:
    assert find_emulation("unicorn") == Emulation()
    assert find_emulation("qemu", "instructions") == Emulation(Emulator.QEMU, Timing.INSTRUCTIONS)


def test_names_are_the_texts_that_are_stored() -> None:
    assert find_name(RuntimeName, "builtin-plain", "runtime") is RuntimeName.BUILTIN_PLAIN
    assert f"{Timing.PIPELINE_MEMORY}" == "pipeline+memory"


def test_a_bench_for_a_unit_imports_no_emulator(desk: Unit) -> None:
    """Nor does checking how a virtual board would be run."""
    done = run([sys.executable, "-c", LIGHT], timeout_s=60)
    assert done.stdout.splitlines()[-1] == "LOADED"


def test_a_revision_is_of_code_not_of_places(tmp_path: Path) -> None:
    """To move a source file makes no stored measurement again; to change one does."""
    files = {
        "one": {"core.py": "import a\nX = 1\n", "core.c": '#include "x.h"\nint f;', "notes": ""},
        "moved": {"room/x.py": '"""Doc."""\nX = 1  # one\n', "y.c": "int f; /* f */", "notes": "n"},
        "python": {"core.py": "X = 2\n", "core.c": "int f;"},
        "literal": {"core.py": "X = 1\n", "core.c": 'char *f = "/* g */";'},
        "other": {"core.py": "X = 1\n", "core.c": 'char *f = "/* h */";'},
        "c": {"core.py": "X = 1\n", "core.c": "int g;"},
    }
    for name, contents in files.items():
        for path, content in contents.items():
            place = tmp_path / name / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(content)
    digests = {name: sources_digest(tmp_path / name) for name in files}
    assert digests["one"] == digests["moved"]
    assert len(set(digests.values())) == len(files) - 1
    assert sources_digest() in virtual_revision()
