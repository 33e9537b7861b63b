# SPDX-License-Identifier: Apache-2.0
"""The values that stages hand on: a model as bytes, a firmware image as a file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Flatbuffer:
    """An int8 TFLite model as the bytes that go to the board.

    Attributes:
        data: The .tflite file's content.
        name: For people: a file stem or a candidate's short hash. Not unique.
    """

    data: bytes = field(repr=False)
    name: str

    @property
    def sha256(self) -> str:
        """Hex digest of the bytes: the identity of the model everywhere in unas."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def flatbuffer_bytes(self) -> int:
        """Size of the file in bytes: what it occupies in flash."""
        return len(self.data)


@dataclass(frozen=True, slots=True)
class FirmwareImage:
    """A linked firmware with its models, ready to flash.

    Attributes:
        elf: Path of the ELF file.
        project: The rendered PlatformIO project it was built from.
        board_id: Id of the board it was built for.
        firmware_hash: Hex digest over sources (models excepted), flags and compiler.
        image_hash: Hex digest over ``firmware_hash`` and the models: what the device must report.
        models: SHA-256 digests of the models, in the order of their index on the device.
        flash_bytes: Bytes of flash the whole program occupies, from the ELF.
        region_bytes: Bytes used per memory region of the board file, from the ELF.
        program_bytes: ``flash_bytes`` without the models.
        runtime: Name of the runtime as the user chose it.
        runtime_on_device: What the device calls it; variants of one runtime share that.
        runtime_revision: What the device must say of its version; None where it alone knows.
        kernels: What the device must say of its kernels: what the ELF's symbols tell, or what was
            asked for; None where the compiler decides.
    """

    elf: Path
    project: Path
    board_id: str
    firmware_hash: str
    image_hash: str
    models: tuple[str, ...]
    flash_bytes: int
    region_bytes: dict[str, int]
    program_bytes: int = 0
    runtime: str = "builtin"
    runtime_on_device: str = "builtin"
    runtime_revision: str | None = None
    kernels: str | None = None
