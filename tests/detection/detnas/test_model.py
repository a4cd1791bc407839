"""The blocks and networks of DetNAS against the release's definitions and the counts in print."""

from random import Random

import pytest
import torch
from torch import nn

from common.cost.count import count
from common.run.checkpoint import load_weights, save_weights
from common.space import decode, sample
from common.supernet import Supernet, opened
from detection.backbones.shufflenet import ShuffleNetBackbone
from detection.detnas.model import build
from detection.detnas.networks import TINY, spaces
from detection.detnas.space import arch_of_genes, classifier, parse_genes, published_classifier, uniform_arch


def test_convolutions_have_a_bias_in_the_stem_and_the_last_one_only():
    net = build(decode(*published_classifier("COCO_FPN_300M")))
    biased = [name for name, m in net.named_modules() if isinstance(m, nn.Conv2d) and m.bias is not None]
    assert biased == ["backbone.stem.conv", "last.conv"]


def test_maps_have_the_strides_and_channels_announced():
    space = classifier("300M").backbone
    body = ShuffleNetBackbone(decode(space, uniform_arch(space, 0)), finest=8)
    maps = body(torch.randn(1, 3, 64, 96))
    assert body.strides == (8, 16, 32)
    assert body.channels == (160, 320, 640)
    assert [tuple(m.shape[1:]) for m in maps] == [(c, 64 // s, 96 // s) for c, s in zip(body.channels, body.strides)]


LARGE = "0 0 3 1 2 1 0 2 0 3 1 2 3 3 2 0 2 1 1 3 2 0 2 2 2 1 3 1 0 3 3 3 1 3 3 3 3 3 3 3"


@pytest.mark.parametrize(
    ("space", "genes", "params", "macs", "macs_backbone"),
    [
        ("300M", "2 1 2 0 | 2 1 1 2 | 3 3 1 3 0 0 3 1 | 3 1 3 2", 3_533_112, 321.22, 288.08),
        ("300M", "2 3 1 1 | 3 2 1 3 | 3 1 1 1 3 3 2 0 | 3 3 3 3", 3_725_320, 324.34, 291.21),
        ("300M", "2 1 0 3 | 1 3 0 3 | 2 0 1 1 3 3 3 3 | 3 3 3 1", 3_651_128, 349.52, 316.39),
        ("300M", "0 " * 20, 3_156_920, 295.84, 262.71),
        ("300M", "1 " * 20, 3_214_008, 313.65, 280.52),
        ("300M", "2 " * 20, 3_299_640, 340.37, 307.24),
        ("300M", "3 " * 20, 3_872_856, 358.83, 325.69),
        ("3.8G", LARGE, 31_444_596, 4085.87, 3937.83),
    ],
)
def test_counts_are_those_in_print(space, genes, params, macs, macs_backbone):
    net = classifier(space)
    with torch.device("meta"):
        model = build(decode(net, arch_of_genes(net, parse_genes(genes))))
    image = (torch.empty(1, 3, 224, 224, device="meta"),)
    whole, body = count(model, image), count(model.get_submodule("backbone"), image)
    assert whole.params == params
    assert whole.macs / 1e6 == pytest.approx(macs, abs=0.00501)
    assert body.macs / 1e6 == pytest.approx(macs_backbone, abs=0.00501)


def test_the_official_table_counts_the_3_8g_net_with_a_last_convolution_of_1024():
    with torch.device("meta"):
        model = build(decode(*published_classifier("COCO_FPN_3.8G_last1024")))
    assert sum(p.numel() for p in model.parameters()) == 29_521_972  # 29.5M in the table


def test_weights_are_a_function_of_the_seed_and_the_global_generator_is_left_alone():
    net = decode(classifier("tiny"), uniform_arch(classifier("tiny"), 1))
    state = torch.random.get_rng_state()
    a, b, c = (build(net, seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert not torch.equal(a["linear.weight"], c["linear.weight"])
    with pytest.raises(TypeError, match="no DetNAS description"):
        build(3)


def test_convolutions_shared_between_levels_stay_shared(tmp_path):
    """RetinaSepBNHead has one convolution, and norms of its own, for every pyramid level."""
    space = spaces()[TINY]
    arch = sample(space, Random(0))
    network = Supernet(build(opened(space)), space).extract(arch, build)
    save_weights(tmp_path / "model.safetensors", network)
    again = build(decode(space, arch), seed=1)
    again.eval()(torch.zeros(1, 3, 64, 64, dtype=torch.uint8))
    load_weights(tmp_path / "model.safetensors", again)
    for net in (network, again):
        for branch in ("cls_convs", "reg_convs"):
            first, second = (net.get_submodule(f"net.bbox_head.{branch}.{level}.0") for level in (0, 1))
            assert first.conv.weight is second.conv.weight
            assert first.bn.weight is not second.bn.weight
        names = {name for name, _ in net.named_parameters(remove_duplicate=False)}
        unique = sum(p.numel() for p in net.parameters())
        assert unique == sum({id(p): p.numel() for p in net.parameters()}.values())
        assert len(names) > len(list(net.parameters()))
        assert count(net, (torch.zeros(1, 3, 64, 64, dtype=torch.uint8),)).params == unique
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    assert all(torch.equal(a, b) for a, b in zip(network.eval()(images), again(images)))
    again.get_submodule("net.bbox_head.cls_convs.0.0.conv").weight.data.zero_()
    assert not again.get_submodule("net.bbox_head.cls_convs.1.0.conv").weight.any()
