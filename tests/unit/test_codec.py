# SPDX-License-Identifier: Apache-2.0
"""Dataclasses and plain types: what is written is read, and nothing else is."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unas._codec import near_names, plain_object, plain_table, read_object, read_table
from unas._text import parse_json, parse_toml, toml_text
from unas.errors import ConfigError, DataError, StoreError, UnasError
from unas.units import parse_bytes


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Inner:
    count: int
    share: float = 0.5
    colour: Colour = Colour.RED

    def __post_init__(self) -> None:
        if self.count == -1:
            raise ConfigError("'count' is -1; count from 0")


@dataclass(frozen=True)
class Outer:
    name: str
    flag: bool
    inner: Inner
    pair: tuple[int, float]
    rows: tuple[Inner, ...] = ()
    by_name: Mapping[str, int] = field(default_factory=dict)
    maybe: float | None = None
    maybe_inner: Inner | None = None


@dataclass(frozen=True)
class Sized:
    size: Annotated[int, parse_bytes]


INTS = st.integers(-(2**62), 2**62)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
INNERS = st.builds(Inner, INTS.filter(lambda n: n != -1), FLOATS, st.sampled_from(Colour))
# Lone surrogates are in no UTF-8 text.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
OUTERS = st.builds(
    Outer,
    TEXTS,
    st.booleans(),
    INNERS,
    st.tuples(INTS, FLOATS),
    st.lists(INNERS, max_size=3).map(tuple),
    st.dictionaries(TEXTS, INTS, max_size=3),
    st.none() | FLOATS,
    st.none() | INNERS,
)
EXAMPLE = Outer("x", True, Inner(3), (1, 2.0), (Inner(1), Inner(2)), {"a": 1}, 1.5, Inner(4))
Reader = Callable[[Any], Outer]


def _from_json(data: Any) -> Outer:
    return read_object(data, Outer, "x")


def _from_toml(data: Any) -> Outer:
    return read_table(data, Outer, "x.toml")


@given(OUTERS)
def test_a_dataclass_survives_json(value: Outer) -> None:
    text = json.dumps(plain_object(value))
    assert read_object(parse_json(text, "x"), Outer, "x") == value


@given(OUTERS)
def test_a_dataclass_survives_toml(value: Outer) -> None:
    text = toml_text(plain_table(value))
    assert read_table(tomllib.loads(text), Outer, "x.toml") == value


@given(st.sampled_from(list(plain_object(EXAMPLE))), st.text(min_size=1, max_size=3))
def test_an_unknown_key_is_refused_and_the_near_one_named(name: str, more: str) -> None:
    for read, data in ((_from_json, plain_object(EXAMPLE)), (_from_toml, plain_table(EXAMPLE))):
        wrong = name + more
        if wrong in data:
            continue
        with pytest.raises(
            (StoreError, ConfigError), match=r"unknown key .*did you mean"
        ) as caught:
            read(data | {wrong: 1})
        assert name in str(caught.value)


def test_near_names_are_named_and_others_listed() -> None:
    assert near_names("epoch", ["epochs", "seed"]) == "did you mean epochs?"
    assert near_names("zzzz", ["epochs", "seed"]) == "known: epochs, seed"
    assert near_names("x", []) == "nothing goes there; take it out"


@pytest.mark.parametrize("name", list(plain_object(EXAMPLE)))
def test_a_missing_key_is_refused_where_it_must_be_there(name: str) -> None:
    data = plain_object(EXAMPLE)
    del data[name]
    with pytest.raises(StoreError, match=rf"^x: '{name}' is missing"):
        read_object(data, Outer, "x")
    if name in ("name", "flag", "inner", "pair"):
        with pytest.raises(ConfigError, match=rf"^x.toml: '{name}' is missing"):
            read_table(data, Outer, "x.toml")
    else:
        assert read_object(data, Outer, "x", defaults=True).name == "x"


WRONG: list[Any] = [None, True, 3, 2.5, "x", [], ["x"], [[]], {}, {"a": {}}, 10**400]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: repr(wrong)[:12])
@pytest.mark.parametrize("name", list(plain_object(EXAMPLE)))
@pytest.mark.parametrize("toml", [False, True])
def test_a_value_of_another_type_is_one_line_that_names_it(
    name: str, wrong: Any, toml: bool
) -> None:
    data = plain_object(EXAMPLE) | {name: wrong}
    text = _refusal(_from_toml if toml else _from_json, data, ConfigError if toml else StoreError)
    if text is None:  # it is a value of that type
        assert type(wrong) in (type(getattr(EXAMPLE, name)), dict, list, int, type(None))
        return
    assert name in text
    assert "\n" not in text
    assert len(text) < 400


def _refusal(read: Reader, data: Any, error: type[UnasError]) -> str | None:
    try:
        read(data)
    except error as problem:
        return str(problem)
    return None


def test_places_are_named_as_the_format_names_them() -> None:
    data = plain_object(EXAMPLE)
    data["rows"][1]["share"] = "much"
    with pytest.raises(StoreError, match=r"^x\.rows\[1\]: 'share' is 'much'; it must be a number"):
        _from_json(data)
    with pytest.raises(ConfigError, match=r"^x\.toml \[\[rows\]\] #2: 'share' is 'much'"):
        _from_toml(data)
    data = plain_object(EXAMPLE)
    data["inner"]["colour"] = "rad"
    with pytest.raises(ConfigError, match=r"^x\.toml \[inner\]: 'colour' is 'rad'; .*mean red\?"):
        _from_toml(data)


def test_what_the_dataclass_refuses_names_its_place_and_is_the_callers_error() -> None:
    data = plain_object(EXAMPLE)
    data["inner"]["count"] = -1
    with pytest.raises(DataError, match=r"^x\.inner: 'count' is -1"):
        read_object(data, Outer, "x", error=DataError)


def test_a_parser_reads_what_stands_in_the_file() -> None:
    assert read_table({"size": "2KiB"}, Sized, "x").size == 2048
    wrongs: list[Any] = ["2 cats", None, [], "9" * 500]
    for wrong in wrongs:
        with pytest.raises(ConfigError, match=r"^x: 'size'"):
            read_table({"size": wrong}, Sized, "x")


def test_numbers_of_json_are_finite() -> None:
    for value in (float("nan"), float("inf")):
        with pytest.raises(StoreError, match="cannot be stored"):
            plain_object(Inner(1, value))
        with pytest.raises(StoreError, match="finite"):
            read_object({"count": 1, "share": value, "colour": "red"}, Inner, "x")
    with pytest.raises(StoreError, match="NaN is no number"):
        parse_json("[NaN]", "x")


@pytest.mark.parametrize("parse", [parse_json, parse_toml])
@pytest.mark.parametrize("text", ["[" * 100_000, "a = " + "[" * 100_000, "a = " + "9" * 5000])
def test_text_without_end_is_an_error(parse: Callable[[str, str], Any], text: str) -> None:
    with pytest.raises((StoreError, ConfigError), match=r"^x is no valid (JSON|TOML)"):
        parse(text, "x")
