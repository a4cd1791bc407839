"""Law 5 for networks that make pictures, counted by what they put out."""

from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
import torch
from torch import nn

from common.cost.bounds import cheapest, dearest
from common.cost.conventions import conv_linear, output_elements
from common.cost.count import count
from common.cost.price import Price
from common.space import OneOf, decisions, decode, enumerate_all, sample
from common.supernet import Supernet, conv2d, conv_transpose2d, depthwise, instance_norm, opened

IMAGE = torch.zeros(1, 3, 16, 16)


@dataclass(frozen=True)
class Maker:
    stem: Any
    blocks: tuple[Any, ...]
    up: Any
    affine: bool = False


class Separable(nn.Module):
    """A residual block of a fixed trunk with an inner width that is open."""

    def __init__(self, trunk: int, inner: Any, affine: bool) -> None:
        super().__init__()
        self.narrow = nn.Sequential(
            depthwise(trunk, 3, padding_mode="reflect"), instance_norm(trunk, affine=affine), conv2d(trunk, inner, 1)
        )
        self.norm = instance_norm(inner, affine=affine)
        self.spatial = depthwise(inner, 3, padding_mode="reflect")
        self.wide = conv2d(inner, trunk, 3, padding_mode="reflect")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.wide(self.spatial(torch.relu(self.norm(self.narrow(x)))))


def build(net: Maker) -> nn.Module:
    """A generator: down, blocks, and up by transposed convolutions."""
    return nn.Sequential(
        conv2d(3, net.stem, 7, padding_mode="reflect"),
        instance_norm(net.stem, affine=net.affine),
        nn.ReLU(),
        conv2d(net.stem, 8, 3, 2),
        *(Separable(8, inner, net.affine) for inner in net.blocks),
        conv_transpose2d(8, net.up, 3, 2),
        instance_norm(net.up, affine=net.affine),
        nn.ReLU(),
        conv_transpose2d(net.up, 4, 3, 2, bias=False),
        nn.InstanceNorm2d(4),
        conv2d(4, 3, 7, padding_mode="reflect"),
        nn.Tanh(),
    )


def space(blocks: int, affine: bool = False) -> Maker:
    return Maker(OneOf(2, 4), tuple(OneOf(3, 5, 8) for _ in range(blocks)), OneOf(2, 3, 6), affine)


@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("convention", [output_elements, conv_linear])
def test_price_is_the_cost_of_the_extracted_and_of_the_built_generator(affine, convention):
    small = space(2, affine)
    supernet = Supernet(build(opened(small)), small)
    price = Price(supernet.module, (IMAGE,), small, convention=convention)
    for i, arch in enumerate(enumerate_all(small)):
        built = count(build(decode(small, arch)), (IMAGE,), convention=convention)
        assert price.price(arch) == {"params": built.params, "macs": built.macs}, arch
        if i % 9 == 0:
            assert count(supernet.extract(arch, build), (IMAGE,), convention=convention) == built


def test_the_two_conventions_price_the_same_generator_apart():
    """By the output: three quarters of both transposed convolutions more, and the norms."""
    small = space(0)
    module = build(opened(small))
    by_output, computed = (Price(module, (IMAGE,), small, convention=c) for c in (output_elements, conv_linear))
    for arch in enumerate_all(small):
        stem, up = small.stem.options[arch["stem"]], small.up.options[arch["up"]]
        more = 3 * (8 * up * 9 * 64 + up * 4 * 9 * 256)
        norms = stem * 256 + up * 256 + 4 * 1024
        assert by_output.price(arch)["macs"] - computed.price(arch)["macs"] == more + norms


def test_reflected_edges_do_not_tie_the_costs_of_blocks_together():
    """Each table is of one width, however long the chain."""
    long = space(12)
    price = Price(build(opened(long)), (IMAGE,), long, convention=output_elements)
    assert max(map(len, price.tables)) == 1 and price.traces <= 5
    rng = Random(0)
    for _ in range(3):
        arch = sample(long, rng)
        built = count(build(decode(long, arch)), (IMAGE,), convention=output_elements)
        assert price.price(arch) == {"params": built.params, "macs": built.macs}
    low, high = cheapest(price, "macs"), dearest(price, "macs")
    assert low.exact and set(low.arch.values()) == {0}
    assert high.exact and all(arch == len(decisions(long)[path]) - 1 for path, arch in high.arch.items())
