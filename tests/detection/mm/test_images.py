"""Reading, resizing and flipping against mmdet's semantics."""

import random

import numpy as np
import pytest
import torch
from PIL import Image

from common.errors import UserError
from detection import mm
from tests.detection.mm.tiny import scenes


@pytest.mark.parametrize(("wide", "tall"), [(80, 40), (40, 80), (50, 50)])
def test_read_resize_pad_keeps_proportions_and_boxes(tmp_path, wide, tall):
    pixels = np.zeros((tall, wide, 3), dtype=np.uint8)
    pixels[:] = (200, 100, 50)
    file = tmp_path / "a.png"
    Image.fromarray(pixels).save(file)
    boxes = np.array([[0, 0, wide, tall], [4, 6, 24, 30]], dtype=np.float32)
    image, moved, (x, y) = mm.read_resize_pad(file, boxes, (64, 128))
    assert image.shape == (64, 128, 3)
    assert image.dtype == np.uint8
    factor = min(64 / tall, 128 / wide)
    assert (x, y) == pytest.approx((factor, factor), rel=0.02)
    new_w, new_h = round(wide * x), round(tall * y)
    assert max(new_h / 64, new_w / 128) == pytest.approx(1)
    assert np.abs(image[:new_h, :new_w].astype(int) - (200, 100, 50)).max() <= 1  # RGB, not BGR
    assert not image[new_h:].any()
    assert not image[:, new_w:].any()
    assert moved.dtype == np.float32
    np.testing.assert_allclose(moved, boxes * [x, y, x, y], rtol=1e-5)
    assert boxes[0].tolist() == [0, 0, wide, tall]
    again = mm.read_resize_pad(file, boxes, (64, 128))
    assert np.array_equal(again[0], image)


def test_read_resize_pad_takes_a_square_and_no_boxes(tmp_path):
    file = tmp_path / "grey.png"
    Image.new("L", (30, 20), 7).save(file)
    image, boxes, scale = mm.read_resize_pad(file, np.zeros((0, 4)), 60)
    assert image.shape == (60, 60, 3)
    assert boxes.shape == (0, 4)
    assert scale == (2.0, 2.0)
    assert image[0, 0].tolist() == [7, 7, 7]


def test_unreadable_images_are_named(tmp_path):
    whole = tmp_path / "whole.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 50, 3), dtype=np.uint8)).save(whole)
    cut, text, empty = (tmp_path / name for name in ("cut.jpg", "text.jpg", "empty.jpg"))
    cut.write_bytes(whole.read_bytes()[:1500])
    text.write_text("not an image")
    empty.write_bytes(b"")
    for file in (cut, text, empty, tmp_path / "missing.jpg"):
        with pytest.raises(UserError, match=file.name) as caught:
            mm.read_resize_pad(file, np.zeros((0, 4)), 32)
        assert "\n" not in str(caught.value)


def test_random_flip_is_mmdets_flip_half_of_the_time():
    mm.prepare()
    from mmdet.datasets.transforms import RandomFlip

    image = scenes(1, seed=0)[0][0]
    boxes = torch.tensor([[3.0, 5.0, 20.5, 30.0], [0.0, 0.0, 64.0, 64.0]])
    expected = RandomFlip(prob=1.0)({"img": image.permute(1, 2, 0).numpy(), "gt_bboxes": boxes.numpy().copy()})
    flips = 0
    rng = random.Random(0)
    for _ in range(200):
        new, moved = mm.random_flip(image, boxes, rng)
        if torch.equal(new, image):
            assert torch.equal(moved, boxes)
            continue
        flips += 1
        assert np.array_equal(new.permute(1, 2, 0).numpy(), expected["img"])
        np.testing.assert_allclose(moved.numpy(), expected["gt_bboxes"])
    assert 70 < flips < 130
    assert boxes[0].tolist() == [3.0, 5.0, 20.5, 30.0]
