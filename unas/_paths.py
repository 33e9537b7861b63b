# SPDX-License-Identifier: Apache-2.0
"""Where data lives: in the wheel, in the checkout, in the user's cache."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

_PACKAGE = Path(__file__).resolve().parent


def _data_dir(name: str) -> Path:
    """A data directory of the wheel (force-included) or, in an editable install, the checkout."""
    packaged = _PACKAGE / "_data" / name
    return packaged if packaged.is_dir() else _PACKAGE.parent / name


def boards_dir() -> Path:
    """Directory of the board files."""
    return _data_dir("boards")


def templates_dir() -> Path:
    """Directory of the firmware templates."""
    return _data_dir("firmware_templates")


def cache_dir() -> Path:
    """Directory for what can be made again: compiled helpers, build trees, stored measurements.

    ``UNAS_CACHE`` sets it; otherwise the platform's cache directory.
    """
    configured = os.environ.get("UNAS_CACHE")
    return Path(configured) if configured else platformdirs.user_cache_path("unas")
