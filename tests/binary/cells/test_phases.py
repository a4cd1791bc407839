"""How networks of binary cells are trained: CP-NAS's losses, a child and its parent, and what a run compares."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
import torch
from torch import nn

from binary.cells.networks import APART, DARTS
from binary.cells.phases import NearParent, Searching, kernel_distance, spread
from binary.cells.recipes import RECIPES
from binary.cells.spaces import NetworkSettings, SpaceSettings
from binary.cells.system import SYSTEM
from binary.layers.convolution import Binary, BinaryConv2d
from common.arch import labels
from common.errors import UserError
from common.overrides import override
from common.paired import Paired
from common.space import sample
from common.stages.search import check_search
from common.train.step import Step

METHODS = tuple(RECIPES)


def task_of(method, tmp_path, **changes):
    return SYSTEM.make(replace(RECIPES[method]["smoke"](), **changes), tmp_path)


def test_the_distance_of_kernels_equals_a_case_by_hand():
    """|w| = 1, 3: scale 2, so that both numbers are 1 away; the second filter is binary already."""
    layer = BinaryConv2d(2, 2, 1, arithmetic=Binary())
    layer.weight.data = torch.tensor([[1.0, -3.0], [0.5, -0.5]]).reshape(2, 2, 1, 1)
    distance = kernel_distance(nn.Sequential(layer))
    assert distance.item() == 1.0
    distance.backward()
    assert layer.weight.grad[0].flatten().tolist() == [-1.0, -1.0]  # towards 2 and -2


def test_the_spread_within_classes_equals_a_case_by_hand():
    maps = torch.tensor([[0.0, 2.0], [4.0, 2.0], [7.0, 7.0]]).reshape(3, 2, 1, 1)
    assert float(spread(maps, torch.tensor([5, 5, 1]))) == pytest.approx(8 / 6)  # 4 + 0, 4 + 0, 0 + 0 of six numbers


def test_the_loss_of_cp_nas_is_cross_entropy_and_half_of_both_distances(tmp_path):
    task = task_of("cp-nas", tmp_path, network=NetworkSettings(width=8, cells=3, drop_path=0.0, kernels=0.5))
    network = task.network(task.baseline, 0)
    _, train = task.phases("standalone")
    assert isinstance(train, NearParent)
    terms = train.loss(network, train.batch_at(0, 0), Step())
    plain = replace(train, kernels=0.0).loss(network, train.batch_at(0, 0), Step())
    assert terms["kernel_loss"].item() == pytest.approx(0.25 * kernel_distance(network).item())
    assert terms["compact_loss"].item() > 0
    assert set(terms) - set(plain) == {"kernel_loss", "compact_loss"}
    assert torch.equal(terms["class_loss"], plain["class_loss"])
    assert not network.get_submodule("cells")[-1]._forward_hooks  # pyright: ignore[reportIndexIssue]


def test_a_child_and_its_parent_learn_from_their_own_losses(tmp_path):
    task = task_of("cp-nas", tmp_path)
    pair = task.supernet(0)
    assert isinstance(pair, Paired)
    phase = task.phases("relaxed")[0]
    assert isinstance(phase, Searching)
    from common.supernet import Supernet

    Supernet(pair, task.space).activate(sample(task.space, Random(0)))
    terms = phase.loss(pair, phase.batch_at(0, 0), Step())
    assert {"class_loss", "parent_class_loss"} <= set(terms)
    own = [p for p in pair.child.parameters() if p.requires_grad]
    theirs = [p for p in pair.parent.parameters() if p.requires_grad]
    of_parent = torch.autograd.grad(terms["parent_class_loss"], own + theirs, allow_unused=True, retain_graph=True)
    assert all(g is None for g in of_parent[: len(own)])
    assert any(g is not None and g.any() for g in of_parent[len(own) :])
    assert any(type(m).__name__ == "Sign" for m in pair.child.modules())
    assert not any(isinstance(m, BinaryConv2d) for m in pair.parent.modules())


@pytest.mark.parametrize("method", METHODS)
def test_random_networks_cost_about_as_much_as_what_was_found(method, tmp_path):
    task = task_of(method, tmp_path)
    found, rng = task.baseline, Random(0)
    like = task.networks.random_like
    for _ in range(5):
        drawn = like(found, rng)
        assert drawn != found
        assert abs(task.costs(drawn)["ops"] / task.costs(found)["ops"] - 1) <= APART


def test_the_cells_of_darts_have_no_more_operations_and_are_as_wide_as_can_be(tmp_path):
    task = task_of("bnas-kim", tmp_path)
    outside = task.networks.outside(task.baseline)
    ops = task.costs(task.baseline)["ops"]
    assert set(outside) == {DARTS, "real weights"}
    assert 0.7 * ops < outside[DARTS].cost["ops"] <= ops
    assert outside["real weights"].cost["bops"] == 0


@pytest.mark.parametrize(("changes", "said"), [
    ({"form": "kim", "operations": ("sep_conv_3x3",)}, "no operation of form kim"),
    ({"form": "kim", "operations": ("none",)}, "one or more besides none"),
    ({"form": "grouped", "operations": ("none", "none", "sep_conv_3x3")}, "each once"),
    ({"form": "kim", "cells": 2}, "give 3"),
    ({"form": "kim", "groups": 0}, "groups"),
])  # fmt: skip
def test_spaces_that_cannot_be_are_refused(changes, said):
    with pytest.raises(UserError, match=said):
        SpaceSettings(**changes)


@pytest.mark.parametrize(("changes", "said"), [
    ({"drop_path": 1.0}, "below 1"), ({"kernels": -1.0}, "0 or more"), ({"cells": 2}, "normal cell"),
])  # fmt: skip
def test_networks_that_cannot_be_are_refused(changes, said):
    with pytest.raises(UserError, match=said):
        NetworkSettings(**changes)


@pytest.mark.parametrize(("method", "words", "said"), [
    ("bats", "network.kernels=1", "network.kernels=1 with space.form=grouped"),
    ("bats", "network.width=10", "network.width=10: convolutions of 4 groups"),
    ("bats", "space.width=6", "space.width=6: convolutions of 4 groups"),
    ("bnas-kim", "space.groups=3", "it is of the form grouped"),
    ("bats", 'space.operations=["none","sep_conv_3x3"] search.engine.forbidden=["sep_conv_3x3"]', "besides none is left"),
    ("cp-nas", "search.engine.diversity=1", "search.engine.diversity with abandon"),
])  # fmt: skip
def test_settings_without_effect_or_sense_are_refused(method, words, said):
    with pytest.raises(UserError, match=said):
        override(RECIPES[method]["smoke"](), words.split())


@pytest.mark.parametrize(("words", "said"), [
    ('space.operations=["sep_conv_3x3"]', "no decision of this space is between options"),
    ('space.operations=["max_pool_3x3","sep_conv_3x3"] search.engine.discount=3', "this space has the option none"),
])  # fmt: skip
def test_searches_without_a_choice_are_refused_before_any_work(words, said, tmp_path):
    task = SYSTEM.make(override(RECIPES["cp-nas"]["smoke"](), words.split()), tmp_path)
    with pytest.raises(UserError, match=said):
        check_search(task.settings.search, task, [])


def test_the_baseline_is_no_cell_of_zeros(tmp_path):
    settings = override(RECIPES["bnas-beihang"]["smoke"](), ['space.operations=["max_pool_3x3","none"]'])
    names = labels(SYSTEM.make(settings, tmp_path).space, SYSTEM.make(settings, tmp_path).baseline).values()
    assert "max_pool_3x3" in names and "none" not in names


def test_published_searches_have_the_numbers_of_their_papers():
    papers = {method: RECIPES[method]["paper"]().search.engine for method in METHODS}
    assert papers["bnas-kim"].diversity == 1.0 and papers["bnas-kim"].forbidden == ()
    assert papers["bnas-beihang"].abandon.passes == 3 and papers["bnas-beihang"].abandon.parent is None
    assert papers["cp-nas"].abandon.parent == 2.0
    assert papers["bats"].options.temperature == (1.0, 0.2) and papers["bats"].forbidden == ("none",)


def test_a_parent_of_a_real_child_is_refused():
    settings = RECIPES["cp-nas"]["smoke"]()
    with pytest.raises(UserError, match="would be the same network"):
        replace(settings, space=replace(settings.space, precision="real"))


@pytest.mark.parametrize("method", METHODS)
def test_recipes_are_those_of_their_methods(method):
    smoke, small, paper = (RECIPES[method][name]() for name in ("smoke", "small", "paper"))
    assert smoke.method == small.method == paper.method == method
    assert paper.space.names == small.space.names or len(paper.space.names) > len(small.space.names)
    engine = paper.search.engine
    if engine.abandon is not None:
        assert paper.weights.steps % engine.abandon.samples(len(paper.space.names)) == 0
