"""`check` passes on right build functions and names what is wrong with others."""

from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from common.cost.conventions import output_elements
from common.errors import UserError
from common.space import OneOf, Repeat
from common.supernet import Checked, batch_norm, check, choose, conv2d, fmap, linear, opened, repeat
from common.supernet.features import ElasticLinear
from common.supernet.open import Open, largest


@dataclass(frozen=True)
class Net:
    width: Any = OneOf(4, 8)
    hidden: Any = OneOf(1, 2)
    act: Any = OneOf("relu", "gelu")
    blocks: Any = Repeat(OneOf(1, 3), OneOf(1, 2))


ACTS = {"relu": nn.ReLU, "gelu": nn.GELU}
IMAGES = [torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(0))]


class Residual(nn.Module):
    def __init__(self, width: Any, hidden: Any, kernel: Any, act: Any) -> None:
        super().__init__()
        wide = fmap(lambda width, times: width * times, width, hidden)
        layers = (conv2d(width, wide, kernel), batch_norm(wide), choose(act, lambda name: ACTS[name]()), conv2d(wide, width, 1))
        self.body = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


def right(net: Net) -> nn.Module:
    body = repeat(net.blocks, lambda _, kernel: Residual(net.width, net.hidden, kernel, net.act))
    return nn.Sequential(conv2d(3, net.width, 3), body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear(net.width, 5))


def test_a_right_build_function_passes_and_leaves_no_trace():
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    found = check(right, Net(), IMAGES, archs=12)
    assert found.archs == 12 and found.params[0] < found.params[1] and found.macs[0] < found.macs[1]
    assert torch.equal(torch.random.get_rng_state(), before)
    assert check(right, Net(), IMAGES, archs=12) == found
    assert check(right, Net(blocks=Repeat(OneOf(1, 3), 1), act="relu"), IMAGES, archs=50).archs == 8


def test_as_many_architectures_as_asked_for_are_tried_by_the_convention_given():
    space = {"width": OneOf(*range(1, 11))}

    def build(net: Any) -> nn.Module:
        return nn.Sequential(conv2d(3, net["width"], 1), batch_norm(net["width"]))

    found = check(build, space, IMAGES)
    assert found.archs == 8
    counted = check(build, space, IMAGES, convention=output_elements)
    assert counted.params == found.params
    assert counted.macs == tuple(n + n // 3 for n in found.macs)  # of the norm, one for each output element


def test_what_a_network_gives_may_be_nested():
    class Two(nn.Module):
        def __init__(self, net: Any) -> None:
            super().__init__()
            self.a, self.b = linear(4, net["width"]), linear(4, 3)

        def forward(self, x: Tensor) -> dict[str, Any]:
            return {"a": self.a(x), "more": (self.b(x), [x])}

    assert isinstance(check(Two, {"width": OneOf(2, 5)}, [torch.ones(2, 4)]), Checked)


def test_memory_in_another_order_is_no_mistake():
    found = check(lambda net: right(net).to(memory_format=torch.channels_last), Net(), IMAGES, archs=12)
    assert found == check(right, Net(), IMAGES, archs=12)


def test_inputs_and_a_number_that_cannot_be_are_refused():
    with pytest.raises(UserError, match=r"inputs is a tensor of shape \(2, 3, 6, 6\); give the list"):
        check(right, Net(), IMAGES[0])
    with pytest.raises(UserError, match="archs=0: give 1 or more"):
        check(right, Net(), IMAGES, archs=0)


def test_errors_of_a_build_function_are_its_own():
    def wrong(net: Net) -> nn.Module:
        raise TypeError("of its own")

    with pytest.raises(TypeError, match="of its own"):
        check(wrong, Net(), IMAGES)


# ---- mistakes


def asks_which_it_has(net: Net) -> nn.Module:
    act = nn.GELU() if isinstance(net.act, Open) else nn.ReLU()
    return nn.Sequential(conv2d(3, net.width, 3), act, choose(net.act, lambda _: nn.Identity()), linear_head(net))


def linear_head(net: Net) -> nn.Module:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear(net.width, 5))


class Gain(nn.Module):
    """Slices a parameter of its own."""

    def __init__(self, width: Any) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.rand(largest(width)))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gain[: x.shape[1], None, None]


class Middle(Gain):
    """Slices the middle of it."""

    def forward(self, x: Tensor) -> Tensor:
        start = (len(self.gain) - x.shape[1]) // 2
        return x * self.gain[start : start + x.shape[1], None, None]


