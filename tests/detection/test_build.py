"""Detectors of any backbone, neck and head: published counts, losses and detections, and parts that do not fit."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from common.cost.conventions import conv_linear
from common.cost.count import count
from common.errors import UserError
from common.space import decode
from detection import mm
from detection.backbones.descriptions import EfficientNet, MBStage, ResNet, efficientnet
from detection.build import build
from detection.description import DetectorNet
from detection.detnas.space import backbone, uniform_arch
from detection.heads import EfficientHead, RetinaNet
from detection.necks.layered import BiFPN, BiFPNLayer
from detection.necks.merges import NASFPN, Cell, Wiring
from detection.necks.wirings import top_down

TINY = EfficientNet(
    stem=8,
    stages=tuple(MBStage(blocks=1, kernel=3, stride=2, expand=2, width=w) for w in (8, 12, 16)),
    taps=(1, 2),
)
LEVELS = (3, 4)
BIFPN = BiFPN(width=16, levels=LEVELS, layers=(BiFPNLayer(),) * 2)
MERGING = NASFPN(
    wiring=Wiring(levels=LEVELS, between=(), order=LEVELS, cells=(Cell(inputs=(0, 1), op="sum"), Cell(inputs=(1, 2), op="sum"))),
    width=16,
    stacks=2,
)
EFFICIENT = EfficientHead(strides=(8, 16), neck_channels=16, depth=1)
RETINA = RetinaNet(strides=(8, 16), anchor_sizes=(24, 32), neck_channels=16, stacked_convs=1, head_norm="separate")


def efficientdet(size: int, width: int, layers: int, depth: int, fusion: str = "fast") -> DetectorNet:
    """A row of the paper's table 1."""
    return DetectorNet(
        backbone=efficientnet(f"b{min(size, 6)}"),
        neck=BiFPN(width=width, layers=(BiFPNLayer(fusion=fusion),) * layers),
        head=EfficientHead(neck_channels=width, depth=depth),
        classes=90,
    )


@pytest.mark.parametrize(
    ("net", "params", "side", "macs"),
    [
        (efficientdet(0, 64, 3, 3), 3_880_067, 512, 2.492e9),
        (efficientdet(1, 88, 4, 3), 6_625_898, 640, 6.003e9),
        (efficientdet(2, 112, 5, 3), 8_097_039, 768, 10.832e9),
        (efficientdet(3, 160, 6, 4), 12_032_296, 896, 24.569e9),
        (efficientdet(4, 224, 7, 4), 20_723_675, 1024, 54.584e9),
        (efficientdet(6, 384, 8, 5, "sum"), 51_871_782, 1280, 224.12e9),
        (efficientdet(6, 384, 8, 5, "sum"), 51_871_782, 1536, 322.73e9),
    ],
)
def test_efficientdet_has_the_counts_of_the_official_test(net, params, side, macs):
    with torch.device("meta"):
        found = count(build(net), (torch.empty(1, 3, side, side, dtype=torch.uint8),), convention=conv_linear)
    assert found.params == params
    assert found.macs == pytest.approx(macs, rel=3e-4)


def test_a_plain_retinanet_has_the_counts_of_the_table():
    """NAS-FPN's table 1 has R-50 FPN at 640 with 34.0 M parameters and 97.0 G multiply-adds."""
    net = DetectorNet(backbone=ResNet(depth=50), head=RetinaNet(neck_norm=False), classes=90)
    with torch.device("meta"):
        found = count(build(net), (torch.empty(1, 3, 640, 640, dtype=torch.uint8),), convention=conv_linear)
    assert (found.params, found.macs) == (34_047_374, 96_703_424_000)


@pytest.mark.parametrize("body", [TINY, decode(backbone("tiny"), uniform_arch(backbone("tiny"), 0)), ResNet(depth=10)])
@pytest.mark.parametrize("neck", [BIFPN, MERGING])
@pytest.mark.parametrize("head", [EFFICIENT, RETINA])
def test_any_backbone_neck_and_head_learns_and_detects(body, neck, head):
    if isinstance(body, ResNet):  # its last map is the 32nd part of the image
        neck = replace(neck, levels=(3, 4, 5)) if neck is BIFPN else replace(neck, wiring=top_down((3, 4, 5), 0))
        more = {"anchor_sizes": (24, 32, 40)} if head is RETINA else {}
        head = replace(head, strides=(8, 16, 32), **more)
    net = build(DetectorNet(backbone=body, neck=neck, head=head, classes=3), seed=1)
    images = torch.randint(0, 255, (2, 3, 72, 56), dtype=torch.uint8)
    boxes = [torch.tensor([[10.0, 12, 40, 44], [20, 8, 50, 40]]), torch.zeros(0, 4)]
    labels = [torch.tensor([0, 2]), torch.zeros(0, dtype=torch.int64)]
    loss = sum(mm.losses(net, images, boxes, labels).values())
    loss.backward()
    assert all(p.grad is not None for p in net.parameters())
    found = mm.predict(net.eval(), images)
    assert [one.boxes.shape[1] for one in found] == [4, 4]
    assert [len(out) for out in net(images)] == [2] * 2 * len(head.strides)


