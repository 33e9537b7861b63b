# SPDX-License-Identifier: Apache-2.0
"""Constrained neural architecture search for microcontrollers, judged by the board itself."""

__version__ = "0.1.0"