def with_parameter(kind: type[Gain]) -> Any:
    return lambda net: nn.Sequential(conv2d(3, net.width, 3), kind(net.width), linear_head(net))


class Shrunk(nn.Module):
    """Divides by the number of channels, as it was when the network was built."""

    def __init__(self, width: Any) -> None:
        super().__init__()
        self.width = largest(width)

    def forward(self, x: Tensor) -> Tensor:
        return x / self.width


class Unguarded(ElasticLinear):
    """An elastic layer that takes all of its weights for used."""

    def regions(self, name: str, region: tuple[int, ...]) -> tuple[slice, ...]:
        return tuple(slice(n) for n in getattr(self, name).shape)

    def forward(self, input: Tensor) -> Tensor:
        n = self.out.value()
        self.note((n, input.shape[-1]))
        return nn.functional.linear(input, self.weight[:n, : input.shape[-1]], self.bias[:n])


def unguarded(net: Net) -> nn.Module:
    flat = Unguarded(5, net.width, bias=True) if isinstance(net.width, Open) else nn.Linear(5, net.width)
    return nn.Sequential(conv2d(3, 5, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), flat)


class Two(ElasticLinear):
    """An elastic layer that computes its output twice."""

    def forward(self, input: Tensor) -> Tensor:
        super().forward(input)
        return super().forward(input)


def counted_twice(net: Net) -> nn.Module:
    flat = Two(5, net.width, bias=True) if isinstance(net.width, Open) else nn.Linear(5, net.width)
    return nn.Sequential(conv2d(3, 5, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), flat)


class Several(nn.Module):
    """Gives one tensor more in the supernet."""

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.stem, self.more = conv2d(3, net.width, 3), isinstance(net.width, Open)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return (self.stem(x), x) if self.more else (self.stem(x),)


COUNTER = [0]


def reads_a_global(net: Net) -> nn.Module:
    COUNTER[0] += 1
    return nn.Sequential(conv2d(3, net.width, 1 if COUNTER[0] % 2 else 3), linear_head(net))


def draws_from_numpy(net: Net) -> nn.Module:
    layer = nn.Conv2d(3, 3, 1)
    nn.init.constant_(layer.weight, float(np.random.rand()))
    return nn.Sequential(layer, conv2d(3, net.width, 3), linear_head(net))


def draws_from_python(net: Net) -> nn.Module:
    return nn.Sequential(
        *[nn.Linear(6, 6) for _ in range(1 + int(RANDOM.random() * 9))], conv2d(3, net.width, 3), linear_head(net)
    )


RANDOM = Random(0)


def opens_twice(net: Net) -> nn.Module:
    other = opened(WIDTH).width if isinstance(net.width, Open) else net.width
    return nn.Sequential(conv2d(3, net.width, 3), conv2d(net.width, other, 1), linear_head(net))


def names_parts_by_kind(net: Net) -> nn.Module:
    name = "open" if isinstance(net.width, Open) else "fixed"
    return nn.Sequential(nn.ModuleDict({name: conv2d(3, net.width, 3)})[name], linear_head(net)).append(
        nn.ModuleDict({name: nn.Linear(5, 5)})[name] if name == "open" else nn.Sequential(nn.Linear(5, 5))
    )


def widest_of_all(net: Net) -> nn.Module:
    extra = nn.Conv2d(3, 3, 1) if isinstance(net.width, Open) else nn.Conv2d(3, 3, 1, bias=False)
    return nn.Sequential(extra, conv2d(3, net.width, 3), linear_head(net))


class Keeps(nn.Module):
    """Keeps the part of a supernet in the network."""

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.stem = conv2d(3, opened(WIDTH).width, 3) if not isinstance(net.width, Open) else conv2d(3, net.width, 3)
        self.head = linear_head(net)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.stem(x))


WIDTH = Net(hidden=1, act="relu", blocks=())
PRETRAINED = nn.Conv2d(3, 3, 1)


def one_backbone(net: Net) -> nn.Module:
    return nn.Sequential(PRETRAINED, conv2d(3, net.width, 3), linear_head(net))


class FixedGain(nn.Module):
    """Slices a parameter that is as large in every network."""

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.stem, self.gain, self.head = conv2d(3, net.width, 3), nn.Parameter(torch.ones(8)), linear_head(net)

    def forward(self, x: Tensor) -> Tensor:
        h = self.stem(x)
        return self.head(h * self.gain[: h.shape[1], None, None])


