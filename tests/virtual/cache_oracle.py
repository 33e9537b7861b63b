# SPDX-License-Identifier: Apache-2.0
"""A cache as on a blackboard: a list per set, the least recently used line in front."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class LruCache:
    """Which lines a set-associative cache with LRU replacement holds."""

    sets: int
    ways: int
    line_bytes: int
    misses: int = 0
    write_backs: int = 0
    _content: dict[int, list[int]] = field(default_factory=dict)
    _dirty: set[int] = field(default_factory=set)

    def touch(self, address: int, *, write: bool = False) -> bool:
        """Use the line of an address; whether it was there."""
        line = address // self.line_bytes
        held = self._content.setdefault(line % self.sets, [])
        hit = line in held
        if hit:
            held.remove(line)
        else:
            self.misses += 1
            if len(held) == self.ways:
                self.write_backs += self._evict(held.pop(0))
        held.append(line)
        if write:
            self._dirty.add(line)
        return hit

    def _evict(self, line: int) -> bool:
        dirty = line in self._dirty
        self._dirty.discard(line)
        return dirty
