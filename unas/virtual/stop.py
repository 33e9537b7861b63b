# SPDX-License-Identifier: Apache-2.0
"""Why a machine came to a stop."""

from __future__ import annotations

import enum


class Stop(enum.Enum):
    """Why ``Machine.run`` came back."""

    IDLE = "the firmware waits for a byte and the far end has none"
    LIMIT = "the limit of instructions or cycles is reached"
    STAGE = "the stage that was asked for is reached"
    REQUESTED = "request_stop was called"
    EXIT = "the firmware asked its debugger to end it"
