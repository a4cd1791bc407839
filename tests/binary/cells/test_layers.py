"""Layers of binary cells: counts, packing, and what each paper says of them."""

from __future__ import annotations

from random import Random

import pytest
import torch
from torch import nn

from binary.cells.found import published_network
from binary.cells.grouped import GroupedParts, Within
from binary.cells.kim import XNOR, KimParts
from binary.cells.model import build
from binary.cells.networks import in_space
from binary.cells.parts import Halving
from binary.cells.separable import MEAN
from binary.cells.space import alone, binary_space, standalone
from binary.deploy.conversion import packed
from binary.layers.convolution import Binary, BinaryConv2d
from classification.cells.space import Cell, Edge, Genotype, Node, genotype_of
from common.errors import UserError
from common.space import decode, sample
from tests.binary.deploy.test_conversion import trained

FORMS = ("kim", "separable", "grouped")


def network(form: str, seed: int = 0, **more: object):
    space = binary_space(form=form, nodes=2, width=8, cells=3, classes=3, groups=4)  # pyright: ignore[reportArgumentType]
    return decode(alone(space, width=8, cells=4), sample(space, Random(seed)))


def test_a_grouped_operation_has_the_parameters_of_the_paper():
    net = standalone(genotype_of(published_network("A")), "kim")
    operation = GroupedParts(12).operation("sep_conv_3x3", 36, 1, net)
    scale = 36
    assert sum(p.numel() for p in operation.parameters()) == 1080 + scale
    assert isinstance(operation, Within)
    assert not isinstance(GroupedParts(12).operation("sep_conv_3x3", 36, 2, net), Within)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_packed_network_gives_the_same_bits(form, seed):
    net = trained(build(network(form, seed)), seed)
    images = torch.randn(2, 3, 9, 9, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        assert torch.equal(net(images), packed(net)(images))


@pytest.mark.parametrize("form", FORMS)
def test_networks_that_are_trained_alone_are_binary(form):
    convolutions = [m for m in build(network(form)).modules() if isinstance(m, nn.Conv2d)]
    real = [m for m in convolutions if not isinstance(m, BinaryConv2d)]
    shortcuts = 2 if form == "kim" else 0
    assert len(real) == 1 + shortcuts  # the first convolution, and shortcuts where the resolution halves
    assert len(convolutions) > len(real)


@pytest.mark.parametrize(("precision", "weights", "signs"), [
    ("binary", True, True), ("activations", False, True), ("weights", True, False), ("real", False, False),
])  # fmt: skip
def test_the_precision_of_a_search_says_what_is_binary(precision, weights, signs):
    space = binary_space(form="separable", nodes=2, width=8, cells=3, precision=precision)
    net = build(decode(space, sample(space, Random(3))))
    binary = [m for m in net.modules() if isinstance(m, BinaryConv2d)]
    assert [not m.arithmetic.real for m in binary] == [weights] * len(binary)
    assert any(type(m).__name__ == "Sign" for m in net.modules()) == signs


def test_a_zero_stays_in_the_network_of_a_cell_and_is_no_edge_of_its_cost():
    space, arch = in_space(published_network("A"))
    names = [edge.op for node in decode(space, arch).normal.nodes for edge in node.edges]
    assert names.count("none") == 6
    everything = standalone(
        Genotype(
            normal=Cell(nodes=(Node(edges=(Edge(source=0, op="bin_conv_3x3"), Edge(source=1, op="none"))),), concat=(2,)),
            reduction=Cell(nodes=(Node(edges=(Edge(source=0, op="none"), Edge(source=1, op="none"))),), concat=(2,)),
        ),
        "kim",
        width=16,
        cells=3,
    )
    one, other = trained(build(everything))(torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)))
    assert not torch.equal(one, other)  # shortcuts alone carry images through reduction cells of zeros


def test_the_shortcut_between_cells_is_there_and_carries_images():
    net = standalone(genotype_of(published_network("A")), "kim", width=4, cells=6)
    made = build(net)
    first, _, reduction, normal, *_ = made.get_submodule("cells").children()
    assert first.beside is None
    assert [type(m).__name__ for m in reduction.beside] == ["BatchNorm2d", "Even", "Conv2d"]
    before, last = torch.randn(2, 16, 8, 8), torch.randn(2, 32, 4, 4)
    normal.eval()
    with torch.no_grad():
        with_shortcut = normal(before, last)
        normal.beside = None
        assert torch.allclose(with_shortcut - normal(before, last), last, atol=1e-6)


def test_the_gradient_of_weights_is_that_of_the_released_code():
    """a 1{|w| <= 1} g + sign(w) / n sum(sign(w) g), w centred and limited, a its mean size; there n (1 - 1/c) times as much."""
    rng = torch.Generator().manual_seed(0)
    weight = torch.randn(4, 6, 3, 3, generator=rng).requires_grad_()
    arithmetic = Binary(scale="filter", learnt=True, centred=True)
    seen = arithmetic.seen(weight)
    binary = torch.where(seen >= 0, 1.0, -1.0)
    scale = arithmetic.scales(seen)
    images = torch.randn(2, 6, 5, 5, generator=rng).sign()
    arithmetic(images, weight, (1,), 1, (1,), 1).square().sum().backward()
    values = (binary * scale.reshape(-1, 1, 1, 1)).detach().requires_grad_()
    nn.functional.conv2d(images, values, padding=1).square().sum().backward()
    g, n = values.grad, 54
    w = (weight - weight.mean(1, keepdim=True)).clamp(-1, 1).detach()
    assert torch.equal(seen.detach(), w)
    shared = binary * (binary * g).flatten(1).sum(1).reshape(-1, 1, 1, 1) / n
    wanted = scale.reshape(-1, 1, 1, 1) * (w.abs() <= 1) * g + shared
    torch.testing.assert_close(weight.grad, wanted.detach(), rtol=1e-4, atol=1e-3)
    assert Binary(scale="filter", learnt=True, centred=True) == XNOR


def test_a_filter_of_one_channel_is_not_centred():
    weight = torch.randn(3, 1, 3, 3)
    assert torch.equal(Binary(centred=True).seen(weight), weight)


@pytest.mark.parametrize("side", [4, 5])
def test_halving_takes_signs_and_halves(side):
    made = Halving(4, 6, MEAN, True)
    assert made(torch.randn(2, 4, side, side)).shape == (2, 6, (side + 1) // 2, (side + 1) // 2)


def test_a_width_that_groups_do_not_divide_is_refused():
    space = binary_space(form="grouped", nodes=2, width=8, cells=3, groups=3)
    with pytest.raises(UserError, match="sees 8 channels, in 3 groups"):
        build(decode(space, sample(space, Random(0))))


def test_kims_entries_are_real_in_a_search_alone():
    space = binary_space(form="kim", nodes=2, width=8, cells=3)
    for net, binary in ((space, False), (alone(space, width=8, cells=3), True)):
        entry = KimParts().entry(8, 8, False, net)
        assert any(isinstance(m, BinaryConv2d) for m in entry) == binary  # pyright: ignore[reportGeneralTypeIssues]
