"""Idle weights of layers around the supernet: a head of the training's own, as wide as the path in it."""

from random import Random
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from common.space import Arch, OneOf, sample
from common.stages.settings import PhaseSettings
from common.supernet import Supernet, conv2d, linear, opened
from common.train.optim import OptimSettings
from common.train.phase import train_phase
from common.train.step import Step

SPACE = (OneOf(2, 4, 6),)
WIDTHS = (2, 4, 6)


class Headed(nn.Module):
    """A supernet of one elastic width, and a head that reads as much of it as there is."""

    def __init__(self, body: nn.Module, width: Any) -> None:
        super().__init__()
        self.body = body
        self.head = conv2d(width, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.relu(self.body(x)))


def headed() -> tuple[Supernet, Headed]:
    torch.manual_seed(0)
    width = opened(SPACE)[0]
    net = Supernet(conv2d(3, width, 3), SPACE)
    return net, Headed(net.module, width)


OPTIMISERS = [
    lambda ps: torch.optim.SGD(ps, 0.1, momentum=0.9, weight_decay=0.1),
    lambda ps: torch.optim.AdamW(ps, 0.1, weight_decay=0.1),
]


@pytest.mark.parametrize("make_optimizer", OPTIMISERS)
@pytest.mark.parametrize("whole", [True, False])
def test_a_head_around_the_supernet_keeps_its_idle_weights_if_it_is_named(make_optimizer, whole):
    net, model = headed()
    weight: Any = model.head.weight
    optimizer = make_optimizer(model.parameters())

    def step(option: int) -> None:
        optimizer.zero_grad(set_to_none=True)
        net.activate(Arch({"0": option}))
        model(torch.randn(2, 3, 4, 4)).square().mean().backward()
        with net.idle_protected(optimizer, model) if whole else net.idle_protected(optimizer):
            optimizer.step()

    step(2)  # so that there is momentum everywhere
    for option, n in enumerate(WIDTHS[:2]):
        before = {name: p.detach().clone() for name, p in model.named_parameters()}
        state = {k: v.clone() for k, v in optimizer.state[weight].items() if v.shape == weight.shape}
        step(option)
        assert state and not torch.equal(weight[:, :n], before["head.weight"][:, :n]), "what is used learns"
        assert torch.equal(weight[:, n:], before["head.weight"][:, n:]) == whole
        for key, old in state.items():
            assert torch.equal(optimizer.state[weight][key][:, n:], old[:, n:]) == whole, key
        body: Any = net.module.weight
        assert torch.equal(body[n:], before["body.weight"][n:]), "the supernet's own are kept either way"


def test_a_step_that_fails_leaves_the_tensors_whole():
    net, model = headed()
    optimizer = OPTIMISERS[1](model.parameters())
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    net.activate(Arch({"0": 0}))
    model(torch.randn(2, 3, 4, 4)).square().mean().backward()
    with pytest.raises(KeyboardInterrupt), net.idle_protected(optimizer, model):
        raise KeyboardInterrupt
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, before[name]) and parameter.grad is not None and parameter.grad.shape == parameter.shape


class Phase:
    """A phase that trains the supernet under a head; what it trained is handed back."""

    name = "headed"

    def __init__(self, model: Headed) -> None:
        self.model = model
        optim = OptimSettings(lr=0.1, momentum=0.9, weight_decay=0.1, schedule="constant")
        self.settings = PhaseSettings(steps=6, batch=2, optim=optim)

    def wrap(self, network: nn.Module, seed: int) -> nn.Module:
        return self.model

    def batch_at(self, step: int, seed: int) -> Tensor:
        return torch.randn(2, 3, 4, 4)

    def loss(self, model: nn.Module, batch: Tensor, step: Step) -> dict[str, Tensor]:
        return {"loss": model(batch).square().mean()}

    def finish(self, network: nn.Module, model: nn.Module) -> None:
        pass


def test_training_a_phase_keeps_the_idle_weights_of_its_own_head():
    net, model = headed()
    weight: Any = model.head.weight
    history = [weight.detach().clone()]
    rng = Random(1)
    paths = [Arch({"0": 2}), *(sample(SPACE, rng) for _ in range(5))]
    assert {arch["0"] for arch in paths[1:]} > {0}
    train_phase(
        net.module,
        Phase(model),
        seed=0,
        supernet=net,
        policy=lambda step: [paths[step]],
        observe=lambda step, values: history.append(weight.detach().clone()),
    )
    for arch, old, new in zip(paths, history, history[1:], strict=False):
        n = WIDTHS[arch["0"]]
        assert torch.equal(new[:, n:], old[:, n:]) and not torch.equal(new[:, :n], old[:, :n])


@pytest.mark.parametrize("make_optimizer", OPTIMISERS)
@pytest.mark.parametrize("swapped", [False, True])
def test_a_parameter_that_two_layers_share_is_used_by_either(make_optimizer, swapped):
    """One weight, of which one layer uses two rows on this path and the other four; the last two rows are idle."""
    torch.manual_seed(0)
    space = (OneOf(2, 4, 6), OneOf(2, 4, 6))
    one, other = (linear(3, width) for width in opened(space))
    other.weight = one.weight
    net = Supernet(nn.ModuleList((one, other)), space)
    weight: Any = one.weight
    optimizer = make_optimizer(net.module.parameters())

    def step(arch: Arch) -> None:
        optimizer.zero_grad(set_to_none=True)
        net.activate(arch)
        x = torch.randn(2, 3)
        (one(x).square().mean() + other(x).square().mean()).backward()
        with net.idle_protected(optimizer):
            optimizer.step()

    step(Arch({"0": 2, "1": 2}))
    before = weight.detach().clone()
    state = {k: v.clone() for k, v in optimizer.state[weight].items() if v.shape == weight.shape}
    step(Arch({"0": 1, "1": 0}) if swapped else Arch({"0": 0, "1": 1}))
    assert (weight[:4] != before[:4]).all() and torch.equal(weight[4:], before[4:])
    for key, old in state.items():
        assert torch.equal(optimizer.state[weight][key][4:], old[4:]), key


@pytest.mark.parametrize("make_optimizer", OPTIMISERS)
def test_what_two_paths_leave_idle_between_them_is_put_back(make_optimizer):
    """A wide path of small kernels and a narrow one of large kernels use a cross; the smallest box around it is all there is."""
    space = (OneOf(2, 6), OneOf(1, 5))
    net = Supernet(conv2d(3, *opened(space)), space)
    layer: Any = net.module
    optimizer = make_optimizer(layer.parameters())

    def step(*archs: Arch) -> None:
        optimizer.zero_grad(set_to_none=True)
        for arch in archs:
            net.activate(arch)
            net.module(torch.randn(2, 3, 6, 6)).square().mean().backward()
        with net.idle_protected(optimizer):
            optimizer.step()

    step(Arch({"0": 1, "1": 1}))  # momentum everywhere
    idle = torch.ones_like(layer.weight, dtype=torch.bool)
    idle[:2] = False
    idle[:, :, 2, 2] = False
    held = [layer.weight, *(v for v in optimizer.state[layer.weight].values() if v.shape == layer.weight.shape)]
    before = [value.detach().clone() for value in held]
    step(Arch({"0": 1, "1": 0}), Arch({"0": 0, "1": 1}))
    after = [layer.weight, *(v for v in optimizer.state[layer.weight].values() if v.shape == layer.weight.shape)]
    assert len(after) > 1 and all(torch.equal(new[idle], old[idle]) for new, old in zip(after, before, strict=True))
    assert not torch.equal(after[0][~idle], before[0][~idle])
