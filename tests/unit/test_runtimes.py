# SPDX-License-Identifier: Apache-2.0
"""Runtimes by name, and the library that one of them needs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.tflm_tree import write_tree
from unas.board import Board
from unas.errors import ConfigError
from unas.firmware.recipe import Recipe
from unas.firmware.runtimes import (
    BUILTIN,
    BUILTIN_PLAIN,
    VARIABLE,
    Runtime,
    find_library,
    find_runtime,
)


@pytest.fixture(autouse=True)
def _no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


def test_the_built_in_ones_need_no_library() -> None:
    assert find_runtime("builtin") is BUILTIN
    plain = find_runtime("builtin-plain")
    assert plain is BUILTIN_PLAIN
    assert plain.source_dir == BUILTIN.source_dir
    assert plain.flags == ("-DRT_PLAIN_KERNELS",)


@pytest.mark.parametrize(
    ("name", "tflm", "words"),
    [
        ("tvm", None, "choose one of builtin, builtin-plain, tflm"),
        ("tflm", None, f"--tflm DIR or {VARIABLE}"),
        ("tflm", "/nowhere/tflm", "no directory"),
        ("tflm", "TensorFlowLite", "no OWNER/NAME@VERSION"),
        ("tflm", "owner/name", "no OWNER/NAME@VERSION"),
        ("builtin", "/nowhere", "--runtime tflm"),
    ],
)
def test_what_is_refused(name: str, tflm: str | None, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        find_runtime(name, tflm)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_directory_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"micro_interpreter\.h"):
        find_library(str(tmp_path))


def test_the_repository_instead_of_a_tree(tmp_path: Path) -> None:
    write_tree(tmp_path)
    for path in sorted((tmp_path / "third_party").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    with pytest.raises(ConfigError, match="create_tflm_tree"):
        find_library(str(tmp_path))


def test_a_tree(tmp_path: Path) -> None:
    library = find_library(str(write_tree(tmp_path)))
    assert library.tree == tmp_path.resolve()
    assert library.specification == ""
    assert library.include[0] == tmp_path.resolve()
    assert tmp_path.resolve() / "third_party/flatbuffers/include" in library.include
    assert not library.cmsis_nn
    assert library.operators is not None
    assert "AddDepthwiseConv2D" in library.operators
    assert library.revision == f"digest {library.digest[:12]}"


def test_the_variable_stands_in_for_the_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(write_tree(tmp_path)))
    assert find_runtime("tflm").library == find_library(str(tmp_path))


def test_cmsis_nn_in_the_tree_is_told_to_the_compiler(tmp_path: Path) -> None:
    plain = find_library(str(write_tree(tmp_path)))
    rich = find_library(str(write_tree(tmp_path, cmsis_nn=True)))
    assert set(rich.flags) - set(plain.flags) >= {"-DCMSIS_NN"}
    assert "-DTF_LITE_STATIC_MEMORY" in plain.flags


@pytest.mark.parametrize("below", ["", "src"])
def test_an_installed_platformio_library(tmp_path: Path, below: str) -> None:
    write_tree(tmp_path, below=below)
    (tmp_path / "library.json").write_text(json.dumps({"name": "TFLM", "version": "2.4.0"}))
    library = find_library(str(tmp_path))
    assert library.tree is None  # it has a manifest and needs none of ours
    assert library.specification == f"symlink://{tmp_path.resolve().as_posix()}"
    assert library.include[0] == tmp_path.resolve() / below
    assert library.revision.startswith("TFLM 2.4.0, digest ")


def test_a_library_of_the_arduino_kind(tmp_path: Path) -> None:
    write_tree(tmp_path, below="src")
    (tmp_path / "library.properties").write_text('name=Some "TFLM"\nversion=1.2\n')
    revision = find_library(str(tmp_path)).revision
    assert revision.startswith("Some ?TFLM? 1.2, ")  # it gets into a C string


def test_a_package_of_the_registry() -> None:
    library = find_library("owner/TensorFlow Lite Micro@1.2.3")
    assert library.specification == library.revision == "owner/TensorFlow Lite Micro@1.2.3"
    assert library.operators is None


def test_every_runtime_is_another_firmware(f746: Board, tmp_path: Path) -> None:
    def digest(runtime: Runtime) -> str:
        return Recipe(f746, "gcc", runtime).firmware_hash

    tree = write_tree(tmp_path)
    before = digest(find_runtime("tflm", str(tree)))
    (tree / "tensorflow/lite/micro/micro_interpreter.h").write_text("// changed\n")
    after = digest(find_runtime("tflm", str(tree)))
    hashes = {digest(BUILTIN), digest(BUILTIN_PLAIN), before, after}
    assert len(hashes) == 4
    assert digest(BUILTIN) == digest(find_runtime("builtin"))


def test_files_that_are_no_sources_do_not_count(tmp_path: Path) -> None:
    tree = write_tree(tmp_path)
    before = find_library(str(tree)).digest
    (tree / "README.md").write_text("hello")
    assert find_library(str(tree)).digest == before
