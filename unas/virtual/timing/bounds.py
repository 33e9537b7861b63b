# SPDX-License-Identifier: Apache-2.0
"""Moving the bounds of a Unicorn hook: which instructions are translated with a call before them.

Unicorn has no call for it. Taking the hook away and adding it again would have all its blocks
translated anew, and of several hooks none is called directly. The handle is the address of the
hook's structure, which holds the bounds as they were given; they are found there by their values.
"""

from __future__ import annotations

import ctypes
from typing import Any

from unas.virtual.native import EVERYWHERE, add_native_hook

_MARKS = (0x5EED_0000_B0B0_0001, 0x5EED_0000_B0B0_0002)
_SEARCHED_WORDS = 8  # struct hook of Unicorn 2 has the bounds behind 24 bytes, and 72 in all
_NOWHERE = (0xFFFF_FFFF_FFFF_FFFE, 0xFFFF_FFFF_FFFF_FFFF)


class MovableHook:
    """A native hook, everywhere until ``nowhere`` is asked for.

    Attributes:
        movable: This Unicorn's structure was recognised; else the hook stays where it is.
    """

    def __init__(self, engine: Any, kind: int, callback: Any, user: Any) -> None:
        handle = add_native_hook(engine, kind, callback, user, _MARKS)
        words = (ctypes.c_uint64 * _SEARCHED_WORDS).from_address(handle)
        found = [i for i in range(_SEARCHED_WORDS - 1) if tuple(words[i : i + 2]) == _MARKS]
        self.movable = len(found) == 1
        if self.movable:
            self._words, self._at = words, found[0]
            self.everywhere()
        else:  # one more, and slower: the first one matches no address
            add_native_hook(engine, kind, callback, user)

    def everywhere(self) -> None:
        """From now on, translate with calls."""
        self._words[self._at : self._at + 2] = list(EVERYWHERE)

    def nowhere(self) -> None:
        """From now on, translate without."""
        self._words[self._at : self._at + 2] = list(_NOWHERE)