def test_an_anytime_head_learns_on_every_stack_and_stops_after_any():
    plain, every = (
        build(DetectorNet(backbone=TINY, neck=replace(MERGING, anytime=anytime), head=RETINA, classes=3), seed=1)
        for anytime in (False, True)
    )
    nn.init.normal_(plain.net.get_submodule("bbox_head").retina_cls.weight)  # else all scores are those of the bias
    every.load_state_dict(plain.state_dict())
    short = build(DetectorNet(backbone=TINY, neck=replace(MERGING, stacks=1), head=RETINA, classes=3), seed=1)
    short.load_state_dict({name: value for name, value in plain.state_dict().items() if "stacks.1" not in name})
    images = torch.randint(0, 255, (2, 3, 64, 64), dtype=torch.uint8)
    truth = [torch.tensor([[10.0, 12, 40, 44]])] * 2, [torch.tensor([1])] * 2
    one, other, both = (mm.losses(net.eval(), images, *truth) for net in (short, plain, every))
    for name, value in both.items():
        assert value.item() == pytest.approx((one[name] + other[name]).item() / 2, rel=1e-5)
    assert one["loss_cls"] != other["loss_cls"]
    for net, stacks in ((short, 1), (plain, 2), (plain, None)):
        for mine, wanted in zip(mm.predict(every, images, stacks), mm.predict(net, images), strict=True):
            torch.testing.assert_close((mine.boxes, mine.scores), (wanted.boxes, wanted.scores))
    for net, stacks in ((every, 3), (every, 0), (plain, 1)):
        with pytest.raises(UserError, match=f"stacks={stacks}: give a network of pyramid.anytime=true"):
            mm.predict(net, images, stacks)


@pytest.mark.parametrize("batched", [True, False])
@pytest.mark.parametrize("side", [32, 128])
def test_boxes_are_in_pixels_of_the_images_whatever_side_the_network_sees(side, batched):
    """Images made large or small by hand give the same losses, and boxes that differ by the factor."""
    plain = build(DetectorNet(backbone=TINY, neck=BIFPN, head=EFFICIENT, classes=3), seed=1).eval()
    sided = build(DetectorNet(backbone=TINY, neck=BIFPN, head=EFFICIENT, classes=3, side=side), seed=1).eval()
    images = 16 * torch.randint(0, 16, (2, 3, 64, 48), dtype=torch.uint8)  # whole numbers at half and twice the size
    factor = side / 64
    by_hand = F.interpolate(images.float(), size=(side, side * 3 // 4), mode="bilinear").round().to(torch.uint8)
    boxes = [torch.tensor([[10.0, 12, 40, 44], [4, 8, 20, 40]]), torch.tensor([[1.0, 2, 30, 40]])]
    labels = [torch.tensor([0, 2]), torch.tensor([1])]
    found = mm.losses(sided, images, boxes, labels, batched=batched)
    wanted = mm.losses(plain, by_hand, [factor * b for b in boxes], labels, batched=batched)
    for name in wanted:
        torch.testing.assert_close(found[name], wanted[name], rtol=1e-4, atol=1e-5)
    one, other = mm.predict(sided, images)[0], mm.predict(plain, by_hand)[0]
    assert len(one.boxes) > 0
    torch.testing.assert_close(one.boxes * factor, other.boxes, rtol=1e-3, atol=1e-2)
    boxes, _ = mm.decoded(sided, images)
    wanted_boxes, _ = mm.decoded(plain, by_hand)
    torch.testing.assert_close(boxes * factor, wanted_boxes, rtol=1e-3, atol=1e-2)


def test_weights_are_a_function_of_the_seed():
    net = DetectorNet(backbone=TINY, neck=BIFPN, head=EFFICIENT, classes=3)
    state = torch.random.get_rng_state()
    one, same, other = (build(net, seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert {name.split(".")[1] for name in one if not torch.equal(one[name], other[name])} == {"backbone", "neck", "bbox_head"}


def test_parts_that_do_not_fit_are_refused():
    net = DetectorNet(backbone=TINY, neck=BIFPN, head=EFFICIENT, classes=3)
    with pytest.raises(UserError, match="neck of 16 channels: the head reads 24; give both the same"):
        build(replace(net, head=replace(EFFICIENT, neck_channels=24)))
    with pytest.raises(UserError, match=r"neck of strides \(8, 16\): the head reads \(8, 16, 32\); give both the same"):
        build(replace(net, head=replace(EFFICIENT, strides=(8, 16, 32))))
    with pytest.raises(UserError, match="EfficientDet's head has no pyramid of its own: give a neck"):
        build(replace(net, neck=None))
    with pytest.raises(UserError, match=r"pyramid levels \(2, 3\): their strides \(4, 8\) do not begin with the backbone"):
        build(replace(net, neck=replace(BIFPN, levels=(2, 3))))
