# SPDX-License-Identifier: Apache-2.0
"""The runtimes that can be built into a firmware, as data."""

from __future__ import annotations

from dataclasses import dataclass

from unas.errors import ConfigError
from unas.firmware.tflm import Library, find_library


@dataclass(frozen=True, slots=True)
class Runtime:
    """One way to run a model on a board.

    Attributes:
        name: On the command line and in every record.
        room: Directory below ``firmware_templates`` with its sources.
        device_name: What the device calls it: its ``runtime_name()``.
        kernels: What the device may say of its kernels, if that is known beforehand.
        flags: Compile flags beside those of all firmware; they reach a library's sources too.
        templates: (path in the project, template) of files rendered for this runtime only.
        library: Where its code comes from, if not from ``room``.
    """

    name: str
    room: str
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
        room="runtime_tflm",
        device_name="tflm",
        flags=library.flags,
        templates=(("src/runtime/resolver.cc", "runtime_tflm/resolver.cc.j2"),),
        library=library,
    )
