# SPDX-License-Identifier: Apache-2.0
"""The virtual board: runs a board's unmodified ELF; every number from it is *emulated*.

``machine.Machine`` is the board in this process, ``python -m unas.virtual`` the board on a pty.
"""
