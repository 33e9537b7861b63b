# SPDX-License-Identifier: Apache-2.0
"""All spaces behind one interface: morphs are valid, say what they do, and lead everywhere."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unas.architecture import Architecture, architecture_from_json_dict
from unas.config import load_study
from unas.errors import ArchitectureError, ConfigError
from unas.space.catalogue import SPACE_NAMES, Space, find_space
from unas.space.morph_parts import MorphKind

_STEPS = {"mlp": {1, 5}}
_GENES = {
    MorphKind.TOGGLE_BATCH_NORM: {"batch_norm"},
    MorphKind.TOGGLE_RELU: {"relu"},
    MorphKind.TOGGLE_PREPOOL: {"prepool"},
    MorphKind.CHANGE_FILTERS: {"filters"},
    MorphKind.CHANGE_KERNEL: {"kernel_size", "kernel_h", "kernel_w"},
    MorphKind.TOGGLE_STRIDE: {"stride", "stride_h", "stride_w"},
    MorphKind.TOGGLE_PADDING: {"padding"},
}
_IN_CNN = {x for x in MorphKind if x not in ("change connection", "toggle padding")}
_KINDS = {
    "cnn": _IN_CNN,
    "cnn+": set(MorphKind) - {MorphKind.TOGGLE_PARALLEL},
    "cnn+1d": set(MorphKind) - {MorphKind.TOGGLE_PARALLEL},
    "mlp": {MorphKind.REMOVE_DENSE, MorphKind.ADD_DENSE, MorphKind.CHANGE_UNITS},
}


def _link(block: dict[str, Any]) -> object:
    return block["connection"] if "connection" in block else block["parallel"]


def _one_less(longer: list[Any], shorter: list[Any]) -> bool:
    return any(longer[:i] + longer[i + 1 :] == shorter for i in range(len(longer)))


def _check_layers(kind: MorphKind, old: list[Any], new: list[Any]) -> None:
    """Blocks keep their number."""
    pairs = [(a, b) for a, b in zip(old, new, strict=True) if a != b]
    ((before, after),) = pairs
    if kind in (MorphKind.CHANGE_CONNECTION, MorphKind.TOGGLE_PARALLEL):
        assert before["layers"] == after["layers"]
        assert before is not old[0]
        return
    assert _link(before) == _link(after)
    if kind is MorphKind.INSERT_LAYER:
        assert _one_less(after["layers"], before["layers"])
    elif kind is MorphKind.REMOVE_LAYER:
        assert _one_less(before["layers"], after["layers"])
    else:
        layers = zip(before["layers"], after["layers"], strict=True)
        ((a, b),) = [(a, b) for a, b in layers if a != b]
        changed = {gene for gene in a if a[gene] != b[gene]}
        if kind is MorphKind.CHANGE_TYPE:
            assert "type" in changed
            return
        assert changed <= _GENES[kind]
        if kind is MorphKind.CHANGE_FILTERS:
            assert abs(a["filters"] - b["filters"]) in {1, 3, 5}
        if kind is MorphKind.CHANGE_KERNEL:
            steps = {b[gene] - a[gene] for gene in changed}
            assert steps in ({2}, {-2})


def _check_blocks(kind: MorphKind, old: list[Any], new: list[Any]) -> None:
    if kind is MorphKind.ADD_BLOCK:
        assert new[:-1] == old
        assert len(new[-1]["layers"]) == 1
    elif kind is MorphKind.REMOVE_BLOCK:
        layers = [[x["layers"] for x in blocks] for blocks in (old, new)]
        assert _one_less(*layers)
        removed = next(
            i for i in range(len(old)) if layers[0][:i] + layers[0][i + 1 :] == layers[1]
        )
        rest = old[:removed] + old[removed + 1 :]
        changed = [i for i, (a, b) in enumerate(zip(rest, new, strict=True)) if a != b]
        # Only the block behind it: it takes over, or becomes the first.
        assert changed in ([], [removed])
    else:
        _check_layers(kind, old, new)


def _check_head(kind: MorphKind, old: Any, new: Any, steps: set[int]) -> None:
    a, b = old.get("pooling"), new.get("pooling")
    if kind is MorphKind.TOGGLE_POOLING:
        assert (a is None) != (b is None)
    elif kind is MorphKind.CHANGE_POOLING_KIND:
        assert a["kind"] != b["kind"]
        assert a["size"] == b["size"] or None in (a["size"], b["size"])
    elif kind is MorphKind.CHANGE_POOLING_SIZE:
        assert a["kind"] == b["kind"]
        assert abs(a["size"] - b["size"]) == 2
    else:
        assert a == b
    if kind is MorphKind.ADD_DENSE:
        assert new["dense"][:-1] == old["dense"]
    elif kind is MorphKind.REMOVE_DENSE:
        assert _one_less(old["dense"], new["dense"])
    elif kind is MorphKind.CHANGE_UNITS:
        pairs = zip(old["dense"], new["dense"], strict=True)
        ((x, y),) = [(x["units"], y["units"]) for x, y in pairs if x != y]
        assert abs(x - y) in steps
    else:
        assert old["dense"] == new["dense"]


_HEAD = {x for x in MorphKind if "pooling" in x or "dense" in x or "units" in x}


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(SPACE_NAMES), st.integers(0, 2**32))
def test_every_morph_does_what_it_says(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    space = find_space(name)
    parent = space.random(rng)
    space.validate(parent)
    before = parent.to_json_dict()
    for morph in space.morphs(parent):
        child = morph.apply(rng)
        space.validate(child)
        assert type(child) is type(parent)
        assert child != parent
        after = child.to_json_dict()
        assert parent.to_json_dict() == before
        if morph.kind in _HEAD:
            _check_head(morph.kind, before, after, _STEPS.get(name, {1, 3, 5}))
            assert before.get("blocks") == after.get("blocks")
        else:
            _check_blocks(morph.kind, before["blocks"], after["blocks"])
            assert before["pooling"] == after["pooling"]
            assert before["dense"] == after["dense"]


@pytest.mark.parametrize("name", SPACE_NAMES)
def test_every_kind_of_morph_comes(name: str) -> None:
    rng, space = np.random.default_rng(0), find_space(name)
    seen = {x.kind for _ in range(60) for x in space.morphs(space.random(rng))}
    assert seen == _KINDS[name]


@pytest.mark.parametrize("name", SPACE_NAMES)
def test_a_long_walk_stays_in_the_space_and_builds(name: str) -> None:
    rng, space = np.random.default_rng(1), find_space(name)
    arch = space.random(rng)
    for step in range(300):
        arch = space.morph(rng, arch)
        space.validate(arch)
        assert architecture_from_json_dict(arch.to_json_dict()) == arch
        if step % 30 == 0:
            graph = space.graph(arch, (16, 16, 3), 4)
            assert graph.tensors[graph.outputs[0]].shape == (1, 4)


def _distance(a: Any, b: Any) -> tuple[int, ...]:
    """How far two JSON descriptions are, structure first; every morph towards b shortens it."""
    old, new = a.get("blocks", []), b.get("blocks", [])
    pairs = list(zip(old, new, strict=False))
    layers = [x for p, q in pairs for x in zip(p["layers"], q["layers"], strict=False)]
    dense = zip(a["dense"], b["dense"], strict=False)
    p, q = a.get("pooling"), b.get("pooling")
    same_pooling = p is not None and q is not None and p["kind"] == q["kind"]
    return (
        abs(len(old) - len(new)),
        sum(abs(len(p["layers"]) - len(q["layers"])) for p, q in pairs),
        sum(_link(p) != _link(q) for p, q in pairs),
        sum(x["type"] != y["type"] for x, y in layers),
        sum(_gene_distance(x[key], y[key]) for x, y in layers for key in x),
        (p is None) != (q is None),
        p is not None and q is not None and not same_pooling,
        _gene_distance(p["size"], q["size"]) if same_pooling else 0,
        abs(len(a["dense"]) - len(b["dense"])),
        sum(abs(x["units"] - y["units"]) for x, y in dense),
    )


def _gene_distance(x: Any, y: Any) -> int:
    numbers = type(x) is int and type(y) is int
    return abs(x - y) if numbers else int(x != y)


def _walk(space: Space, start: Architecture, goal: Architecture) -> Counter[MorphKind]:
    """Morph towards the goal, always nearer; ends there or nowhere."""
    rng, wanted = np.random.default_rng(0), goal.to_json_dict()
    arch, used = start, Counter[MorphKind]()
    distance = _distance(arch.to_json_dict(), wanted)
    while arch != goal:
        for morph in space.morphs(arch):
            child = morph.apply(rng)
            nearer = _distance(child.to_json_dict(), wanted)
            if nearer < distance:
                arch, distance = child, nearer
                used[morph.kind] += 1
                break
        else:
            raise AssertionError(f"no morph leads from {arch} to {goal}")
    return used


@pytest.mark.parametrize("name", SPACE_NAMES)
def test_any_architecture_leads_to_any_other(name: str) -> None:
    rng = np.random.default_rng(2)
    overrides = {} if name == "mlp" else {"blocks": [1, 4], "filters": [1, 24], "units": [10, 30]}
    space = find_space(name, overrides)
    used = Counter[MorphKind]()
    for _ in range(5):
        used += _walk(space, space.random(rng), space.random(rng))
    assert len(used) > len(_KINDS[name]) // 2


@pytest.mark.parametrize("name", SPACE_NAMES)
def test_equal_states_give_equal_architectures(name: str) -> None:
    space = find_space(name)
    first, again, other = (space.random(np.random.default_rng(s)) for s in (5, 5, 6))
    assert first == again != other
    children = [space.morph(np.random.default_rng(s), first) for s in (5, 5)]
    assert children[0] == children[1]


def test_a_space_refuses_what_belongs_to_another() -> None:
    rng = np.random.default_rng(0)
    arch = find_space("mlp").random(rng)
    for use in (
        find_space("cnn").validate,
        find_space("cnn+").morphs,
        lambda x: find_space("cnn").graph(x, (8, 8, 1), 10),
    ):
        with pytest.raises(ArchitectureError, match="is a MlpArchitecture"):
            use(arch)


def test_where_nothing_can_change_it_says_so() -> None:
    space = find_space("mlp", {"dense_layers": [1, 1], "units": [10, 10]})
    with pytest.raises(ArchitectureError, match="widen its ranges"):
        space.morph(np.random.default_rng(0), space.random(np.random.default_rng(0)))


def test_overrides_change_the_ranges() -> None:
    overrides = {
        "blocks": [2, 3],
        "connections": ["serial", "residual"],
        "kernel_heights": [5, 3],
        "kernel_widths": [3],
        "p_relu": 1,
    }
    space, rng = find_space("cnn+", overrides), np.random.default_rng(0)
    for _ in range(40):
        blocks = space.random(rng).to_json_dict()["blocks"]
        assert len(blocks) in (2, 3)
        assert {block["connection"] for block in blocks} <= {"serial", "residual"}
        layers = [layer for block in blocks for layer in block["layers"]]
        assert all(layer["relu"] for layer in layers)
        kernels = {(x["kernel_h"], x["kernel_w"]) for x in layers if x["type"] != "conv1x1"}
        assert kernels <= {(3, 3), (5, 3)}


CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.toml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_committed_study_has_a_space(path: Path) -> None:
    study = load_study(path)
    space = find_space(study.space.name, study.space.options)
    space.validate(space.random(np.random.default_rng(0)))


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("cmn", {}, "no search space 'cmn'; did you mean cnn"),
        ("tree", {}, "known: cnn, cnn\\+, cnn\\+1d, mlp"),
        ("cnn", {"block": [1, 2]}, "space.options: unknown key 'block'; did you mean blocks"),
        ("cnn", {"blocks": 4}, r"space.options.blocks is 4; give \[smallest, largest\]"),
        ("cnn", {"blocks": [True, 4]}, "both whole numbers"),
        ("cnn", {"blocks": [4, 1]}, "smallest, largest"),
        ("cnn", {"blocks": [0, 1]}, "raise it"),
        ("mlp", {"units": [0, 1]}, "raise it"),
        ("cnn", {"p_relu": 1.5}, "from 0 to 1"),
        ("cnn", {"p_relu": True}, "from 0 to 1"),
        ("cnn", {"strides": []}, "one or more different"),
        ("cnn", {"strides": [1, 1]}, "one or more different"),
        ("cnn", {"kernel_sizes": [0, 3]}, "from 1 upwards"),
        ("cnn", {"layer_types": ["conv"]}, "unknown value 'conv'; did you mean conv2d"),
        ("cnn", {"layer_types": [7]}, "unknown value 7"),
    ],
)
def test_wrong_overrides_say_what_is_right(
    name: str, overrides: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        find_space(name, overrides)
