"""The parts of scikit-image's photographs."""

from __future__ import annotations

import sys
import time

import numpy as np
import pytest
import torch
from PIL import Image

from common.data.photographs import FILES, photographs
from common.errors import UserError
from superres.data import batch_at, embedded
from superres.settings import EMBEDDED_SIDE

MODULE = sys.modules["superres.data.embedded"]  # the package has a function of that name


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_each_photograph_is_a_picture_of_every_split(scale):
    data = embedded(scale=scale, val=None)
    assert (data.name, data.scale, data.skipped, len(data.notes)) == ("embedded photographs", scale, (), 1)
    assert data.facts() == {"scale": scale, "images": {"train": 13, "val": 13, "test": 13}, "benchmarks": {}}
    assert data.files() == {"train": (), "val": (), "test": ()}
    for split, first, last in ((data.train, 0.0, 0.6), (data.val, 0.6, 0.8), (data.test, 0.8, 1.0)):
        assert split.scale == scale and len({*split.files}) == 13 and split.groups == ("",) * 13
        assert split.files[0] == f"{split.name}/astronaut.png" and split.files[7] == f"{split.name}/hubble_deep_field.png"
        for index, photo in enumerate(photographs()):
            whole = np.asarray(photo)
            part = whole[:, round(first * photo.width) : round(last * photo.width)]
            height, width = (side // scale * scale for side in part.shape[:2])
            low, high = split.pair(index)
            assert (high.numpy() == part[:height, :width].transpose(2, 0, 1)).all()
            assert low.shape == (3, height // scale, width // scale)


def test_no_pixel_of_another_split_is_in_a_low_resolution_picture(monkeypatch):
    """A photograph that is black up to 60 % of its width, white to 80 %, and black again: no reduction mixes the two."""
    pixels = np.zeros((60, 100, 3), dtype=np.uint8)
    pixels[:, 60:80] = 255
    monkeypatch.setattr(MODULE, "photographs", lambda: (Image.fromarray(pixels),) * len(FILES))
    data = embedded(scale=2, val=None)
    for split, value in ((data.train, 0), (data.val, 255), (data.test, 0)):
        assert (split.pair(0)[0] == value).all() and (split.pair(0)[1] == value).all()


def test_val_takes_the_first_pictures():
    data = embedded(scale=2, val=4)
    assert len(data.val) == 4 and len(data.test) == 13
    assert torch.equal(data.val.pair(3)[0], embedded(scale=2, val=None).val.pair(3)[0])
    with pytest.raises(UserError, match=r"data\.val=14: there are 13 embedded photographs; give at most 13"):
        embedded(scale=2, val=14)


def test_the_scale_belongs_to_the_digest():
    assert embedded(scale=2, val=None).digest() == embedded(scale=2, val=None).digest()
    assert len({embedded(scale=scale, val=val).digest() for scale in (2, 3) for val in (None, 2)}) == 4


def test_the_largest_patch_is_the_side_of_the_smallest_training_part():
    assert min(min(round(0.6 * photo.width), photo.height) for photo in photographs()) == EMBEDDED_SIDE
    low, high = batch_at(embedded(scale=2, val=1).train, 0, 13, 0, "x", 270, True)
    assert low.shape == (13, 3, 135, 135) and high.shape == (13, 3, 270, 270)


def test_making_the_pictures_is_quick():
    photographs()
    start = time.process_time()
    embedded(scale=2, val=None)
    assert time.process_time() - start < 1
