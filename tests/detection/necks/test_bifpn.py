"""BiFPN's modules: counts, fusion, sizes that do not divide, and open decisions."""

from random import Random

import pytest
import torch

from common.errors import UserError
from common.space import OneOf, Repeat, decode, sample
from common.supernet import Supernet, opened
from detection.necks.bifpn import BiFPNNeck, Fuse
from detection.necks.layered import BiFPN, BiFPNLayer


def neck(fusion="fast", layers=2, **options) -> BiFPNNeck:
    net = BiFPN(width=16, levels=(3, 4, 5, 6), layers=(BiFPNLayer(fusion=fusion),) * layers, **options)
    return BiFPNNeck(net, (8, 12, 16), (8, 16, 32)).eval()


def maps(*sizes: tuple[int, int]) -> tuple[torch.Tensor, ...]:
    return tuple(torch.randn(2, c, *size) for c, size in zip((8, 12, 16), sizes, strict=True))


@pytest.mark.parametrize(("fusion", "scalars"), [("fast", 19), ("softmax", 19), ("sum", 0)])
def test_a_layer_has_the_parameters_of_the_closed_form(fusion, scalars):
    w = 64
    net = BiFPN(width=w, layers=(BiFPNLayer(fusion=fusion),) * 2)
    layers = BiFPNNeck(net, (40, 112, 320), (8, 16, 32)).layers
    assert sum(p.numel() for p in layers[1].parameters()) == 8 * (w * w + 12 * w) + scalars


def test_weights_of_a_fusion_are_positive_and_add_up_to_one():
    fast, soft = Fuse("fast", 3), Fuse("softmax", 3)
    for fuse in (fast, soft):
        fuse.weights.data = torch.tensor([1.0, -2.0, 3.0])
        scales = fuse.scales().detach()
        assert scales.min() >= 0
        assert float(scales.sum()) == pytest.approx(1, abs=1e-4)
    assert fast.scales()[1] == 0
    x = [torch.full((1, 1, 1, 1), float(v)) for v in (1, 10, 100)]
    assert float(fast(x).detach()) == pytest.approx((1 + 300) / 4, rel=1e-4)
    assert float(Fuse("sum", 3)(x)) == 111


def test_a_rule_that_does_not_exist_is_refused():
    with pytest.raises(UserError, match=r"fusion 'max' does not exist; choose one of fast, softmax, sum"):
        Fuse("max", 2)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("wiring", ["bifpn", "panet", "fpn"])
@pytest.mark.parametrize("fusion", ["fast", "sum"])
def test_the_pyramid_has_a_map_of_every_level_and_leaves_its_inputs_alone(wiring, fusion):
    x = maps((13, 17), (7, 9), (4, 5))  # no power of two divides them
    before = [t.clone() for t in x]
    out = neck(fusion, wiring=wiring)(x)
    assert [tuple(t.shape) for t in out] == [(2, 16, 13, 17), (2, 16, 7, 9), (2, 16, 4, 5), (2, 16, 2, 3)]
    assert all(torch.equal(a, b) for a, b in zip(x, before, strict=True))


def test_a_node_of_one_input_does_not_change_what_others_read():
    """In the first layer of `panet` the last map is read by two nodes; its own node runs a swish in place on a sum of one."""
    net = BiFPN(width=16, levels=(3, 4, 5), layers=(BiFPNLayer(fusion="sum"),), wiring="panet")
    module = BiFPNNeck(net, (16, 16, 16), (8, 16, 32)).eval()
    x = tuple(torch.randn(1, 16, n, n) for n in (8, 4, 2))
    before = x[2].clone()
    module(x)
    assert torch.equal(x[2], before)


def test_fusion_and_depth_can_be_decisions():
    space = BiFPN(width=8, levels=(3, 4, 5), layers=Repeat(BiFPNLayer(fusion=OneOf("fast", "sum")), OneOf(1, 2, 3)))
    supernet = Supernet(BiFPNNeck(opened(space), (8, 8, 8), (8, 16, 32)).eval(), space)
    x = tuple(torch.randn(1, 8, n, n) for n in (8, 4, 2))
    for seed in range(6):
        arch = sample(space, Random(seed))
        supernet.activate(arch)
        alone = supernet.extract(arch, lambda net: BiFPNNeck(net, (8, 8, 8), (8, 16, 32))).eval()
        assert len(alone.layers) == len(decode(space, arch).layers)
        assert all(torch.equal(a, b) for a, b in zip(supernet.module(x), alone(x), strict=True))


def test_levels_begin_with_those_of_the_backbone():
    with pytest.raises(UserError, match=r"levels \(3, 4\): their strides \(8, 16\) do not begin with the backbone's \(4, 8\)"):
        BiFPNNeck(BiFPN(width=8, levels=(3, 4), layers=(BiFPNLayer(),)), (8, 8), (4, 8))
