"""Splits of pictures at two resolutions."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from common.errors import UserError
from superres.data import Split, parts
from superres.data.files import pair_of
from superres.data.splits import InMemory
from tests.superres.data.folders import make, noise, read


def in_memory(count: int, scale: int = 2, name: str = "train") -> Split:
    pairs = tuple(pair_of(noise(i, 24 + i, 30), scale) for i in range(count))
    files = tuple(f"{i}.png" for i in range(count))
    return Split(name=name, scale=scale, files=files, groups=tuple("ab"[i % 2] for i in range(count)), read=InMemory(pairs))


@pytest.mark.parametrize(
    ("scale", "size", "cropped"),
    [(2, (41, 37), (40, 36)), (3, (41, 37), (39, 36)), (4, (43, 36), (40, 36)), (2, (16, 15), (16, 14))],
)
def test_the_high_resolution_picture_is_cropped_and_the_low_one_made_from_it(scale, size, cropped):
    image = noise(3, *size)
    pair = pair_of(image, scale)
    width, height = cropped
    assert pair.high.shape == (3, height, width) and pair.low.shape == (3, height // scale, width // scale)
    assert (pair.high == np.asarray(image)[:height, :width].transpose(2, 0, 1)).all()
    whole = Image.fromarray(np.asarray(image)[:height, :width].copy())
    expected = whole.resize((width // scale, height // scale), Image.Resampling.BICUBIC)
    assert (pair.low == np.asarray(expected).transpose(2, 0, 1)).all()
    assert pair.nbytes == 3 * height * width + 3 * height * width // scale**2


def test_the_reduction_is_antialiased():
    """Stripes one pixel wide become grey: a kernel that is not widened would keep every second one."""
    stripes = np.zeros((32, 32, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    low = pair_of(Image.fromarray(stripes), 2).low[:, :, 2:-2]  # at the edges half of the kernel is missing
    assert low.min() >= 120 and low.max() <= 135


def test_a_pair_is_of_bytes_and_counted_from_either_end():
    split = in_memory(3)
    low, high = split.pair(-1)
    assert low.dtype == high.dtype == torch.uint8
    assert (low.shape, high.shape) == ((3, 15, 13), (3, 30, 26))
    assert torch.equal(split.pair(2)[0], low)
    for index in (3, -4):
        with pytest.raises(IndexError):
            split.pair(index)


def test_parts_keep_names_groups_and_pixels_together(tmp_path):
    split = in_memory(5)
    assert len(split.head(2)) == 2 and len(split.head(9)) == 5
    assert (split.head(2).name, split.head(2).scale) == ("train", 2)
    picked = split.pick((4, 0, 1), "some").head(2)
    assert (picked.name, picked.files, picked.groups) == ("some", ("4.png", "0.png"), ("a", "a"))
    assert torch.equal(picked.pair(0)[1], split.pair(4)[1]) and torch.equal(picked.pair(1)[0], split.pair(0)[0])
    test = read(make(tmp_path)).test
    part = test.pick((3, 1), "part")
    assert part.paths == (test.paths[3], test.paths[1]) and part.groups == ("Set14", "Set5")


def test_splits_survive_pickling_without_their_pictures(tmp_path):
    train = read(make(tmp_path)).train
    stored = pickle.dumps(train.head(3))
    assert len(stored) < 4000 < sum(train.read(i).nbytes for i in range(3))
    again = pickle.loads(stored)
    assert torch.equal(again.pair(1)[1], train.pair(1)[1]) and torch.equal(again.pair(2)[0], train.pair(2)[0])


@pytest.mark.parametrize(("count", "share", "sizes"), [(2, 0.01, (1, 1)), (2, 0.99, (1, 1)), (7, 0.4, (3, 4)), (10, 0.5, (5, 5))])
def test_parts_are_disjoint_and_whole(count, share, sizes):
    split = in_memory(count)
    first, second = parts(split, share, seed=0)
    assert (len(first), len(second)) == sizes
    assert sorted((*first.files, *second.files)) == sorted(split.files)
    assert list(first.files) == sorted(first.files) and list(second.files) == sorted(second.files)
    assert (first.name, second.name) == ("train/first part", "train/second part")
    assert {parts(in_memory(7), 0.5, seed)[0].files for seed in range(5)} != {parts(in_memory(7), 0.5, 0)[0].files}
    assert parts(split, share, 0)[0].files == first.files


def test_one_picture_has_no_parts():
    with pytest.raises(UserError, match=r"split 'train' has 1 picture\(s\): two parts need at least 2; add pictures"):
        parts(in_memory(1), 0.5, 0)


def test_the_digest_is_of_content_scale_and_benchmark(tmp_path):
    make(tmp_path / "a")
    make(tmp_path / "b")
    first, second, other = read(tmp_path / "a"), read(tmp_path / "b"), read(tmp_path / "a", scale=3, patch=36)
    assert first.digest() == second.digest() != other.digest()
    assert first.describe() | {"name": ""} == second.describe() | {"name": ""}
    (tmp_path / "b" / "Set14").rename(tmp_path / "b" / "Urban100")
    assert read(tmp_path / "b").digest() != first.digest()
