"""`check` on random small networks: it passes on the right ones, and names each mistake that is planted in one."""

import dataclasses
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from common.errors import UserError
from common.space import OneOf, decisions, decode, sample
from common.streams import stream
from common.supernet import check, linear
from common.supernet.elastic import elastic_layers
from common.supernet.open import Open
from tests.common.supernet import test_checking
from tests.common.supernet.randoms import IMAGES, KINDS, Net, Network, random_space, walk


@pytest.mark.parametrize("seed", range(16))
def test_right_networks_pass(seed):
    space = random_space(seed)
    found = check(Network, space, IMAGES, archs=3, seed=seed)
    assert found.archs == 3 or found.archs == len({sample(space, stream(seed, "check", i)) for i in range(12)})


def test_the_networks_tried_have_every_kind_of_part():
    """So that none of them is left out by chance."""
    spaces = [random_space(seed) for seed in range(16)]
    assert {type(part) for space in spaces for part in walk(space)} >= set(KINDS)
    kinds = [type(decision).__name__ for space in spaces for decision in decisions(space).values()]
    assert kinds.count("ManyOf") > 5 and kinds.count("OneOf") > 50
    assert any("].items" in path or "].option" in path for space in spaces for path in decisions(space)), "nested choices"


class Beside(nn.Module):
    """A network, and another one on the same input."""

    def __init__(self, network: nn.Module, extra: nn.Module) -> None:
        super().__init__()
        self.network, self.extra = network, extra

    def forward(self, x: Tensor) -> tuple[Tensor, Any]:
        return self.network(x), self.extra(x)


Build = Callable[[Net], nn.Module]


def beside(extra: Any) -> Build:
    return lambda net: Beside(Network(net), extra(net))


OF_THE_WHOLE = ("no decision", "unread decision", "no module", "a number", "nothing to train")
BRANCHES = [name for name in test_checking.MISTAKES if name not in OF_THE_WHOLE]


@pytest.mark.parametrize("mistake", BRANCHES)
def test_a_mistake_beside_a_random_network_is_named(mistake):
    """The build functions of `test_checking`, each beside a random network whose decisions it shares."""
    wrong, _, says = test_checking.MISTAKES[mistake]
    says = re.sub(r"'(?=\d)", "'extra.", says)
    space = dataclasses.replace(random_space(len(mistake)), width=OneOf(4, 8), act=OneOf("relu", "gelu"))
    with pytest.raises(UserError, match=says):
        check(beside(wrong), space, IMAGES, archs=6)


# ---- mistakes in a place of the random network itself


def is_open(net: Net) -> bool:
    return isinstance(net.width, Open)


def unguarded(net: Net) -> nn.Module:
    """Linear layers take all of their weights for used."""
    network = Network(net)
    for layer in elastic_layers(network):
        if isinstance(layer, nn.Linear):
            layer.regions = lambda name, region, layer=layer: tuple(map(slice, getattr(layer, name).shape))
    return network


def forgetful(net: Net) -> nn.Module:
    """Elastic layers do not say which region they used, so that whole tensors are taken for used."""
    network = Network(net)
    for layer in elastic_layers(network):
        layer.note = lambda region: None
    return network


def shifted_when_fixed(net: Net) -> nn.Module:
    network = Network(net)
    if not is_open(net):
        network.register_forward_hook(lambda module, inputs, out: out + 1e-3)
    return network


def other_activation(net: Net) -> nn.Module:
    network = Network(net)
    network.stem[1] = nn.Tanh() if is_open(net) else network.stem[1]
    return network


def wider_when_fixed(net: Net) -> nn.Module:
    network = Network(net)
    if not is_open(net):
        network.head = nn.Linear(network.head.in_features, 6)
    return network


def deeper_when_open(net: Net) -> nn.Module:
    network = Network(net)
    network.more = nn.Linear(2, 2) if is_open(net) else None
    return network


def renamed(net: Net) -> nn.Module:
    network = Network(net)
    if is_open(net):
        network.last = network.head
        network.head = nn.Sequential(network.last)
    return network


def remembers(net: Net) -> nn.Module:
    """A global: each network has another first weight than the one before."""
    CALLS.append(1)
    network = Network(net)
    nn.init.constant_(network.stem[0].bias, len(CALLS))
    return network


def trains_apart(net: Net) -> nn.Module:
    """Weights that belong to no path are part of the loss in every step."""
    network = Network(net)
    if is_open(net):
        weight = network.stem[0].weight
        network.register_forward_hook(lambda m, x, y: y + weight.sum())
    return network


CALLS: list[int] = []
PLACED: dict[str, tuple[Build, str]] = {
    "unguarded": (unguarded, "a step changes '.*' outside of the part that its path uses"),
    "forgetful": (forgetful, "a step changes '.*' outside of the part that its path uses"),
    "hook when fixed": (shifted_when_fixed, "the extracted network gives other outputs"),
    "other activation": (other_activation, "the extracted network gives other outputs|no module .* reads decision 'act'"),
    "wider when fixed": (wider_when_fixed, r"makes 'head.weight' of shape \(6, .* when settled, which is no part of \(5, "),
    "deeper when open": (deeper_when_open, "names its parts differently when settled: 'more.bias'"),
    "renamed": (renamed, "names its parts differently when settled: 'head"),
    "remembers": (remembers, "two networks of one description: 'stem.0.bias' differs"),
    "trains apart": (trains_apart, "the extracted network gives other outputs"),
    "nothing open": (lambda net: linear(4, 5), "no module of the supernet reads decision 'width'"),
}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("mistake", PLACED)
def test_a_mistake_in_a_random_network_is_named(mistake, seed):
    build, says = PLACED[mistake]
    with pytest.raises(UserError, match=says) as refused:
        check(build, random_space(100 * seed + len(mistake)), IMAGES, archs=6)
    assert "\n" not in str(refused.value)


def test_decisions_that_are_missing_or_unread_are_named():
    space = random_space(0)
    with pytest.raises(UserError, match="no module of the supernet reads decision 'unread'"):
        check(Network, dataclasses.replace(space, unread=OneOf(1, 2)), IMAGES)
    with pytest.raises(UserError, match="the space has no decision: open one"):
        check(Network, decode(space, sample(space, stream(0))), IMAGES)


def test_torch_s_generator_is_left_alone():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    check(Network, random_space(3), IMAGES, archs=1)
    assert torch.equal(torch.random.get_rng_state(), before)
