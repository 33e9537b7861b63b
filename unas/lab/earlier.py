# SPDX-License-Identifier: Apache-2.0
"""Identities of before: under which keys the same measurement may lie in the store already.

A measurement is stored under all that decides its numbers, the sources of firmware and virtual
board among it. Where sources were changed without changing a number (files renamed, machine code
the same to the byte), ``earlier.json`` declares it: the digest of today's sources, and what they
were before. Any later change of them drops the declaration by itself. ``tools/declare_equal``
writes the file, to be run only after tests/contract/test_committed_results.py showed that no number
changed.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from unas._codec import read_object
from unas._text import read_json_file
from unas.firmware.recipe import Recipe, template_digest, template_digests
from unas.store.cache import MeasurementKey
from unas.virtual.revision import sources_digest

DECLARATION = Path(__file__).with_name("earlier.json")


@dataclass(frozen=True, slots=True)
class EarlierSources:
    """Sources whose numbers are those of today's.

    Attributes:
        virtual_today: ``sources_digest`` of the virtual boards that this was declared for.
        virtual: What stood in its place in ``MeasurementKey.source``.
        firmware_today: ``template_digest`` of the firmware that this was declared for.
        firmware: SHA-256 of each template file of before, by its path.
    """

    virtual_today: str
    virtual: str
    firmware_today: str
    firmware: Mapping[str, str]


@functools.cache
def declared() -> EarlierSources:
    """What is declared; says nothing of sources that have changed since."""
    data: Any = read_json_file(DECLARATION, "restore it")
    return read_object(data, EarlierSources, DECLARATION.name)


def equal_keys(
    key: MeasurementKey, recipe: Recipe, sources: EarlierSources
) -> Iterator[MeasurementKey]:
    """Other keys of the same measurement.

    Args:
        key: Of today.
        recipe: Of the firmware that it names. Declarations hold for the built-in runtime alone.
        sources: From ``declared``.
    """
    same_firmware = sources.firmware_today == template_digest(template_digests())
    if not same_firmware or recipe.runtime.library is not None:
        return
    before = replace(key, firmware_hash=recipe.hash_of(recipe.selected(sources.firmware)))
    today = sources_digest()
    if sources.virtual_today == today:
        yield replace(before, source=before.source.replace(today, sources.virtual, 1))
    if "virtual " not in key.source:
        yield before
