"""Training in two stages: binary activations with real weights, then binary weights too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from binary.groups import recipes as groups
from binary.groups.settings import SpaceSettings as GroupSpace
from binary.groups.space import Stage
from binary.groups.system import SYSTEM as GROUPS
from binary.layers.convolution import is_binary
from binary.phases import RealWeights
from binary.width import recipes as width
from binary.width.settings import SpaceSettings as WidthSpace
from binary.width.system import SYSTEM as WIDTH
from common.engines import Gradient
from common.errors import UserError
from common.train.step import Step

SMOKES = [(WIDTH, width.smoke), (GROUPS, groups.smoke)]


@pytest.mark.parametrize(("system", "smoke"), SMOKES, ids=["width", "groups"])
def test_weights_are_real_in_the_first_stage_alone(system, smoke):
    settings = smoke()
    task = system.make(replace(settings, activations=replace(settings.activations, steps=2)), Path("none"))
    first, second = task.phases("standalone")
    assert isinstance(first, RealWeights) and first.name == "activations" and second.name == "train"
    network = task.network(task.baseline, 0)
    layers = [module for module in network.modules() if is_binary(module)]
    assert layers and not any(module.arithmetic.real for module in layers)
    model = first.wrap(network, 0)
    assert all(module.arithmetic.real for module in layers)
    loss = first.loss(model, first.batch_at(0, 0), Step(number=0, progress=0.0, path=None, index=0))["class_loss"]
    loss.backward()
    assert all(module.weight.grad is not None for module in layers)
    first.finish(network, model)
    assert not any(module.arithmetic.real for module in layers)
    assert second.wrap(network, 0) is network


def test_one_stage_is_the_default():
    task = WIDTH.make(width.smoke(), Path("none"))
    assert [phase.name for phase in task.phases("standalone")] == ["train"]


def test_networks_are_compared_by_accuracy_and_operations():
    task = GROUPS.make(groups.smoke(), Path("none"))
    assert [objective.name for objective in task.objectives] == ["accuracy", "ops"]
    assert task.costs(task.baseline)["ops"] <= 66e3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: replace(s, budget={"flops": 1.0}), "budget 'flops' is no cost of a binary network; limit params, macs, bits"),
        (lambda s: replace(s, train=replace(s.train, steps=0)), r"train\.steps=0: a network must be trained"),
        (lambda s: replace(s, weights=replace(s.weights, steps=0)), r"weights\.steps=0: a supernet must be trained"),
    ],
)
@pytest.mark.parametrize("smoke", [width.smoke, groups.smoke], ids=["width", "groups"])
def test_settings_out_of_range_are_refused(smoke, change, said):
    with pytest.raises(UserError, match=said):
        change(smoke())


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: WidthSpace(base=(8, 8, 16)), "every second convolution is pooled; give an even number of widths"),
        (lambda: WidthSpace(base=()), "give an even number of widths"),
        (lambda: WidthSpace(body="resnet", base=()), "give a width for each stage"),
        (lambda: WidthSpace(base=(8, 2)), r"ratio 0\.25 needs widths of 4 or more"),
        (lambda: GroupSpace(blocks=()), r"space\.blocks=\[\]: give one block or more"),
        (lambda: GroupSpace(blocks=(Stage(32, 3),)), "stride 3; give 1 or 2"),
        (lambda: GroupSpace(blocks=(Stage(48, 1),)), "block 0 makes 48 channels of 32; its shortcut needs 32 or 64"),
        (lambda: GroupSpace(stem=0), r"space\.stem"),
    ],
)
def test_spaces_that_cannot_be_built_are_refused(make, said):
    with pytest.raises(UserError, match=said):
        make()


def test_images_that_are_too_small_are_refused():
    small = width.smoke()
    with pytest.raises(UserError, match=r"data\.size=8: 4 max-pools need images of 16 pixels"):
        WIDTH.make(replace(small, data=replace(small.data, size=8), space=WidthSpace(base=(8,) * 8)), Path("none"))
    odd = groups.smoke()
    thrice = GroupSpace(blocks=(Stage(16, 2), Stage(16, 2), Stage(16, 2)), stem=8, stride=1)
    with pytest.raises(
        UserError, match=r"data\.size=12: the body makes images 8 times smaller, and its shortcuts need whole pixels"
    ):
        GROUPS.make(replace(odd, data=replace(odd.data, size=12), space=thrice), Path("none"))


@pytest.mark.parametrize("name", ["weights", "activations", "train"])
@pytest.mark.parametrize(("system", "smoke"), SMOKES, ids=["width", "groups"])
def test_batches_larger_than_the_training_split_are_refused(system, smoke, name):
    settings = smoke()
    large = replace(settings, **{name: replace(getattr(settings, name), batch=5000)})
    with pytest.raises(UserError, match=rf"{name}\.batch=5000: train has 1078 images; give more images or {name}\.batch=1078"):
        system.make(large, Path("none"))


def test_an_architecture_cannot_be_relaxed():
    settings = width.smoke()
    task = WIDTH.make(replace(settings, search=replace(settings.search, engine=Gradient(), reward=None)), Path("none"))
    assert task.phases("relaxed") == []
