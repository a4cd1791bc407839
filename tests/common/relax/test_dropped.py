"""Options that are dropped from a relaxation, and noise on its weights."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from common.errors import UserError
from common.relax.relaxation import Relaxation
from common.relax.sampled import HardGumbel
from common.relax.weightings import Sigmoid, Softmax
from common.space import ManyOf, OneOf
from common.supernet import Supernet, choose, choose_many, opened

SPACE = {"op": OneOf("a", "b", "c"), "inputs": ManyOf((0, 1, 2), 0, 3)}


def zeros(x: Tensor) -> Tensor:
    return torch.zeros_like(x)


class Net(nn.Module):
    def __init__(self, space):
        super().__init__()
        self.op = choose(space["op"], lambda name: nn.Linear(4, 4))
        self.inputs = choose_many(space["inputs"], lambda i: nn.Linear(4, 4), zeros)

    def forward(self, x):
        return self.inputs(self.op(x))


def relaxation(options=None, members=None, **more) -> Relaxation:
    torch.manual_seed(0)
    return Relaxation(supernet=Supernet(Net(opened(SPACE)), SPACE), options=options or Softmax(), members=members, **more)


def ran(net: Supernet, x: Tensor) -> tuple[list[int], list[int]]:
    """Which options and members are computed."""
    seen: tuple[list[int], list[int]] = ([], [])
    handles = []
    for found, parts in zip(seen, (net.module.op.options, net.module.inputs.members), strict=True):
        for i, part in enumerate(parts):
            handles.append(part.register_forward_hook(partial(lambda found, i, *_: found.append(i), found, i)))
    net.module(x)
    for handle in handles:
        handle.remove()
    return seen


@pytest.mark.parametrize("members", [None, Sigmoid()])
@pytest.mark.parametrize("frozen", [False, True])
def test_what_is_dropped_is_not_computed_and_has_no_strength(members, frozen):
    r, x = relaxation(members=members), torch.randn(2, 4)
    r.drop("op", (1,))
    r.drop("inputs", (0, 2))
    r.mix(0, 0.0, frozen=frozen)
    assert ran(r.supernet, x) == ([0, 2], [1])
    p = r.strengths()
    assert p["op"][1] == 0 and float(p["op"].sum()) == pytest.approx(1)
    assert torch.allclose(p["op"][[0, 2]], r.logits.values["op"].detach()[[0, 2]].softmax(0))
    if members is not None:
        assert p["inputs"].tolist() == [0, pytest.approx(0.5, abs=1e-2), 0]
    assert r.live("op") == (0, 2) and r.live("inputs") == (1,)


def test_dropping_a_gate_of_nothing_changes_nothing():
    r, x = relaxation(members=Sigmoid()), torch.randn(2, 4)
    with torch.no_grad():
        r.logits.values["inputs"][1] = -200.0
    r.mix(0, 0.0)
    before = r.supernet.module(x)
    r.drop("inputs", (1,))
    r.mix(0, 0.0)
    assert torch.equal(r.supernet.module(x), before)


def test_members_may_all_go_where_there_is_a_sum_of_none():
    r, x = relaxation(members=Sigmoid()), torch.randn(2, 4)
    r.drop("inputs", (0, 1, 2))
    r.mix(0, 0.0)
    assert torch.equal(r.supernet.module(x), torch.zeros(2, 4)) and r.strengths()["inputs"].tolist() == [0, 0, 0]
    with pytest.raises(UserError, match="decision 'op' is left without options; drop fewer of them"):
        r.drop("op", (0, 1, 2))


def test_an_option_drawn_is_never_one_that_is_dropped():
    r = relaxation(options=HardGumbel())
    with torch.no_grad():
        r.logits.values["op"][0] = 50.0
    r.drop("op", (0,))
    for step in range(40):
        for frozen in (False, True):
            r.mix(step, 0.5, frozen=frozen)
            assert r.supernet.slots["op"].active in (1, 2)


def test_gradients_reach_what_is_left_alone():
    r, x = relaxation(members=Sigmoid()), torch.randn(2, 4)
    r.drop("op", (2,))
    r.mix(0, 0.0)
    gradient = torch.autograd.grad(r.supernet.module(x).square().sum(), r.logits.values["op"])[0]
    assert gradient[2] == 0 and gradient[:2].abs().min() > 0


def test_noise_on_the_weights_of_the_weights_steps_rises_from_nothing():
    r = relaxation(members=Sigmoid(), radius=0.3)
    r.drop("op", (2,))
    plain = relaxation(members=Sigmoid())
    plain.drop("op", (2,))
    slots, theirs = r.supernet.slots, plain.supernet.slots
    for step in range(20):
        for progress in (0.0, 0.5, 1.0):
            r.mix(step, progress, frozen=True)
            plain.mix(step, progress, frozen=True)
            for path in SPACE:
                noise = slots[path].mixed.weights - theirs[path].mixed.weights
                assert noise.abs().max() <= 0.3 * progress + 1e-6
                assert (noise[list(r.live(path))].abs().min() > 0) == (progress > 0)
            assert slots["op"].mixed.weights[2] == 0
            r.mix(step, progress)
            plain.mix(step, progress)
            assert all(torch.equal(slots[p].mixed.weights, theirs[p].mixed.weights) for p in SPACE), "the logits see none"


def test_a_mixture_that_is_scored_has_no_noise():
    noisy, plain = relaxation(radius=0.3), relaxation()
    found = []
    for one, smoothed in ((noisy, False), (plain, True), (noisy, True)):
        one.mix(3, 1.0, frozen=True, smoothed=smoothed)
        found.append(torch.cat([slot.mixed.weights for slot in one.supernet.slots.values() if slot.mixed is not None]))
    assert torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])
