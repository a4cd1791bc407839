"""Losses, predictions and metrics through mmsegmentation, against their definitions."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from common.errors import UserError
from segmentation import mm
from segmentation.heads import DecodeHead

HEAD = DecodeHead(channels=8, dropout=0.0)


class Tiny(nn.Module):
    """Two maps, at strides 4 and 8."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, width, 3, 4, 1)
        self.b = nn.Conv2d(width, 2 * width, 3, 2, 1)

    def forward(self, x):
        x = self.a(x)
        return x, self.b(x)


def tiny(classes: int = 3) -> mm.Segmentor:
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        backbone = Tiny()
    return mm.build(backbone, HEAD, in_channels=(4, 8), classes=classes)


def test_another_packages_runner_does_not_get_in_the_way():
    from mmengine.registry import DefaultScope

    with DefaultScope.overwrite_default_scope("mmdet"):
        assert isinstance(tiny(), mm.Segmentor)


def batch(n: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (n, 3, 18, 30), generator=rng, dtype=torch.uint8)
    labels = torch.randint(0, 3, (n, 18, 30), generator=rng)
    labels[:, :5] = 255
    return images, labels


def test_importing_the_package_does_not_import_mmseg():
    code = "import sys, segmentation.mm; print([m for m in sys.modules if m.split('.')[0] in ('mmseg', 'mmcv', 'mmengine')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_loss_is_cross_entropy_over_labelled_pixels():
    segmentor = tiny()
    images, labels = batch()
    found = mm.losses(segmentor, images, labels)
    scores = F.interpolate(segmentor(images), (18, 30), mode="bilinear", align_corners=False)
    assert list(found) == ["loss_ce"]
    torch.testing.assert_close(found["loss_ce"], F.cross_entropy(scores, labels, ignore_index=255))


def test_predictions_are_the_best_class_at_the_size_of_the_image():
    segmentor = tiny().eval()
    images, _ = batch()
    scores = F.interpolate(segmentor(images), (18, 30), mode="bilinear", align_corners=False)
    found = mm.predict(segmentor, images)
    assert found.shape == (2, 18, 30) and torch.equal(found, scores.argmax(1))
    assert len(found.unique()) > 1


def test_scores_are_at_the_stride_of_the_finest_map_and_read_every_map():
    segmentor = tiny()
    images, _ = batch()
    assert segmentor(images).shape == (2, 3, 5, 8)
    segmentor(images).sum().backward()
    assert all(p.grad is not None for p in segmentor.backbone.parameters())
    normal = segmentor.normalised(images)
    torch.testing.assert_close(normal[0, 0, 0, 0], (images[0, 0, 0, 0] - 123.675) / 58.395)


def test_the_head_is_a_function_of_the_seed_and_two_classes_have_two_scores():
    a, b = (mm.build(Tiny(), HEAD, in_channels=(4, 8), classes=2, seed=seed) for seed in (0, 1))
    again = mm.build(Tiny(), HEAD, in_channels=(4, 8), classes=2, seed=0)
    weights = [s.net.decode_head.conv_seg.weight for s in (a, b, again)]
    assert weights[0].shape[0] == 2 and torch.equal(weights[0], weights[2]) and not torch.equal(weights[0], weights[1])
    with pytest.raises(UserError, match="1 classes"):
        mm.build(Tiny(), HEAD, in_channels=(4, 8), classes=1)


def test_metrics_equal_the_confusion_matrix():
    rng = np.random.default_rng(0)
    total, matrix = torch.zeros(4, 5, dtype=torch.float64), np.zeros((5, 5))
    for _ in range(3):
        labels, found = rng.choice([0, 1, 3, 255], (9, 7)), rng.choice([0, 1, 2], (9, 7))
        total += mm.areas(torch.from_numpy(found), torch.from_numpy(labels).to(torch.uint8), 5)
        kept = labels != 255
        np.add.at(matrix, (labels[kept], found[kept]), 1)
    both, labelled, predicted = np.diag(matrix), matrix.sum(1), matrix.sum(0)
    iou = [both[i] / (labelled[i] + predicted[i] - both[i]) for i in range(4)]  # class 4 is nowhere
    metrics = mm.iou_metrics(total, ("a", "b", "c", "d", "e"))
    assert metrics == pytest.approx(
        {
            "mIoU": np.mean(iou),
            "mAcc": np.mean([both[i] / labelled[i] for i in (0, 1, 3)]),
            "aAcc": both.sum() / matrix.sum(),
            **{f"IoU {name}": iou[i] for i, name in enumerate("abcd")},
        }
    )
    assert metrics["IoU c"] == metrics["IoU d"] == 0


def test_no_labelled_pixel_is_refused():
    with pytest.raises(UserError, match="no labelled pixel"):
        mm.iou_metrics(torch.zeros(4, 2, dtype=torch.float64), ("a", "b"))


def test_register_refuses_a_second_class_of_one_name():
    mm.register("TestTwice", Tiny)
    mm.register("TestTwice", Tiny)
    with pytest.raises(ValueError, match="TestTwice"):
        mm.register("TestTwice", nn.Identity)
