# SPDX-License-Identifier: Apache-2.0
"""The exported PlatformIO project: parts of the firmware, and a program that runs the network."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import jinja2

from unas._paths import templates_dir
from unas.errors import ConfigError
from unas.exports.network import ExportedNetwork
from unas.exports.sample import InputSample
from unas.firmware.recipe import BUILD_FLAGS, WARNING_FLAGS, Recipe
from unas.firmware.render import project_files
from unas.tflite.model_file import c_initialiser

# What a program needs of an image's project; the command loop and the wire protocol stay here.
_KEPT = ("include/", "src/port/", "src/runtime/", "boards/", "linker.ld")
_RENDERED = {
    "src/main.c": "main.c",
    "src/network.h": "network.h.j2",
    "src/network.c": "network.c.j2",
    "src/model_data.h": "model_data.h.j2",
    "src/model_data.c": "model_data.c.j2",
    "src/image.c": "image.c.j2",
    "platformio.ini": "platformio.ini.j2",
    "README.md": "README.md.j2",
}
_PLATFORM = (".py", ".json")


def app_files(recipe: Recipe, network: ExportedNetwork, sample: InputSample) -> dict[str, bytes]:
    """All files of the project, by their path in it. No file names a place of this machine.

    Args:
        recipe: Board, built-in runtime and compiler.
        network: The network that its program runs.
        sample: The input that its program runs first.

    Raises:
        ConfigError: The runtime is not one of ours: its library is not part of the project.
    """
    if recipe.runtime.library is not None:
        raise ConfigError(
            f"a project with runtime {recipe.runtime.name!r} would need its library; export with "
            "--runtime builtin, and give model_data.c to your own build of TensorFlow Lite Micro"
        )
    files = {
        name: content
        for name, content in project_files(recipe, [network.model], platform="platform").items()
        if name.startswith(_KEPT)
    }
    files |= {f"platform/{name}": content for name, content in _platform().items()}
    values = template_values(recipe, network, sample)
    files |= {name: render(template, values).encode() for name, template in _RENDERED.items()}
    return files


def c_array_files(network: ExportedNetwork) -> dict[str, bytes]:
    """The network as a C array, for programs of any kind."""
    values = {"network": _facts(network), "data": network.model.data}
    return {
        name: render(f"{name}.j2", values).encode() for name in ("model_data.h", "model_data.c")
    }


def template_values(
    recipe: Recipe, network: ExportedNetwork, sample: InputSample
) -> dict[str, Any]:
    """The values that the templates may use, by name."""
    return {
        "board": recipe.board,
        "runtime": recipe.runtime,
        "network": _facts(network),
        "data": network.model.data,
        "sample": sample,
        "build_flags": [*BUILD_FLAGS, *recipe.runtime.flags],
        "warning_flags": WARNING_FLAGS,
    }


def render(template: str, values: dict[str, Any]) -> str:
    """One of this package's templates; a value that is missing is an error."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # C, ini and Markdown; every value is checked before it gets here
        keep_trailing_newline=True,
        trim_blocks=False,
    )
    environment.filters["c_initialiser"] = c_initialiser
    environment.filters["wrapped"] = _wrapped
    return environment.get_template(template).render(values)


def _wrapped(text: str, indent: str) -> str:
    """Lines of at most 98 columns; all but the first begin with the indent."""
    return f"\n{indent}".join(textwrap.wrap(text, 98 - len(indent), break_long_words=False))


def _facts(network: ExportedNetwork) -> dict[str, Any]:
    return {
        "id": network.id,
        "sha256": network.model.sha256,
        "file_bytes": network.model.flatbuffer_bytes,
        "input_shape": network.input_shape,
        "input_bytes": network.input_bytes,
        "input_scale": repr(network.io.input_scale),
        "input_zero_point": network.io.input_zero,
        "input_steps": network.input_steps,
        "output_bytes": network.output_bytes,
        "output_scale": repr(network.io.output_scale),
        "output_zero_point": network.io.output_zero,
        "class_names": network.class_names,
        "dsp": network.dsp,
        "plain": network.plain,
    }


def _platform() -> dict[str, bytes]:
    source_dir = templates_dir() / "platform"
    return {
        path.relative_to(source_dir).as_posix(): path.read_bytes()
        for path in sorted(source_dir.rglob("*"))
        if path.suffix in _PLATFORM
    }
