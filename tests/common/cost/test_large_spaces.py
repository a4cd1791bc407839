"""Prices of many decisions of 50 options each: exact, and in seconds. `pytest -m soak tests/common/cost` has the largest."""

import itertools
import time
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
import torch
from torch import nn

from common.cost.count import count
from common.cost.price import Price
from common.space import OneOf, decode, sample
from common.supernet import batch_norm, choose, conv2d, linear, opened


@dataclass(frozen=True)
class Chain:
    """One decision a layer."""

    layers: tuple[Any, ...]


def widths(net: Chain) -> nn.Module:
    """Linear layers of elastic width: neighbours decide on a layer together."""
    sizes = [8, *net.layers, 4]
    return nn.Sequential(*(nn.Sequential(linear(a, b), nn.ReLU()) for a, b in itertools.pairwise(sizes)))


def channels(net: Chain) -> nn.Module:
    """Convolutions of elastic width with a norm."""
    sizes = [8, *net.layers]
    pairs = itertools.pairwise(sizes)
    return nn.Sequential(*(nn.Sequential(conv2d(a, b, 3), batch_norm(b), nn.ReLU()) for a, b in pairs))


def alternatives(net: Chain) -> nn.Module:
    """A choice of 50 modules in each place."""
    return nn.Sequential(*(choose(of, lambda k: nn.Sequential(nn.Linear(8, k), nn.Linear(k, 8))) for of in net.layers))


INPUTS = {widths: torch.rand(1, 8), channels: torch.rand(1, 8, 6, 6), alternatives: torch.rand(1, 8)}
LIMITS = {5: 5, 10: 5, 20: 10, 50: 20, 200: 30}
"""Number of decisions -> seconds until the first price is known."""
QUICK = [(widths, 50), (channels, 20), (alternatives, 20)]
REST = [(build, n) for build in INPUTS for n in LIMITS if (build, n) not in QUICK]


@pytest.mark.parametrize(("build", "n"), [*QUICK, *(pytest.param(*case, marks=pytest.mark.soak) for case in REST)])
def test_many_decisions_of_fifty_options_are_priced_exactly_in_seconds(build, n):
    space, x = Chain(tuple(OneOf(*range(1, 51)) for _ in range(n))), INPUTS[build]
    module, rng = build(opened(space)), Random(n)
    start = time.monotonic()
    price = Price(module, (x,), space)
    archs = [sample(space, rng) for _ in range(3)]
    prices = [price.price(archs[0])]
    seconds = time.monotonic() - start
    print(f"{build.__name__}, {n} decisions: {seconds:.2f} s")
    prices += price.price_many(archs[1:])
    counts = [count(build(decode(space, arch)), (x,)) for arch in archs]
    assert prices == [{"params": built.params, "macs": built.macs} for built in counts]
    assert seconds < LIMITS[n]
