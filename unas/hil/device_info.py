# SPDX-License-Identifier: Apache-2.0
"""The answer to HELLO: what a device is, and whether it is what was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from unas.artifact import FirmwareImage
from unas.board import Board
from unas.errors import DeviceFaultError, IdentityError, LinkError
from unas.hil.wire import PROTOCOL

_STAGES = (
    "idle",
    "open",
    "cold run",
    "warm-up",
    "timed run",
    "between runs",
    "profiled run",
    "trial run",
)


def parse_lines(payload: bytes, what: str) -> dict[str, str]:
    """``key=value`` lines; a key that comes again gets ``.1``, ``.2``… appended.

    Raises:
        LinkError: It is no such text.
    """
    values: dict[str, str] = {}
    try:
        lines = payload.decode("ascii").splitlines()
    except UnicodeDecodeError as error:
        raise LinkError(f"{what} is no text; flash the firmware again") from error
    for line in lines:
        key, separator, value = line.partition("=")
        if not separator:
            raise LinkError(f"{what} has a line without '=': {line!r}; flash the firmware again")
        count = sum(1 for known in values if known.split(".")[0] == key)
        values[f"{key}.{count}" if count else key] = value
    return values


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """The values of INFO, the answer to HELLO."""

    values: Mapping[str, str]

    def text(self, key: str) -> str:
        """A value.

        Raises:
            LinkError: INFO has no such key.
        """
        try:
            return self.values[key]
        except KeyError:
            raise LinkError(f"the device's INFO has no {key!r}; flash the firmware again") from None

    def number(self, key: str) -> int:
        """A decimal value.

        Raises:
            LinkError: INFO has no such key, or its value is no number.
        """
        value = self.text(key)
        if not value.isdigit():
            raise LinkError(f"the device's INFO has {key}={value!r}; flash the firmware again")
        return int(value)

    @property
    def unit(self) -> str:
        """Unique id of the chip."""
        return self.text("uid")

    def check_identity(self, image: FirmwareImage, board: Board) -> None:
        """Compare with what was flashed.

        Raises:
            IdentityError: Another protocol, board or image answers.
        """
        expected = {
            "protocol": str(PROTOCOL),
            "board": board.id,
            "image_hash": image.image_hash,
            "model_count": str(len(image.models)),
            "runtime": image.runtime_on_device,
            "runtime_revision": image.runtime_revision,
            "kernels": image.kernels,
        }
        for key, value in expected.items():
            if value is not None and self.text(key) != value:
                raise IdentityError(
                    f"the device answers {key}={self.text(key)}, expected {value}: it runs other "
                    "firmware than was flashed; flash it again, or name another unit"
                )

    def check_setup(self, board: Board) -> None:
        """Compare clock, chip and caches with the board file: the set-up makes or breaks a latency.

        Raises:
            IdentityError: Something differs.
        """
        facts = {
            "core clock in Hz": (self.number("core_clock_hz"), board.core_clock_hz),
            "CPUID": (int(self.text("cpuid"), 16), board.cpu.cpuid),
            "device id": (int(self.text("device_id"), 16) & 0xFFF, board.cpu.device_id),
            "instruction cache on": (self.number("icache"), int(board.cpu.icache_bytes > 0)),
            "data cache on": (self.number("dcache"), int(board.cpu.dcache_bytes > 0)),
        }
        for what, (actual, expected) in facts.items():
            if actual != expected:
                raise IdentityError(
                    f"the device's {what} is {actual:#x}, the board file {board.id} says "
                    f"{expected:#x}; this would time another set-up: check the board"
                )

    def raise_fault(self) -> None:
        """Report a fault that the device kept over its last reset.

        Raises:
            DeviceFaultError: There was one.
        """
        if "fault_pc" not in self.values:
            return
        stage = self.number("fault_stage")
        name = _STAGES[stage] if stage < len(_STAGES) else str(stage)
        raise DeviceFaultError(
            f"the device faulted in stage '{name}': pc=0x{self.text('fault_pc')} "
            f"lr=0x{self.text('fault_lr')} cfsr=0x{self.text('fault_cfsr')} "
            f"hfsr=0x{self.text('fault_hfsr')} address=0x{self.text('fault_address')}; "
            "look the pc up with arm-none-eabi-addr2line in the image's ELF and report it"
        )
