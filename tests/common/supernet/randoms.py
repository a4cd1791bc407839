"""Random small networks with open decisions: residuals, attention, own parameters, nested choices, repeats, subsets.

A description knows how to build its module, whether its fields are open or fixed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

import torch
from torch import Tensor, nn

from common.space import ManyOf, OneOf, Repeat
from common.space.walk import parts
from common.supernet import (
    attention,
    batch_norm,
    choose,
    choose_inputs,
    choose_many,
    conv2d,
    depthwise,
    fmap,
    group_norm,
    instance_norm,
    layer_norm,
    linear,
    parameter,
    repeat,
)

ACTS = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU}
NORMS: dict[str, Callable[[Any], nn.Module]] = {
    "batch": batch_norm,
    "instance": lambda width: instance_norm(width, affine=True),
    "group": lambda width: group_norm(2, width),
    "groups": lambda width: group_norm(fmap(lambda width: width // 2, width), width),
}


class Added(nn.Module):
    """A module whose input is added to its output."""

    def __init__(self, *body: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(*body)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class Times(nn.Module):
    """A product with a parameter."""

    def __init__(self, factor: nn.Module) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor()


class Tokens(nn.Module):
    """An image as tokens, with a class token and positions in front."""

    def __init__(self, width: Any) -> None:
        super().__init__()
        self.token = parameter((1, 1, width), init=nn.init.normal_)
        self.position = parameter((1, 17, width), init=lambda table: nn.init.trunc_normal_(table, std=0.5))

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(2).transpose(1, 2)
        return torch.cat((self.token().expand(len(x), -1, -1), x), 1) + self.position()


@dataclass(frozen=True)
class Residual:
    hidden: Any
    kernel: Any
    act: Any
    norm: str

    def make(self, width: Any) -> nn.Module:
        wide = fmap(lambda width, times: width * times, width, self.hidden)
        first = (conv2d(width, wide, self.kernel), NORMS[self.norm](wide), choose(self.act, lambda act: ACTS[act]()))
        return Added(*first, conv2d(wide, width, 1, bias=False))


@dataclass(frozen=True)
class Grouped:
    kernel: Any
    fixed: bool

    def make(self, width: Any) -> nn.Module:
        groups = 2 if self.fixed else fmap(lambda width: width // 4, width)
        return conv2d(width, width, self.kernel, groups=groups)


@dataclass(frozen=True)
class Separable:
    kernel: Any
    out: Any

    def make(self, width: Any) -> nn.Module:
        return nn.Sequential(depthwise(width, self.kernel), conv2d(width, self.out, 1), nn.ReLU(), conv2d(self.out, width, 1))


@dataclass(frozen=True)
class Gain:
    def make(self, width: Any) -> nn.Module:
        return Times(parameter((width, 1, 1), init=nn.init.normal_))


@dataclass(frozen=True)
class TokenGain:
    def make(self, width: Any) -> nn.Module:
        return Times(parameter((width,), init=nn.init.normal_))


@dataclass(frozen=True)
class Attend:
    heads: Any

    def make(self, width: Any) -> nn.Module:
        return Added(layer_norm(width), attention(width, self.heads, head_dim=2))


@dataclass(frozen=True)
class Feed:
    ratio: Any
    act: Any

    def make(self, width: Any) -> nn.Module:
        wide = fmap(lambda width, ratio: ratio * width, width, self.ratio)
        return Added(layer_norm(width), linear(width, wide), choose(self.act, lambda act: ACTS[act]()), linear(wide, width))


@dataclass(frozen=True)
class Skip:
    def make(self, width: Any) -> nn.Module:
        return nn.Identity()


@dataclass(frozen=True)
class Either:
    option: Any

    def make(self, width: Any) -> nn.Module:
        return choose(self.option, lambda part: part.make(width))


@dataclass(frozen=True)
class Chain:
    items: Any

    def make(self, width: Any) -> nn.Module:
        return repeat(self.items, lambda _, part: part.make(width))


@dataclass(frozen=True)
class Several:
    members: Any

    def make(self, width: Any) -> nn.Module:
        return choose_many(self.members, lambda part: part.make(width))


@dataclass(frozen=True)
class Net:
    """A network of a stem, parts on images, a sum of some of their outputs, parts on tokens (or none), and a head."""

    width: Any
    images: tuple[Any, ...]
    taken: Any  # positions of the outputs that are summed
    tokens: tuple[Any, ...]
    act: Any
    unread: Any = field(default=None)


class Network(nn.Module):
    def __init__(self, net: Net) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv2d(3, net.width, 3), choose(net.act, lambda act: ACTS[act]()))
        self.images = nn.ModuleList(part.make(net.width) for part in net.images)
        self.taken = choose_inputs(net.taken)
        self.tokens = nn.Sequential(Tokens(net.width), *(part.make(net.width) for part in net.tokens)) if net.tokens else None
        self.head = linear(net.width, 5)

    def forward(self, x: Tensor) -> Tensor:
        outputs = [self.stem(x)]
        for part in self.images:
            outputs.append(part(outputs[-1]))
        x = self.taken(outputs)
        return self.head(x.mean((2, 3)) if self.tokens is None else self.tokens(x).mean(1))


def options(rng: Random, *values: Any) -> Any:
    """A decision between some of the values, or one of them."""
    taken = rng.sample(values, rng.randint(1, min(3, len(values))))
    return OneOf(*taken) if len(taken) > 1 else taken[0]


def part(rng: Random, image: bool, depth: int = 2) -> Any:
    """A random part; choices, repeats and subsets hold others, `depth` deep."""
    acts = options(rng, *ACTS)
    kinds: list[Callable[[], Any]] = [
        lambda: Residual(options(rng, 1, 2, 3), options(rng, 1, 3, 5), acts, rng.choice([*NORMS])),
        lambda: Grouped(options(rng, 1, 3, 5), rng.random() < 0.5),
        lambda: Separable(options(rng, 3, 5), options(rng, 3, 5, 6)),
        lambda: Gain(),
    ]
    if not image:
        kinds = [lambda: Attend(options(rng, 1, 2, 3)), lambda: Feed(options(rng, 1, 2, 3), acts), lambda: TokenGain()]
    holding: list[Callable[[], Any]] = [
        lambda: Either(OneOf(part(rng, image, depth - 1), Skip())),
        lambda: Either(OneOf(*(make() for make in rng.sample(kinds, 2)))),
        lambda: Chain(Repeat(part(rng, image, depth - 1), OneOf(*rng.sample((0, 1, 2), 2)))),
        lambda: Several(ManyOf([make() for make in rng.sample(kinds, 3)], 1, 2)),
    ]
    return rng.choice(holding if depth and rng.random() < 0.5 else kinds)()


def random_space(seed: int) -> Net:
    """The space of a random network; `Network` is its build function."""
    rng = Random(seed)
    images = tuple(part(rng, image=True) for _ in range(rng.randint(1, 2)))
    tokens = tuple(part(rng, image=False) for _ in range(rng.choice((0, 1, 2))))
    taken = ManyOf(range(len(images) + 1), 1, rng.randint(1, 2)) if rng.random() < 0.5 else (len(images),)
    return Net(OneOf(*rng.sample((4, 8, 12), 2)), images, taken, tokens, options(rng, *ACTS))


KINDS = (Residual, Grouped, Separable, Gain, TokenGain, Attend, Feed, Skip, Either, Chain, Several)


def walk(space: Any) -> Iterator[Any]:
    """A description and all parts of it."""
    yield space
    for _, inner in parts(space, ""):
        yield from walk(inner)


IMAGES = [torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))]
