"""Stand-ins for compiled operators against their definitions, and when they are used."""

import sys
import types
from importlib.machinery import ModuleSpec

import numpy as np
import pytest
import torch
from torch import nn

from common import mm
from common.errors import UserError


def test_a_real_extension_is_left_alone(monkeypatch):
    mm.import_packages((), "detection")
    real = types.ModuleType("mmcv._ext")
    real.__spec__ = ModuleSpec("mmcv._ext", loader=None)
    monkeypatch.setitem(sys.modules, "mmcv._ext", real)
    mm.import_packages((), "detection")
    assert sys.modules["mmcv._ext"] is real


def test_a_package_that_is_missing_is_named_with_the_extra_that_brings_it():
    with pytest.raises(
        UserError, match=r"^mmnothing not installed: segmentation needs it; run pip install 'tasknas\[segmentation\]'"
    ):
        mm.import_packages(("mmnothing.models",), "segmentation")


def reference_nms(boxes, scores, threshold, offset):
    def overlap(a, b):
        width = min(a[2], b[2]) - max(a[0], b[0]) + offset
        height = min(a[3], b[3]) - max(a[1], b[1]) + offset
        shared = max(width, 0) * max(height, 0)
        area = [(x[2] - x[0] + offset) * (x[3] - x[1] + offset) for x in (a, b)]
        return shared / (sum(area) - shared)

    kept = []
    for i in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        if all(overlap(boxes[i], boxes[j]) <= threshold for j in kept):
            kept.append(i)
    return kept


def reference_soft_nms(boxes, scores, threshold, sigma, least, method):
    """The pseudo-code of the paper's figure 3: in turn the best box left, and the scores of the others decayed."""

    def overlap(a, b):
        shared = max(min(a[2], b[2]) - max(a[0], b[0]), 0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0)
        return shared / (sum((x[2] - x[0]) * (x[3] - x[1]) for x in (a, b)) - shared)

    def decay(v):
        match method:
            case "naive":
                return 0.0 if v > threshold else 1.0
            case "linear":
                return 1 - v if v > threshold else 1.0
            case _:
                return np.exp(-(v**2) / sigma)

    left, found = dict(enumerate(scores)), []
    while left and max(left.values()) > least:
        best = max(left, key=left.__getitem__)
        found.append((best, left.pop(best)))
        left = {i: score * decay(overlap(boxes[best], boxes[i])) for i, score in left.items()}
    return found


@pytest.mark.parametrize("method", ["naive", "linear", "gaussian"])
def test_soft_nms_stand_in_equals_the_definition(method):
    mm.import_packages((), "detection")
    from mmcv.ops import soft_nms

    lost = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        corner = rng.random((25, 2)) * 12
        boxes = np.concatenate([corner, corner + 1 + rng.random((25, 2)) * 8], axis=1).astype(np.float32)
        scores = (1 + rng.permutation(25).astype(np.float32)) / 26
        threshold, sigma = float(rng.choice([0.1, 0.3])), float(rng.choice([0.1, 0.5]))
        wanted = reference_soft_nms(boxes.astype(float).tolist(), scores.tolist(), threshold, sigma, 0.05, method)
        found, index = soft_nms(torch.from_numpy(boxes), torch.from_numpy(scores), threshold, sigma, 0.05, method)
        assert index.tolist() == [i for i, _ in wanted]
        assert found[:, 4].tolist() == pytest.approx([score for _, score in wanted], rel=1e-5)
        assert torch.equal(found[:, :4], torch.from_numpy(boxes)[index])
        lost += 25 - len(wanted)
    assert lost


@pytest.mark.parametrize("offset", [0, 1])
def test_nms_stand_in_equals_the_definition(offset):
    mm.import_packages((), "detection")
    from mmcv.ops import nms

    suppressed = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        corner = rng.random((25, 2)) * 12
        boxes = np.concatenate([corner, corner + 1 + rng.random((25, 2)) * 8], axis=1).astype(np.float32)
        scores = rng.permutation(25).astype(np.float32) / 25
        threshold = float(rng.choice([0.3, 0.5, 0.7]))
        detections, index = nms(torch.from_numpy(boxes), torch.from_numpy(scores), threshold, offset=offset)
        expected = reference_nms(boxes.astype(float).tolist(), scores.tolist(), threshold, offset)
        assert index.tolist() == expected
        assert torch.equal(detections[:, :4], torch.from_numpy(boxes)[expected])
        suppressed += 25 - len(expected)
    assert suppressed > 100


@pytest.mark.parametrize("gamma", [2.0, 1.5])
def test_focal_loss_stand_in_equals_autograd(gamma):
    mm.import_packages((), "detection")
    from mmcv.ops import sigmoid_focal_loss
    from torchvision.ops import sigmoid_focal_loss as reference_loss

    g = torch.Generator().manual_seed(1)
    logits = (torch.randn(60, 4, generator=g) * 4).requires_grad_()
    target = torch.randint(0, 5, (60,), generator=g)  # 4 is background
    upstream = torch.rand(60, 4, generator=g)
    hit = nn.functional.one_hot(target, 5)[:, :4].float()
    expected = reference_loss(logits, hit, alpha=0.25, gamma=gamma)
    (expected_grad,) = torch.autograd.grad((expected * upstream).sum(), logits)
    loss = sigmoid_focal_loss(logits, target, gamma, 0.25, None, "none")
    (grad,) = torch.autograd.grad((loss * upstream).sum(), logits)
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(grad, expected_grad, rtol=1e-4, atol=1e-6)


def test_an_operator_without_stand_in_is_named():
    with pytest.raises(UserError, match=r"deform_conv_forward.*install the full mmcv"):
        mm.stand_in().deform_conv_forward(1, kernel=2)
