# SPDX-License-Identifier: Apache-2.0
"""The runtimes that can be built into a firmware, and the library of one of them.

TensorFlow Lite Micro comes from the user; none of its code is ours.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from unas._process import run
from unas.artifact import Flatbuffer
from unas.errors import ConfigError, ModelError, ToolError


@dataclass(frozen=True, slots=True)
class Runtime:
    """One way to run a model on a board.

    Attributes:
        name: On the command line and in every record.
        source_dir: Directory below ``firmware_templates`` with its sources.
        device_name: What the device calls it: its ``runtime_name()``.
        kernels: What the device may say of its kernels, if that is known beforehand.
        flags: Compile flags beside those of all firmware; they reach a library's sources too.
        templates: (path in the project, template) of files rendered for this runtime only.
        library: Where its code comes from, if not from ``source_dir``.
    """

    name: str
    source_dir: str
    device_name: str
    kernels: str | None = None
    flags: tuple[str, ...] = ()
    templates: tuple[tuple[str, str], ...] = ()
    library: Library | None = None

    @property
    def revision(self) -> str | None:
        """Version or commit of the library; None where the device alone knows."""
        return None if self.library is None else self.library.revision


BUILTIN = Runtime("builtin", "runtime", "builtin")
# The same sources with the kernels that need no DSP extension: the reference in comparisons.
BUILTIN_PLAIN = Runtime(
    "builtin-plain", "runtime", "builtin", kernels="plain", flags=("-DRT_PLAIN_KERNELS",)
)
RUNTIME_NAMES = ("builtin", "builtin-plain", "tflm")


def find_runtime(name: str, tflm: str | None = None) -> Runtime:
    """A runtime by its name.

    Args:
        name: One of ``RUNTIME_NAMES``.
        tflm: For ``tflm``: where its library is, see ``find_library``; default: ``UNAS_TFLM``.

    Raises:
        ConfigError: No such runtime, or no usable library.
    """
    if name == "tflm":
        return _tflm(find_library(tflm))
    if tflm is not None:
        raise ConfigError(f"--tflm is of no use with runtime {name!r}; add --runtime tflm")
    for runtime in (BUILTIN, BUILTIN_PLAIN):
        if runtime.name == name:
            return runtime
    raise ConfigError(f"no runtime {name!r}; choose one of {', '.join(RUNTIME_NAMES)}")


def _tflm(library: Library) -> Runtime:
    return Runtime(
        name="tflm",
        source_dir="runtime_tflm",
        device_name="tflm",
        flags=library.flags,
        templates=(("src/runtime/resolver.cc", "runtime_tflm/resolver.cc.j2"),),
        library=library,
    )


VARIABLE = "UNAS_TFLM"
_INTERPRETER = "tensorflow/lite/micro/micro_interpreter.h"
_RESOLVER = "tensorflow/lite/micro/micro_mutable_op_resolver.h"
# A version is needed: without one the same command would build other firmware tomorrow.
_PACKAGE = re.compile(r"[\w.-]+/[\w .-]+@\d[\w.+-]*")
_SOURCES = frozenset((".c", ".cc", ".cpp", ".h", ".hpp", ".inc", ".S", ".json", ".properties"))
_ADVICE = (
    f"name one with --tflm DIR or {VARIABLE}: a tree written by TFLM's own create_tflm_tree.py, an "
    "installed PlatformIO library, or OWNER/NAME@VERSION from PlatformIO's registry"
)
# Where such trees keep what TFLM includes without a prefix.
_INCLUDE = (
    ".",
    "third_party/flatbuffers/include",
    "third_party/gemmlowp",
    "third_party/ruy",
    "third_party/kissfft",
    "third_party/cmsis",
    "third_party/cmsis/CMSIS/Core/Include",
    "third_party/cmsis_nn",
    "third_party/cmsis_nn/Include",
)
# Structures change their layout with the first, so ours must be compiled with it as well.
_FLAGS = ("-DTF_LITE_STATIC_MEMORY", "-DTF_LITE_DISABLE_X86_NEON")
_CMSIS_NN_FLAGS = ("-DCMSIS_NN", "-DARM_NN_ENABLE_F16=0", "-DARM_NN_ENABLE_F32=0")


@dataclass(frozen=True, slots=True)
class Library:
    """TensorFlow Lite Micro as PlatformIO's library finder can build it.

    Attributes:
        specification: For ``lib_deps``; empty for a tree without manifest, which gets one.
        tree: Root of the sources of a tree without manifest; None otherwise.
        include: Directories that its headers are found in.
        revision: Commit, version or digest.
        digest: Over its files; for a registry package over its name and version.
        cmsis_nn: Whether it brings CMSIS-NN.
        operators: Names of the resolver's ``Add…`` methods; None where it is not here yet.
    """

    specification: str
    tree: Path | None
    include: tuple[Path, ...]
    revision: str
    digest: str
    cmsis_nn: bool
    operators: frozenset[str] | None

    @property
    def flags(self) -> tuple[str, ...]:
        """Compile flags that the library and those who include it need."""
        return _FLAGS + (_CMSIS_NN_FLAGS if self.cmsis_nn else ())


def find_library(argument: str | None) -> Library:
    """The library that the user points at.

    Args:
        argument: A directory or ``OWNER/NAME@VERSION``; None reads the variable ``UNAS_TFLM``.

    Raises:
        ConfigError: There is none, or it is none.
    """
    named = argument or os.environ.get(VARIABLE)
    if not named:
        raise ConfigError(f"runtime tflm needs a library of TensorFlow Lite Micro; {_ADVICE}")
    path = Path(named).expanduser()
    if path.is_dir():
        return _directory(path.resolve())
    if _PACKAGE.fullmatch(named):
        digest = hashlib.sha256(named.encode()).hexdigest()
        return Library(named, None, (), named, digest, cmsis_nn=False, operators=None)
    raise ConfigError(f"{named!r} is no directory and no OWNER/NAME@VERSION; {_ADVICE}")


def _directory(path: Path) -> Library:
    roots = [root for root in (path, path / "src") if (root / _INTERPRETER).is_file()]
    if not roots:
        raise ConfigError(f"{path} holds no {_INTERPRETER}; {_ADVICE}")
    root = roots[0]
    manifest = any((path / name).is_file() for name in ("library.json", "library.properties"))
    include = tuple(root / place for place in _INCLUDE if (root / place).is_dir())
    if not manifest and not (root / "third_party/flatbuffers/include").is_dir():
        raise ConfigError(
            f"{path} lacks third_party/flatbuffers: it is no finished tree but TFLM's repository; "
            "let its tensorflow/lite/micro/tools/project_generation/create_tflm_tree.py write one"
        )
    digest = _digest(path)
    return Library(
        specification=f"symlink://{path.as_posix()}" if manifest else "",
        tree=None if manifest else root,
        include=include,
        revision=_revision(path, digest),
        digest=digest,
        cmsis_nn=(root / "third_party/cmsis_nn").is_dir(),
        operators=_operators(root / _RESOLVER),
    )


def _digest(path: Path) -> str:
    """Digest over names and contents. About 1000 files and 10 MB: a tenth of a second."""
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        if file.suffix in _SOURCES and file.is_file() and ".git" not in file.parts:
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            digest.update(json.dumps([file.relative_to(path).as_posix(), content]).encode())
    return digest.hexdigest()


def _revision(path: Path, digest: str) -> str:
    """What people call it, and always the digest: a version says nothing of local changes."""
    names = [_version(path), _commit(path), f"digest {digest[:12]}"]
    # It gets into a C string and from there onto the wire.
    return re.sub(r"[^\w .,+@/-]", "?", ", ".join(name for name in names if name), flags=re.ASCII)


def _version(path: Path) -> str:
    try:
        manifest = json.loads((path / "library.json").read_text())
        return f"{manifest['name']} {manifest['version']}"
    except (OSError, ValueError, KeyError, TypeError):
        pass
    try:
        lines = (path / "library.properties").read_text(errors="replace").splitlines()
    except OSError:
        return ""
    values = dict(line.split("=", 1) for line in lines if "=" in line)
    return f"{values.get('name', '')} {values.get('version', '')}".strip()


def _commit(path: Path) -> str:
    if not (path / ".git").exists():
        return ""  # a checkout around it is another project's
    try:
        commit = run(["git", "-C", path, "rev-parse", "HEAD"], timeout_s=10).stdout.strip()
    except ToolError:
        return ""
    return f"commit {commit[:12]}"


def _operators(resolver: Path) -> frozenset[str]:
    try:
        text = resolver.read_text(errors="replace")
    except OSError as error:
        raise ConfigError(f"cannot read {resolver}: {error.strerror}; {_ADVICE}") from error
    return frozenset(re.findall(r"\bTfLiteStatus\s+(Add\w+)\(", text))


def operator_names(models: Iterable[Flatbuffer]) -> tuple[str, ...]:
    """TFLite's names (``CONV_2D``) of the builtin operators in models, sorted.

    Raises:
        ModelError: A model is no readable flatbuffer.
    """
    import tflite

    names = {code: name for name, code in vars(tflite.BuiltinOperator).items() if name.isupper()}
    result: set[str] = set()
    for model in models:
        try:
            root = tflite.Model.GetRootAs(model.data, 0)
            codes = [root.OperatorCodes(i) for i in range(root.OperatorCodesLength())]
            # Files of before 2020 have the code in the first field only, newer ones in both.
            numbers = [max(c.BuiltinCode(), c.DeprecatedBuiltinCode()) for c in codes]
        except (struct.error, IndexError, ValueError, TypeError, AttributeError) as error:
            raise ModelError(
                f"{model.name}: the operators cannot be read: {error}; export the model again"
            ) from error
        result |= {names[number] for number in numbers if number in names}
    return tuple(sorted(result))


def resolver_methods(models: Sequence[Flatbuffer], known: frozenset[str] | None) -> tuple[str, ...]:
    """Methods of MicroMutableOpResolver for all operators of some models, sorted.

    Args:
        models: The models of an image.
        known: The methods that the library has; None if it is not here yet. An operator it has no
            method for is left out: the device then names it when the model is opened.

    Returns:
        Names such as ``"AddConv2D"``.
    """
    wanted = [_method(name) for name in operator_names(models)]
    if known is None:
        return tuple(wanted)
    spelled = {name.lower(): name for name in known}
    return tuple(spelled[name.lower()] for name in wanted if name.lower() in spelled)


def _method(name: str) -> str:
    """``DEPTHWISE_CONV_2D`` -> ``AddDepthwiseConv2D``."""
    parts = (part if part[0].isdigit() else part.capitalize() for part in name.split("_"))
    return "Add" + "".join(parts)
