"""A module that takes a part of its own parameter is named by `check`, however it takes it: nothing guards the idle part."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from common.errors import UserError
from common.space import Arch, OneOf
from common.supernet import Supernet, check, linear, opened
from common.supernet.effects import used_in_part
from common.supernet.slicing import Slices

WAYS: dict[str, Callable[[Tensor, int], Tensor]] = {
    "index": lambda gain, n: gain[0, :n],
    "narrow": lambda gain, n: gain.narrow(1, 0, n)[0],
    "split": lambda gain, n: gain.split([n, 8 - n], 1)[0][0],
    "tensor_split": lambda gain, n: torch.tensor_split(gain, (n,), 1)[0][0],
    "gather": lambda gain, n: gain.gather(1, torch.arange(n)[None])[0],
    "take": lambda gain, n: gain.take(torch.arange(n)),
    "as_strided": lambda gain, n: gain.as_strided((n,), (1,)),
    "masked_select": lambda gain, n: gain.masked_select(torch.arange(8)[None] < n),
    "view": lambda gain, n: gain.view(-1)[:n],
    "transposed": lambda gain, n: gain.t()[:n, 0],
    "data": lambda gain, n: gain.data[0, :n],
    "of a sum": lambda gain, n: torch.zeros(1, 8).add(gain)[0, :n],
    "of a copy": lambda gain, n: gain.clone()[0, :n],
    "of a product": lambda gain, n: (torch.eye(8) @ gain.t())[:n, 0],
    "hsplit": lambda gain, n: torch.hsplit(gain, (n,))[0][0],
}


@pytest.mark.parametrize("way", WAYS)
def test_a_part_of_an_own_parameter_is_named(way):
    class Gain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gain = nn.Parameter(torch.rand(1, 8))

        def forward(self, x: Tensor) -> Tensor:
            return x * WAYS[way](self.gain, x.shape[-1])

    def build(net: dict) -> nn.Module:
        return nn.Sequential(linear(4, net["width"]), Gain(), linear(net["width"], 2))

    with pytest.raises(UserError, match=r"Gain takes a part of its parameter '1\.gain' itself.*make it parameter"):
        check(build, {"width": OneOf(3, 5, 8)}, [torch.ones(2, 4)])


def test_parts_that_are_the_same_for_every_width_are_no_mistake():
    class Halves(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.rand(8, 4))

        def forward(self, x: Tensor) -> Tensor:
            one, other = self.weight.chunk(2)
            return x @ one.t() + x @ other.t()

    space = {"width": OneOf(3, 5)}
    build = lambda net: nn.Sequential(Halves(), linear(4, net["width"]))  # noqa: E731
    assert build(opened(space)) is not None
    assert check(build, space, [torch.ones(2, 4)]).archs == 2


def test_tensors_without_memory_of_their_own_are_looked_at_as_well():
    gain = nn.Parameter(torch.rand(8))
    with Slices({"gain": gain, "nowhere": nn.Parameter(torch.rand(4, device="meta"))}) as slices:
        assert torch.eye(3).to_sparse()[1].to_dense().tolist() == [0, 1, 0]
        assert torch.ones(8, device="meta")[:3].shape == (3,)
        assert slices.taken == {}
        gain[:3]
    assert slices.taken == {"gain": {torch.Size([3])}}


def test_a_rectifier_that_is_off_is_no_mistake():
    """Half of the gains get no gradient from a batch of two, other ones for other widths."""

    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bias = nn.Parameter(torch.rand(64))

        def forward(self, x: Tensor) -> Tensor:
            return (x.mean(-1, keepdim=True) + self.bias).relu()

    build = lambda net: nn.Sequential(linear(4, net["width"]), Gated(), nn.ReLU(), nn.Linear(64, 2))  # noqa: E731
    for seed in range(4):
        assert check(build, {"width": OneOf(3, 5, 8)}, [torch.ones(2, 4)], seed=seed).archs == 3


def test_weights_are_as_they_were_after_the_look():
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gain = nn.Parameter(torch.ones(()))

        def forward(self, x: Tensor) -> Tensor:
            return x * self.gain

    space = {"width": OneOf(3, 5)}
    net = Supernet(nn.Sequential(linear(4, opened(space)["width"]), Own()), space)
    before = {name: value.clone() for name, value in net.module.state_dict().items()}
    assert list(used_in_part(net, ["1.gain"], [Arch({"width": 0}), Arch({"width": 1})], [torch.ones(2, 4)])) == []
    assert all(torch.equal(value, before[name]) for name, value in net.module.state_dict().items())
    assert all(p.grad is None for p in net.module.parameters())
