"""A child and a parent of one open description: one path for both, weights of their own, gradients of their own."""

import pytest
import torch
from torch import nn

from common.errors import UserError
from common.paired import Outputs, Paired
from common.space import OneOf
from common.supernet import Supernet, choose, opened

SPACE = {"kind": OneOf("one", "other")}


def build(space, seed, width=4):
    torch.manual_seed(seed)
    return nn.Sequential(choose(space["kind"], lambda _: nn.Linear(3, width)), nn.Linear(width, 2))


def paired():
    space = opened(SPACE)
    return Supernet(Paired(child=build(space, 0), parent=build(space, 1, width=5)), SPACE)


def test_one_path_sets_both_and_eval_gives_the_child_alone():
    net, x = paired(), torch.rand(6, 3)
    pair = net.module
    assert net.relaxable == ("kind",)
    for option in (0, 1):
        net.activate({"kind": option})
        both = pair.train()(x)
        assert isinstance(both, Outputs)
        for part, network in ((both.child, pair.child), (both.parent, pair.parent)):
            assert torch.equal(part, network[1](network[0].options[option](x)))
        assert torch.equal(pair.eval()(x), both.child)


def test_decisions_of_two_calls_of_opened_are_refused():
    with pytest.raises(UserError, match="through two slots"):
        Supernet(Paired(child=build(opened(SPACE), 0), parent=build(opened(SPACE), 1)), SPACE)


def test_both_learn_in_a_step_and_by_their_own_gradients_alone():
    """The step of the pair is the step of each alone, bit for bit; what the path does not use stays as it is."""
    x, y = torch.rand(6, 3), torch.rand(6, 2)

    def stepped(parts):
        net = paired()
        before = {name: p.detach().clone() for name, p in net.module.named_parameters()}
        net.activate({"kind": 1})
        optimizer = torch.optim.SGD(net.module.parameters(), lr=0.1)
        outputs = net.module(x)
        sum((getattr(outputs, part) - y).square().mean() for part in parts).backward()
        optimizer.step()
        after = dict(net.module.named_parameters())
        return after, {name for name, p in after.items() if not torch.equal(p, before[name])}

    (both, changed), (child, of_child), (parent, of_parent) = map(stepped, (("child", "parent"), ("child",), ("parent",)))
    assert changed == of_child | of_parent and not any("options.0" in name for name in changed)
    assert {name.split(".")[0] for name in of_child} == {"child"} and {name.split(".")[0] for name in of_parent} == {"parent"}
    assert all(torch.equal(p, (child if name in of_child else parent)[name]) for name, p in both.items())
