"""Batched losses against mmdet's own."""

import pytest
import torch

from detection import mm
from detection.heads import (
    SMALL_RETINANET,
    RetinaNet,
)
from detection.mm import dense
from tests.detection.mm.tiny import scenes, small


def loss_and_gradients(net, batch, batched):
    net.zero_grad()
    terms = mm.losses(net, *batch, batched=batched)
    sum(terms.values()).backward()
    return terms, {name: p.grad.clone() for name, p in net.named_parameters() if p.grad is not None}


def assert_losses_equal(net, batch):
    terms, grads = loss_and_gradients(net, batch, batched=True)
    own, own_grads = loss_and_gradients(net, batch, batched=False)
    assert terms.keys() == own.keys() == {"loss_cls", "loss_bbox"}
    for name in own:
        torch.testing.assert_close(terms[name], own[name], rtol=1e-5, atol=1e-6)
    assert grads.keys() == own_grads.keys()
    for name in own_grads:
        scale = float(own_grads[name].abs().max())
        torch.testing.assert_close(grads[name], own_grads[name], rtol=1e-4, atol=1e-5 * scale + 1e-7, msg=name)


EXTENDED = RetinaNet(strides=(8, 16, 32), anchor_sizes=(16, 24, 40), neck_channels=16, stacked_convs=2)


@pytest.mark.parametrize("head", [SMALL_RETINANET, EXTENDED], ids=["separate-norm", "nine-anchors-extra-level"])
@pytest.mark.parametrize("seed", range(4))
def test_batched_losses_equal_mmdet(head, seed, monkeypatch):
    batch = scenes(6, seed, most=6)
    batch[1][seed], batch[2][seed] = torch.zeros(0, 4), torch.zeros(0, dtype=torch.long)
    assert sum(map(len, batch[1])) > 3
    if seed == 3:
        monkeypatch.setattr(dense, "_TABLE", 1)  # one image at a time
    assert_losses_equal(small(head, seed=seed), batch)


def test_batched_losses_equal_mmdet_on_awkward_boxes():
    images, boxes, labels = scenes(5, seed=9)
    twice = torch.tensor([[10.0, 12.0, 34.0, 36.0], [10.0, 12.0, 34.0, 36.0], [11.0, 12.0, 34.0, 36.0]])
    boxes[0], labels[0] = twice, torch.tensor([1, 2, 3])  # same box, different classes
    boxes[1], labels[1] = torch.tensor([[200.0, 200.0, 220.0, 220.0]]), torch.tensor([4])  # meets no anchor
    boxes[2], labels[2] = torch.zeros(0, 4), torch.zeros(0, dtype=torch.long)
    boxes[3], labels[3] = torch.tensor([[0.0, 0.0, 64.0, 64.0], [31.0, 31.0, 33.0, 33.0]]), torch.tensor([0, 1])
    boxes[4], labels[4] = torch.tensor([[16.0, 16.0, 40.0, 40.0]]), torch.tensor([2])  # ties between anchors
    assert_losses_equal(small(), (images, boxes, labels))


def test_batched_losses_equal_mmdet_without_any_box():
    images = scenes(3, seed=2)[0]
    none = [torch.zeros(0, 4)] * 3
    assert_losses_equal(small(), (images, none, [torch.zeros(0, dtype=torch.long)] * 3))


def test_assignment_tells_ignored_from_background():
    net = small()
    head = net.net.bbox_head
    priors = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 4.5], [30, 30, 40, 40], [0, 0, 10, 6]])
    assigned = dense.assign(head.assigner, priors, [torch.tensor([[0.0, 0, 10, 10]]), torch.zeros(0, 4)])
    assert assigned.tolist() == [[1, -1, 0, 1], [0, 0, 0, 0]]
