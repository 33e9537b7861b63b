# SPDX-License-Identifier: Apache-2.0
"""What is rendered for TensorFlow Lite Micro.

Its own headers are not here, so the C++ that includes them is compiled only where UNAS_TFLM names a
library: tests/virtual/test_tflm.py.
"""

from __future__ import annotations

import configparser
import json
import re
from pathlib import Path

import numpy as np
import pytest

from tests.firmware.random_graphs import draw_network
from tests.tflm_tree import write_tree
from unas.artifact import Flatbuffer
from unas.board import Board
from unas.errors import ModelError
from unas.firmware.recipe import CXX_FLAGS, WARNING_FLAGS, Recipe
from unas.firmware.render import install_library, install_platform, render_project
from unas.firmware.runtimes import (
    BUILTIN,
    find_library,
    find_runtime,
    operator_names,
    resolver_methods,
)
from unas.firmware.sizes import CMSIS_NN_SYMBOLS
from unas.tflite.reader import read_flatbuffer
from unas.tflite.writer import write_flatbuffer


@pytest.fixture(scope="module")
def models() -> list[Flatbuffer]:
    rng = np.random.default_rng(11)
    return [write_flatbuffer(draw_network(rng, 6), seed=i, name=f"m{i}") for i in range(3)]


def test_operators_are_those_of_the_graphs(models: list[Flatbuffer]) -> None:
    for model in models:
        graph = read_flatbuffer(model.data, model.name)
        assert operator_names([model]) == tuple(sorted({str(op.kind) for op in graph.operators}))
    union = {name for model in models for name in operator_names([model])}
    assert operator_names(models) == tuple(sorted(union))


@pytest.mark.parametrize("data", [b"", b"abc", b"\xff" * 64, b"\x10\0\0\0TFL3" + b"\xf0" * 20])
def test_a_broken_model_is_an_error_of_ours(data: bytes) -> None:
    with pytest.raises(ModelError, match="broken"):
        operator_names([Flatbuffer(data, "broken")])


def test_methods_are_spelled_as_the_library_spells_them(models: list[Flatbuffer]) -> None:
    known = frozenset({"AddConv2d", "AddRESHAPE", "AddLstm"})
    assert set(resolver_methods(models, known)) <= known
    expected = {"".join(("Add", *name.split("_"))).lower() for name in operator_names(models)}
    assert {name.lower() for name in resolver_methods(models, None)} == expected


def _render(board: Board, models: list[Flatbuffer], folder: Path, tree: Path) -> Path:
    runtime = find_runtime("tflm", str(tree))
    assert runtime.library is not None
    project = folder / "project"
    render_project(
        Recipe(board, "gcc", runtime),
        models,
        project,
        platform=install_platform(folder),
        library=install_library(folder, runtime.library),
    )
    return project


def _ini(project: Path) -> dict[str, str]:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(project / "platformio.ini")
    return dict(parser["env:f746"])


def test_the_resolver_has_the_models_operators_only(
    f746: Board, models: list[Flatbuffer], tmp_path: Path
) -> None:
    tree = write_tree(tmp_path / "tree", cmsis_nn=True)
    project = _render(f746, models, tmp_path, tree)
    text = (project / "src/runtime/resolver.cc").read_text()
    library = find_library(str(tree))
    methods = resolver_methods(models, library.operators)
    assert tuple(re.findall(r"resolver->(\w+)\(\)", text)) == methods
    assert f"MicroMutableOpResolver<{len(methods)}>" in text
    assert f'"{library.revision}"' in text
    assert all(text.count(symbol) >= 2 for symbol in CMSIS_NN_SYMBOLS)


def test_platformio_builds_a_tree_as_a_library(
    f746: Board, models: list[Flatbuffer], tmp_path: Path
) -> None:
    tree = write_tree(tmp_path / "a tree", cmsis_nn=True)
    ini = _ini(_render(f746, models, tmp_path, tree))
    assert ini["lib_deps"] == "tflm"
    assert ini["lib_ldf_mode"] == "chain"
    manifest = json.loads((Path(ini["lib_extra_dirs"]) / "tflm/library.json").read_text())
    assert manifest["build"]["srcDir"] == tree.resolve().as_posix()
    assert f'-isystem "{tree.resolve().as_posix()}"' in ini["build_flags"]
    assert "-DCMSIS_NN" in ini["build_flags"].split()
    # What others wrote is not held to our warnings.
    assert not set(WARNING_FLAGS) & set(ini["build_flags"].split())
    assert tuple(ini["build_src_flags"].split()) == WARNING_FLAGS
    assert tuple(ini["custom_cxx_flags"].split()) == CXX_FLAGS


def test_platformio_finds_an_installed_library_itself(
    f746: Board, models: list[Flatbuffer], tmp_path: Path
) -> None:
    tree = write_tree(tmp_path / "tree", below="src")
    (tree / "library.json").write_text('{"name": "TFLM", "version": "1.0.0"}')
    ini = _ini(_render(f746, models, tmp_path, tree))
    assert ini["lib_deps"] == f"symlink://{tree.resolve().as_posix()}"
    assert "lib_extra_dirs" not in ini


def test_no_path_of_this_machine_gets_into_the_image(
    f746: Board, models: list[Flatbuffer], tmp_path: Path
) -> None:
    project = _render(f746, models, tmp_path, write_tree(tmp_path / "tree"))
    sources = [path for path in (project / "src").rglob("*") if path.is_file()]
    assert sources
    assert not [path for path in sources if str(tmp_path) in path.read_text()]


def test_the_built_in_runtime_looks_for_no_library(
    f746: Board, models: list[Flatbuffer], tmp_path: Path
) -> None:
    recipe = Recipe(f746, "gcc", BUILTIN)
    render_project(recipe, models, tmp_path / "p", platform=install_platform(tmp_path))
    ini = _ini(tmp_path / "p")
    assert ini["lib_ldf_mode"] == "off"
    assert "lib_deps" not in ini
    assert not list((tmp_path / "p").rglob("*.cc"))
