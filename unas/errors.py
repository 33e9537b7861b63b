# SPDX-License-Identifier: Apache-2.0
"""Every error that unas raises on purpose, in one tree.

::

    UnasError                   what, where, what to do: one line on the command line, exit code 1
    ├── ConfigError             a study, board or hardware-map file that cannot be used
    ├── DataError               a data set that is missing, or a file of it that cannot be used
    ├── ModelError              a .tflite file that cannot be used
    │   └── UnsupportedOperatorError    no kernel for an operator; names it
    ├── ArchitectureError       genes outside the search space, or a network that cannot be built
    ├── ToolError               a program we need is missing or failed
    │   └── BuildError          the firmware did not compile or link
    │       └── FlashOverflowError      it does not fit the board's flash
    ├── EmulatorError           the virtual board stopped: an access outside its memory map, a fault
    ├── DeviceError             the device answered with an error
    │   ├── ArenaTooSmallError  the tensor arena does not fit the board's RAM
    │   └── DeviceFaultError    the core faulted; carries PC, LR, CFSR and the stage
    ├── LinkError               the line to a device failed: bytes came broken, or none came
    │   ├── LinkClosedError     the line is closed: unplugged, or its other end has stopped
    │   └── LinkTimeoutError    no answer within the deadline
    ├── IdentityError           another firmware, board or model answered than was asked for
    ├── WorkerError             a process that trains was lost or failed; says in which stage
    └── StoreError              results that cannot be read or written

Each message says what happened, where, and ends with what to do next.
"""

from __future__ import annotations


class UnasError(Exception):
    """Base of all errors that unas raises on purpose."""


class ConfigError(UnasError):
    """A study, board or hardware-map file that cannot be used."""


class DataError(UnasError):
    """A data set that is missing, or a file of it that cannot be used."""


class ModelError(UnasError):
    """A .tflite file that cannot be used."""


class UnsupportedOperatorError(ModelError):
    """A model contains an operator without kernel."""


class ArchitectureError(UnasError):
    """Genes outside the search space, or a network that cannot be built from them."""


class ToolError(UnasError):
    """A program that unas needs is missing or failed.

    Attributes:
        output: All it printed, for ``-v``; empty where there was nothing.
    """

    def __init__(self, message: str, output: str = "") -> None:
        super().__init__(message)
        self.output = output


class BuildError(ToolError):
    """The firmware did not compile or link."""


class FlashOverflowError(BuildError):
    """The firmware with its models is larger than the board's flash."""


class EmulatorError(UnasError):
    """The virtual board stopped: an access outside its memory map, or a core fault."""


class DeviceError(UnasError):
    """The device answered a command with an error."""


class ArenaTooSmallError(DeviceError):
    """The tensor arena that a model needs does not fit the board's RAM."""


class DeviceFaultError(DeviceError):
    """The core faulted while working on a command."""


class LinkError(UnasError):
    """The line to a device failed: bytes came broken, or none came."""


class LinkClosedError(LinkError):
    """The line is closed: the cable is unplugged, or the other end has stopped."""


class LinkTimeoutError(LinkError):
    """No answer came within the deadline."""


class IdentityError(UnasError):
    """Another firmware, board or model answered than was asked for."""


class StoreError(UnasError):
    """Results that cannot be read or written."""


class WorkerError(UnasError):
    """A process that trains was lost, or failed.

    Attributes:
        stage: Of ``unas.record.Stage``: where in a candidate's way.
    """

    def __init__(self, message: str, stage: str = "training") -> None:
        super().__init__(message)
        self.stage = stage
