"""Batches of patches: which pictures, which places, which symmetries, and that they repeat."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from PIL import Image

from common.errors import UserError
from superres.data import Split, batch_at
from superres.data.files import Pair, pair_of
from superres.data.splits import InMemory
from tests.superres.data.folders import noise


def coded(count: int, width: int = 40, height: int = 32, scale: int = 2, name: str = "train") -> Split:
    """Red grows with x and green with y of the low-resolution pixel, so that a cut tells its place; blue is its number."""
    pairs = []
    for number in range(count):
        rows, columns = np.mgrid[: height // scale, : width // scale]
        low = np.stack([columns, rows, np.full_like(rows, number)]).astype(np.uint8)
        pairs.append(Pair(low, low.repeat(scale, axis=1).repeat(scale, axis=2)))
    files = tuple(f"{i}.png" for i in range(count))
    return Split(name=name, scale=scale, files=files, groups=("",) * count, read=InMemory(tuple(pairs)))


def numbers(batch: torch.Tensor) -> list[int]:
    return batch[:, 2, 0, 0].int().tolist()


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_batch_has_the_shapes_and_values_of_its_pictures(scale):
    split = coded(5, 60, 48, scale)
    low, high = batch_at(split, 0, 3, 0, "x", 12 * scale, True)
    assert low.shape == (3, 3, 12, 12) and high.shape == (3, 3, 12 * scale, 12 * scale)
    assert low.dtype == high.dtype == torch.float32 and low.is_contiguous() and high.is_contiguous()
    assert torch.equal(low.repeat_interleave(scale, 2).repeat_interleave(scale, 3), high)  # the same place, turned alike


def test_patches_without_flips_are_cut_out_of_the_pictures():
    pairs = tuple(pair_of(noise(i, 50, 34), 2) for i in range(3))
    split = Split(name="train", scale=2, files=("a", "b", "c"), groups=("",) * 3, read=InMemory(pairs))
    for low, high in zip(*batch_at(split, 0, 30, 0, "x", 24, False)):
        found = 0
        for pair in pairs:
            for y in range(17 - 12 + 1):
                for x in range(25 - 12 + 1):
                    same = np.array_equal(pair.low[:, y : y + 12, x : x + 12], low.numpy())
                    found += same and np.array_equal(pair.high[:, 2 * y : 2 * y + 24, 2 * x : 2 * x + 24], high.numpy())
        assert found == 1


def test_a_batch_is_a_pure_function_of_its_arguments():
    split = coded(9)
    first = batch_at(split, 3, 4, 0, "x", 24, True)
    batch_at(split, 9, 4, 5, "y", 24, True)
    for part, again in zip(first, batch_at(split, 3, 4, 0, "x", 24, True)):
        assert part.numpy().tobytes() == again.numpy().tobytes()
    for step, seed, name in ((4, 0, "x"), (3, 1, "x"), (3, 0, "y")):
        assert not torch.equal(first[0], batch_at(split, step, 4, seed, name, 24, True)[0])
    assert not torch.equal(first[0], batch_at(coded(9, name="val"), 3, 4, 0, "x", 24, True)[0])


def test_the_same_pictures_and_places_with_and_without_flips():
    split = coded(6)
    (plain, _), (flipped, _) = (batch_at(split, 2, 6, 0, "x", 24, flip) for flip in (False, True))
    assert numbers(plain) == numbers(flipped)
    assert torch.equal(plain.amin(dim=(2, 3)), flipped.amin(dim=(2, 3)))
    assert not torch.equal(plain, flipped)


def test_steps_walk_through_the_pictures_once_per_epoch():
    split = coded(10)
    walk = [number for step in range(10) for number in numbers(batch_at(split, step, 4, 0, "x", 24, True)[0])]
    epochs = [walk[start : start + 10] for start in range(0, 40, 10)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4


def test_patches_come_from_every_place():
    low, _ = batch_at(coded(1), 0, 600, 0, "x", 24, False)
    left, top = low[:, 0, 0, 0].int().tolist(), low[:, 1, 0, 0].int().tolist()
    assert set(left) == set(range(20 - 12 + 1)) and set(top) == set(range(16 - 12 + 1))
    assert len({*zip(left, top)}) == 45  # of 45: the two are drawn apart
    counts = np.bincount(left)
    steps = [batch_at(coded(1), step, 1, 0, "x", 24, False)[0] for step in range(20)]
    assert len({(patch[0, 0, 0, 0].item(), patch[0, 1, 0, 0].item()) for patch in steps}) > 10
    assert counts.min() > 0.6 * 600 / 9 and counts.max() < 1.5 * 600 / 9


def test_all_eight_symmetries_are_equally_likely():
    """A picture as large as its patch has one place: what differs is how it is turned."""
    split = coded(1, 24, 24)
    whole, _ = split.pair(0)
    turned = [torch.rot90(side, k, (1, 2)) for side in (whole, whole.flip(2)) for k in range(4)]
    seen = [0] * 8
    for low in batch_at(split, 0, 800, 0, "x", 24, True)[0]:
        (which,) = [k for k, one in enumerate(turned) if torch.equal(one.float(), low)]
        seen[which] += 1
    assert min(seen) > 65 and max(seen) < 135
    plain, _ = batch_at(split, 0, 8, 0, "x", 24, False)
    assert (plain == whole.float()).all()


def test_pictures_of_different_sizes_lie_in_one_batch():
    pairs = tuple(pair_of(Image.new("RGB", size, (9, 8, 7)), 2) for size in ((24, 24), (100, 30), (24, 60)))
    split = Split(name="train", scale=2, files=("a", "b", "c"), groups=("",) * 3, read=InMemory(pairs))
    low, high = batch_at(split, 0, 12, 0, "x", 24, True)
    assert (low == torch.tensor([9.0, 8, 7])[:, None, None]).all() and (high == high[0]).all()


def test_a_part_of_a_split_walks_through_its_own_pictures():
    low, _ = batch_at(coded(10).pick((7, 2, 5), "train/first half"), 0, 6, 0, "x", 24, True)
    assert sorted(numbers(low)) == [2, 2, 5, 5, 7, 7]


@pytest.mark.parametrize("patch", [25, 0, 1])
def test_patches_that_are_no_multiple_of_the_scale(patch):
    with pytest.raises(UserError, match=f"patch={patch}: .* give a multiple of 2"):
        batch_at(coded(2), 0, 1, 0, "x", patch, True)


def test_patches_larger_than_a_picture():
    with pytest.raises(UserError, match=r"patch=34: 0\.png is 40x32 .*; give a smaller patch"):
        batch_at(coded(1), 0, 2, 0, "x", 34, True)


def test_a_batch_is_quick():
    """About half a millisecond for 16 patches of 96 pixels, of pictures in memory."""
    pairs = tuple(pair_of(noise(i, 300, 260), 2) for i in range(8))
    split = Split(name="train", scale=2, files=("",) * 8, groups=("",) * 8, read=InMemory(pairs))
    batch_at(split, 0, 16, 0, "x", 96, True)
    taken = []
    for step in range(40):
        start = time.process_time()
        batch_at(split, step, 16, 0, "x", 96, True)
        taken.append(time.process_time() - start)
    assert sorted(taken)[10] < 0.002