class FixedTokens(nn.Module):
    """Takes a part of a parameter, the same one in every network: nothing of it is idle."""

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.gain, self.stem, self.head = nn.Parameter(torch.ones(8)), conv2d(3, net.width, 3), linear_head(net)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.stem(x * self.gain[:3, None, None] + self.gain[3:6, None, None]))


class Listed(nn.Module):
    """Keeps a layer in a list of Python."""

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.layers, self.head = [conv2d(3, net.width, 3)], linear_head(net)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layers[0](x))


class Noisy(nn.Module):
    def __init__(self, net: Net) -> None:
        super().__init__()
        self.net = nn.Sequential(conv2d(3, net.width, 3), linear_head(net))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x + torch.rand_like(x))


def test_a_part_of_a_parameter_that_every_network_takes_is_no_mistake():
    assert check(FixedTokens, WIDTH, IMAGES).archs == 2


def test_a_refused_backbone_is_left_as_it_was():
    before = PRETRAINED.weight.detach().clone()
    with pytest.raises(UserError, match="to every network that it builds"):
        check(one_backbone, WIDTH, IMAGES)
    assert torch.equal(PRETRAINED.weight, before)


MISTAKES = {
    "one backbone for all": (one_backbone, WIDTH, "the build function gives '0.weight' to every network that it builds, so that"),
    "own parameter, sliced from one size": (FixedGain, WIDTH, "FixedGain takes a part of its parameter '.*gain' itself"),
    "a layer in a list": (Listed, WIDTH, "no module of the supernet reads decision 'width'|in an nn.ModuleList"),
    "random in eval mode": (Noisy, WIDTH, "the network gives other outputs for the same inputs in eval mode"),
    "no module": (lambda net: None, WIDTH, "build gave None, which is no torch.nn.Module; return the network"),
    "a number": (lambda net: 3, WIDTH, "build gave a int, which is no"),
    "nothing to train": (
        lambda net: nn.Sequential(conv2d(3, net.width, 3), linear_head(net)).requires_grad_(False),
        WIDTH,
        "no parameter of the supernet is trainable",
    ),
    "no decision": (right, Net(4, 1, "relu", (1,)), "the space has no decision: open one"),
    "torch's layer": (
        lambda net: nn.Sequential(conv2d(3, net.width, 3), nn.Linear(net.width, 2)),
        WIDTH,
        "hands an open value to",
    ),
    "attribute of an option": (lambda net: linear(2, net.width.size), WIDTH, "'width' is open, .* reads its attribute 'size'"),
    "other outputs": (Several, WIDTH, "the extracted network gives other outputs"),
    "unread decision": (with_parameter(nn.Identity), Net(hidden=1, blocks=()), "no module of the supernet reads decision 'act'"),
    "asks which it has": (asks_which_it_has, Net(hidden=1, blocks=()), "the extracted network gives other outputs"),
    "own parameter, sliced": (
        with_parameter(Gain),
        WIDTH,
        "Gain takes a part of its parameter '1.gain' itself, .*; make it parameter",
    ),
    "own parameter, its middle": (with_parameter(Middle), WIDTH, "Middle takes a part of its parameter '1.gain' itself"),
    "reads the largest": (with_parameter(Shrunk), WIDTH, "the extracted network gives other outputs"),
    "idle weights": (unguarded, WIDTH, "a step changes '3.weight' outside of the part that its path uses"),
    "price": (counted_twice, WIDTH, "multiply-adds by count, but .* by the supernet's table"),
    "global": (reads_a_global, WIDTH, "two networks of one description: '0.weight' differs"),
    "numpy": (draws_from_numpy, WIDTH, "two networks of one description: '0.weight' differs"),
    "dropout of numpy": (
        lambda net: nn.Sequential(conv2d(3, net.width, 3), linear_head(net), nn.Dropout(np.random.uniform(0.2, 0.8))),
        WIDTH,
        "two networks of one description give other outputs in training",
    ),
    "random": (draws_from_python, WIDTH, "two networks of one description: .* exists in one of them only"),
    "opened twice": (opens_twice, WIDTH, "'width' through two slots"),
    "other names": (names_parts_by_kind, WIDTH, "names its parts differently when settled: '2"),
    "other layers": (widest_of_all, WIDTH, "names its parts differently when settled: '0.bias'"),
    "open part in a network": (Keeps, WIDTH, "the network keeps a part of supernets, ElasticConv2d"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_named(mistake):
    build, space, says = MISTAKES[mistake]
    with pytest.raises(UserError, match=says) as refused:
        check(build, space, IMAGES)
    assert "\n" not in str(refused.value)
