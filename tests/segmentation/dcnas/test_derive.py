"""From strengths to networks."""

import random
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import UserError
from common.space import ManyOf, decisions, decode
from segmentation.dcnas.derive import derived, network_of, random_derived
from segmentation.dcnas.space import SKIP, STEM, Network, dcnas_space, neighbour_space

SMALL = {"layers": 4, "strides": (2, 4, 8), "width": 4, "partial": 2, "operators": ("ir_k3_e3", "ir_k5_e3", SKIP)}
SPACES = {
    "dense": dcnas_space(**SMALL),
    "dense, three inputs": dcnas_space(**SMALL, inputs=3, gradual=False),
    "neighbours": neighbour_space(**SMALL),
}


def strengths(space: Network, seed: int) -> dict[str, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return {path: (4 * torch.randn(len(d.options), generator=rng)).softmax(0) for path, d in decisions(space).items()}


def reachable(edges: dict[str, set[str]], start: set[str]) -> set[str]:
    found, todo = set(start), list(start)
    while todo:
        for name in edges.get(todo.pop(), ()):
            if name not in found:
                found.add(name)
                todo.append(name)
    return found


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(list(SPACES)), seed=st.integers(0, 10**6), threshold=st.sampled_from([None, 0.05, 0.3, 0.99]))
def test_every_cell_of_a_derived_network_lies_between_the_stem_and_an_output(name, seed, threshold):
    space = SPACES[name]
    net = network_of(space, derived(space, strengths(space, seed), threshold))
    back = {cell.name: set(cell.inputs) for cell in net.cells.values()}
    forth: dict[str, set[str]] = {}
    for target, sources in back.items():
        for source in sources:
            forth.setdefault(source, set()).add(target)
    outputs = {cell.name for cell in net.outputs}
    assert outputs == {cell.name for cell in space.outputs}  # none is cut off
    fed, used = reachable(forth, {STEM}), reachable(back, outputs)
    assert STEM in used and outputs <= fed
    assert set(net.cells) == fed & used - {STEM}
    assert net.partial == 1 and all(cell.inputs for cell in net.cells.values())


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("threshold", [None, 0.2])
def test_cells_take_their_strongest(name, threshold):
    space, given_ = SPACES[name], strengths(SPACES[name], 1)
    net = decode(space, derived(space, given_, threshold))
    for cell in space.cells.values():
        own = given_[f"cells.{cell.name}.inputs"].tolist()
        order = sorted(range(len(own)), key=lambda i: -own[i])
        count = len([x for x in own if threshold is None or x > threshold])
        kept = sorted(order[: max(1, min(count, cell.inputs.high))])
        assert net.cells[cell.name].inputs == tuple(cell.inputs.options[i] for i in kept)
        operators = given_[f"cells.{cell.name}.op"]
        assert net.cells[cell.name].op == cell.op.options[int(operators.argmax())]


def test_random_architectures_are_derived_alike_and_uniform():
    space = SPACES["dense"]
    assert random_derived(space, 5) == random_derived(space, 5)
    archs = [random_derived(space, seed) for seed in range(300)]
    path = "cells.s2_l2.inputs"
    decision = decisions(space)[path]
    assert isinstance(decision, ManyOf) and decision.options == (STEM, "s2_l1", "s4_l1")
    pairs = Counter(decision.subset(arch[path]) for arch in archs)
    assert set(pairs) == {(0, 1), (0, 2), (1, 2)} and min(pairs.values()) > 70
    ops = Counter(arch["cells.s2_l1.op"] for arch in archs)
    assert len(ops) == 3 and min(ops.values()) > 70
    assert all(len(decode(space, arch).cells["s8_l4"].inputs) == 2 for arch in random.Random(0).sample(archs, 20))


def test_strengths_that_do_not_fit_are_refused():
    space = SPACES["dense"]
    with pytest.raises(UserError, match="the space has no such decision"):
        derived(space, {"cells.s2_l9.op": [1.0]})
    with pytest.raises(UserError, match="must be greater than 0"):
        derived(space, strengths(space, 0), threshold=0.0)
