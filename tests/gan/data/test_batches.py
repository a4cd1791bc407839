import numpy as np
import pytest
import torch

from common.errors import UserError
from gan.data import Augmentation, Images, Split, batch_at, ordered, to_float, to_uint8
from gan.data.images import InMemory

PLAIN = Augmentation(size=16, load=16, flip=False)
JITTER = Augmentation(size=16, load=24, flip=True)


def coded(count: int, side: int = 24, shift: int = 0) -> Images:
    """Red grows with x and green with y, so that a cut tells its place; blue is the number of the picture and `shift`."""
    rows, columns = np.mgrid[:side, :side]
    pixels = [np.stack([columns * 5, rows * 5, np.full((side, side), i + shift)], axis=2) for i in range(count)]
    return Images(files=tuple(f"{i}.png" for i in range(count)), read=InMemory(np.stack(pixels).astype(np.uint8)))


def split_of(inputs: int, targets: int, side: int = 24) -> Split:
    return Split(name="train", inputs=coded(inputs, side), targets=coded(targets, side, shift=100))


def numbers(batch: torch.Tensor) -> list[int]:
    return to_uint8(batch)[:, 2, 0, 0].tolist()


def test_a_batch_has_the_shape_and_range_generators_take():
    for part in batch_at(split_of(5, 5), 0, 3, 0, "x", JITTER, True):
        assert part.shape == (3, 3, 16, 16)
        assert part.dtype == torch.float32
        assert part.is_contiguous()
        assert -1 <= part.min() < -0.9


@pytest.mark.parametrize("paired", [True, False])
def test_a_batch_is_a_pure_function_of_its_arguments(paired):
    split = split_of(9, 9)
    batch = batch_at(split, 3, 4, 0, "x", JITTER, paired)
    batch_at(split, 9, 4, 5, "y", JITTER, paired)
    for part, again in zip(batch, batch_at(split, 3, 4, 0, "x", JITTER, paired)):
        assert part.numpy().tobytes() == again.numpy().tobytes()
    for step, seed, name in ((4, 0, "x"), (3, 1, "x"), (3, 0, "y")):
        for part, other in zip(batch, batch_at(split, step, 4, seed, name, JITTER, paired)):
            assert not torch.equal(part, other)
    renamed = Split(name="val", inputs=split.inputs, targets=split.targets)
    assert not torch.equal(batch[0], batch_at(renamed, 3, 4, 0, "x", JITTER, paired)[0])


def test_pairs_stay_together_under_cut_and_mirror():
    x, y = batch_at(split_of(7, 7), 0, 60, 0, "x", JITTER, True)
    a, b = to_uint8(x), to_uint8(y)
    assert torch.equal(a[:, :2], b[:, :2])
    assert torch.equal(a[:, 2] + 100, b[:, 2])


def test_unpaired_domains_have_their_own_order_cut_and_mirror():
    x, y = batch_at(split_of(7, 7), 0, 60, 0, "x", JITTER, False)
    a, b = to_uint8(x), to_uint8(y)
    assert (a[:, :2] != b[:, :2]).flatten(1).any(dim=1).float().mean() > 0.9
    assert [number + 100 for number in numbers(x)] != numbers(y)
    mirrored = [part[:, 0, 0, 0] > part[:, 0, 0, -1] for part in (a, b)]
    assert 0.25 < (mirrored[0] == mirrored[1]).float().mean() < 0.75


@pytest.mark.parametrize(("paired", "targets"), [(True, 10), (False, 4)])
def test_steps_walk_through_each_domain_once_per_epoch(paired, targets):
    split = split_of(10, targets)
    steps = [batch_at(split, step, 4, 0, "x", PLAIN, paired) for step in range(10)]
    for part, count, shift in ((0, 10, 0), (1, targets, 100)):
        walk = [number for step in steps for number in numbers(step[part])]
        epochs = [walk[start : start + count] for start in range(0, 40, count)]
        for epoch in epochs:
            assert sorted(epoch) == [shift + i for i in range(count)]
        assert len({tuple(epoch) for epoch in epochs}) > 1


def test_cuts_reach_every_place_and_mirrors_are_half():
    x, _ = batch_at(split_of(1, 1), 0, 600, 0, "x", JITTER, True)
    pixels = to_uint8(x)
    left = torch.minimum(pixels[:, 0, 0, 0], pixels[:, 0, 0, -1]) // 5
    top = pixels[:, 1, 0, 0] // 5
    assert set(left.tolist()) == set(top.tolist()) == set(range(9))
    assert len({*zip(left.tolist(), top.tolist())}) > 70  # of 81: the two axes are drawn apart
    assert 0.4 < (pixels[:, 0, 0, 0] > pixels[:, 0, 0, -1]).float().mean() < 0.6
    step = (pixels[:, 0, 0].int().diff(dim=1)).abs()
    assert (step == 5).all()  # neighbours stay neighbours
    straight, _ = batch_at(split_of(1, 1), 0, 60, 0, "x", Augmentation(size=16, load=24, flip=False), True)
    assert (straight[:, 0, 0, 0] < straight[:, 0, 0, -1]).all()


def test_pictures_are_resized_to_load_before_they_are_cut():
    images = coded(1, side=48)
    x, _ = batch_at(
        Split(name="train", inputs=images, targets=images), 0, 8, 0, "x", Augmentation(size=16, load=24, flip=False), True
    )
    whole = images.at(0, 24)
    for cut in to_uint8(x):
        windows = whole.unfold(1, 16, 1).unfold(2, 16, 1).permute(1, 2, 0, 3, 4).reshape(-1, 3, 16, 16)
        assert (windows == cut).flatten(1).all(dim=1).any()


def test_without_jitter_a_batch_is_the_pictures_themselves():
    split = split_of(5, 5, side=16)
    x, _ = batch_at(split, 0, 5, 0, "x", PLAIN, True)
    for picture, number in zip(x, numbers(x)):
        assert torch.equal(to_uint8(picture), split.inputs.at(number, 16))


@pytest.mark.parametrize(("size", "load"), [(16, 12), (0, 16), (-4, 16)])
def test_impossible_augmentations_are_refused(size, load):
    with pytest.raises(UserError, match=f"size={size}, load={load}: .*1 <= size <= load"):
        Augmentation(size=size, load=load, flip=False)


def test_evaluation_sees_every_picture_in_order_neither_cut_nor_mirrored():
    images = coded(7, side=24)
    batches = list(ordered(images, 20, 3))
    assert [len(batch) for batch in batches] == [3, 3, 1]
    for index, picture in enumerate(torch.cat(batches)):
        assert torch.equal(picture, to_float(images.at(index, 20)))


def test_pixels_and_floats_are_inverse():
    every = torch.arange(256, dtype=torch.uint8)
    values = to_float(every)
    assert (values[0], values[-1]) == (-1, 1)
    assert values.abs().min() < 0.005
    assert torch.equal(to_uint8(values), every)
    assert to_uint8(torch.tensor([-3.0, 1.01, 2 * 100.4 / 255 - 1, 2 * 100.6 / 255 - 1])).tolist() == [0, 255, 100, 101]
