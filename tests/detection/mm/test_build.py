"""Building detectors: seeds, quiet, errors, meta device, parameter counts."""

import numpy as np
import pytest
import torch

from common.errors import UserError
from detection import mm
from detection.heads import (
    PAPER_FASTER_RCNN,
    PAPER_RETINANET,
    SMALL_RETINANET,
    Pixels,
    RetinaNet,
)
from tests.detection.mm.tiny import Tiny, small


def test_build_is_quiet_seeded_and_leaves_backbone_and_global_generator_alone(capfd):
    backbone = Tiny()
    before = {k: v.clone() for k, v in backbone.state_dict().items()}
    state = torch.random.get_rng_state()
    first, second, other = (
        mm.build(backbone, SMALL_RETINANET, in_channels=[16, 24], strides=[8, 16], classes=3, seed=seed) for seed in (1, 1, 2)
    )
    assert torch.equal(state, torch.random.get_rng_state())
    assert first.backbone is backbone
    assert all(torch.equal(v, before[k]) for k, v in backbone.state_dict().items())
    a, b, c = (d.state_dict() for d in (first, second, other))
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert not torch.equal(a["net.bbox_head.retina_reg.weight"], c["net.bbox_head.retina_reg.weight"])
    assert float(a["net.bbox_head.retina_cls.bias"][0]) == pytest.approx(-np.log(99), abs=1e-4)
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


@pytest.mark.parametrize(
    ("head", "strides", "says"),
    [
        (RetinaNet(strides=(8, 24), anchor_sizes=(8, 8)), (8, 16), "twice"),
        (RetinaNet(strides=(8, 16), anchor_sizes=(8,)), (8, 16), "anchor_sizes"),
        (RetinaNet(strides=(4, 8), anchor_sizes=(8, 8)), (8, 16), "head stride 4"),
        (RetinaNet(strides=(8, 16), anchor_sizes=(8, 8)), (8, 16, 32), "backbone map of stride 32"),
    ],
)
def test_a_head_that_does_not_fit_is_refused(head, strides, says):
    with pytest.raises(UserError, match=says):
        mm.build(Tiny(), head, in_channels=[16] * len(strides), strides=strides, classes=2)


def test_pixels_are_reordered_and_scaled():
    net = small(RetinaNet(strides=(8, 16), anchor_sizes=(24, 32), pixels=Pixels(order="bgr", mean=(1, 2, 3), std=(2, 4, 8))))
    image = torch.tensor([10, 20, 30], dtype=torch.uint8).reshape(1, 3, 1, 1)
    assert net.normalised(image).flatten().tolist() == [(30 - 1) / 2, (20 - 2) / 4, (10 - 3) / 8]


def test_outputs_on_the_meta_device():
    backbone = Tiny((16, 24, 32, 40), first=4)
    maps = {"in_channels": [16, 24, 32, 40], "strides": [4, 8, 16, 32], "classes": 7}
    images = torch.zeros(2, 3, 128, 160, dtype=torch.uint8, device="meta")
    retina = mm.build(backbone, PAPER_RETINANET, **maps).to("meta")
    out = retina(images)
    assert [tuple(o.shape) for o in out[:5]] == [(2, 63, -(-128 // s), -(-160 // s)) for s in (8, 16, 32, 64, 128)]
    assert [o.shape[1] for o in out[5:]] == [36] * 5
    faster = mm.build(backbone, PAPER_FASTER_RCNN, **maps).to("meta")
    out = faster(images)
    assert [tuple(o.shape) for o in out[:5]] == [(2, 3, -(-128 // s), -(-160 // s)) for s in (4, 8, 16, 32, 64)]
    assert [tuple(o.shape) for o in out[10:]] == [(2000, 8), (2000, 28)]
    with torch.device("meta"):
        built = mm.build(Tiny(), SMALL_RETINANET, in_channels=[16, 24], strides=[8, 16], classes=5)
    assert [o.device.type for o in built(images)] == ["meta"] * 4


def test_paper_faster_rcnn_has_the_parameters_of_the_specification():
    """18 882 980 for neck and heads; mmdet has no box deltas for the background class (4 x 1025 fewer)."""
    with torch.device("meta"):
        backbone = Tiny((64, 160, 320, 640), first=4)
        net = mm.build(backbone, PAPER_FASTER_RCNN, in_channels=[64, 160, 320, 640], strides=[4, 8, 16, 32], classes=80)
    parameters = sum(p.numel() for p in net.parameters()) - sum(p.numel() for p in backbone.parameters())
    assert parameters == 20_732_660 - 1_849_680 - 4 * 1025
