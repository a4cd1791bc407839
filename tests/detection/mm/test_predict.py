"""Batched detections against mmdet's own; training that finds boxes."""

import pytest
import torch
from torch import nn

from detection import mm
from detection.heads import (
    FasterRCNN,
    Postprocess,
    RetinaNet,
)
from detection.mm import detector
from tests.detection.mm.tiny import scenes, small


def make_confident(net):
    """Scores all over 0..1 and boxes all over the place, as a trained head gives."""
    g = torch.Generator().manual_seed(0)
    head = net.net.bbox_head
    nn.init.normal_(head.retina_cls.weight, std=0.15, generator=g)
    nn.init.normal_(head.retina_reg.weight, std=0.05, generator=g)
    nn.init.constant_(head.retina_cls.bias, -2.0)


@pytest.mark.parametrize("before_nms", [1000, 30])
def test_predictions_equal_mmdet(before_nms):
    head = RetinaNet(
        strides=(8, 16, 32),
        anchor_sizes=(16, 24, 40),
        neck_channels=16,
        stacked_convs=1,
        head_norm="separate",
        postprocess=Postprocess(before_nms=before_nms, per_image=40, score_threshold=0.02),
    )
    net = small(head).train()  # normalised by the batch: an untrained net's running statistics flatten everything
    make_confident(net)
    images = scenes(5, seed=4)[0]
    images[3] = 0
    found = mm.predict(net, images)
    samples = detector._samples(tuple(images.shape[-2:]), [torch.zeros(0, 4)] * 5, [torch.zeros(0, dtype=torch.long)] * 5)
    with torch.no_grad():
        own = [s.pred_instances for s in net.net.predict(net.normalised(images), samples, rescale=False)]
    assert sum(len(d.boxes) for d in found) > 100
    assert float(torch.cat([d.scores for d in found]).std()) > 0.05
    for mine, theirs in zip(found, own, strict=True):
        assert torch.equal(mine.labels, theirs.labels)
        torch.testing.assert_close(mine.boxes, theirs.bboxes)
        torch.testing.assert_close(mine.scores, theirs.scores)


def test_no_candidate_gives_empty_detections():
    net = small(RetinaNet(strides=(8, 16), anchor_sizes=(24, 32), postprocess=Postprocess(score_threshold=0.99)))
    found = mm.predict(net.eval(), scenes(3, seed=0)[0])
    assert [tuple(d.boxes.shape) for d in found] == [(0, 4)] * 3
    assert [len(d.scores) + len(d.labels) for d in found] == [0] * 3


def test_an_overfitted_detector_finds_the_boxes():
    images = torch.full((4, 3, 64, 64), 60, dtype=torch.uint8)
    boxes, labels = [], []
    for i, (x, y, colour, label) in enumerate([(4, 6, 0, 0), (30, 8, 1, 1), (8, 34, 2, 2), (34, 32, 0, 0)]):
        images[i, colour, y : y + 24, x : x + 24] = 250
        boxes.append(torch.tensor([[x, y, x + 24.0, y + 24.0]]))
        labels.append(torch.tensor([label]))
    net = small(classes=3).train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=5e-3)
    for _ in range(120):
        optimizer.zero_grad()
        sum(mm.losses(net, images, boxes, labels).values()).backward()
        optimizer.step()
    found = mm.predict(net.eval(), images)
    from torchvision.ops import box_iou

    for detections, box, label in zip(found, boxes, labels, strict=True):
        assert float(box_iou(detections.boxes[:1], box)) > 0.7
        assert detections.labels[0] == label[0]
        assert detections.scores[0] > 0.3


FASTER = FasterRCNN(
    strides=(8, 16, 32),
    anchor_sizes=(16, 24, 40),
    neck_channels=16,
    box_convs=1,
    box_features=32,
    train_proposals=60,
    test_proposals=30,
    anchor_samples=32,
    box_samples=24,
)


def test_faster_rcnn_learns_and_is_reproducible():
    net = small(FASTER).train()
    batch = scenes(3, seed=5)
    state = torch.random.get_rng_state()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.02)
    first = mm.losses(net, *batch, seed=3)
    again = mm.losses(net, *batch, seed=3)
    other = mm.losses(net, *batch, seed=4)
    assert torch.equal(state, torch.random.get_rng_state())
    assert first.keys() == {"loss_rpn_cls", "loss_rpn_bbox", "loss_cls", "loss_bbox"}
    assert all(v.ndim == 0 for v in first.values())
    assert sum(first.values()) == sum(again.values()) != sum(other.values())
    for _ in range(8):
        optimizer.zero_grad()
        sum(mm.losses(net, *batch, seed=3).values()).backward()
        optimizer.step()
    assert all(p.grad is not None for p in net.parameters())
    assert sum(mm.losses(net, *batch, seed=3).values()) < sum(first.values())
    found = mm.predict(net.eval(), batch[0])
    assert len(found) == 3
    assert all(d.boxes.shape[1:] == (4,) and d.labels.dtype == torch.long for d in found)
