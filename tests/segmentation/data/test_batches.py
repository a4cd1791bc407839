import numpy as np
import pytest
import torch
from PIL import Image

from common.errors import UserError
from segmentation.data import IGNORE, Augmentation, batch_at, check_crop, embedded, folder, ordered
from segmentation.data.batches import PADDING
from segmentation.data.samples import Held, Split

PLAIN = Augmentation(crop=(64, 64), scale=(1, 1), flip=False)


@pytest.fixture(scope="module")
def scenes():
    return embedded(train=10, val=7, test=1)


def coded(height: int, width: int, count: int = 4, ignored: bool = False) -> Split:
    """Pictures whose smooth colour and whose labels tell the same place: red grows with x, green with y."""
    rows, columns = np.mgrid[:height, :width]
    image = np.stack([columns * 250 / width, rows * 250 / height, np.full((height, width), 9)], axis=2)
    label = np.full((height, width), IGNORE) if ignored else rows * 4 // height * 4 + columns * 4 // width
    images = tuple(image.astype(np.uint8) for _ in range(count))
    labels = tuple(label.astype(np.uint8) for _ in range(count))
    files = tuple(f"{i}.png" for i in range(count))
    pixels = np.ones((count, 16), dtype=np.int64)
    sizes = np.full((count, 2), (height, width), dtype=np.int64)
    classes = tuple(f"c{i}" for i in range(16))
    return Split(name="train", classes=classes, files=files, sizes=sizes, pixels=pixels, read=Held(images, labels, files))


def test_a_batch_is_a_pure_function_of_seed_name_and_step(scenes):
    augmentation = Augmentation(crop=(48, 64))
    batch = batch_at(scenes.train, 3, 4, 0, "weights", augmentation)
    assert batch.images.shape == (4, 3, 48, 64)
    assert batch.images.dtype == torch.uint8
    assert batch.images.is_contiguous()
    assert batch.labels.shape == (4, 48, 64)
    assert batch.labels.dtype == torch.int64
    batch_at(scenes.train, 9, 4, 5, "weights", augmentation)
    again = batch_at(scenes.train, 3, 4, 0, "weights", augmentation)
    assert torch.equal(batch.images, again.images)
    assert torch.equal(batch.labels, again.labels)
    for step, seed, name in ((4, 0, "weights"), (3, 1, "weights"), (3, 0, "arch")):
        assert not torch.equal(batch.images, batch_at(scenes.train, step, 4, seed, name, augmentation).images)


def test_steps_walk_through_every_sample_once_per_epoch(scenes):
    files = [file for step in range(10) for file in batch_at(scenes.train, step, 3, 0, "x", PLAIN).files]
    epochs = [files[start : start + 10] for start in (0, 10, 20)]
    for epoch in epochs:
        assert sorted(epoch) == sorted(scenes.train.files)
    assert epochs[0] != epochs[1]


def test_without_scale_and_flip_a_full_crop_is_the_sample(scenes):
    batch = batch_at(scenes.train, 0, 10, 0, "x", PLAIN)
    for image, labels, file in zip(batch.images, batch.labels, batch.files):
        sample = scenes.train[scenes.train.files.index(file)]
        assert torch.equal(image, sample.image)
        assert torch.equal(labels, sample.labels.long())


@pytest.mark.parametrize("scale", [(1, 1), (0.5, 0.5), (2, 2), (0.5, 2.0)])
@pytest.mark.parametrize("flip", [False, True])
def test_labels_stay_on_their_pixels(scale, flip):
    split = coded(96, 128)
    batch = batch_at(split, 0, 40, 0, "x", Augmentation(crop=(40, 56), scale=scale, flip=flip))
    place = (batch.images[:, 1].float() * 4 / 250).floor() * 4 + (batch.images[:, 0].float() * 4 / 250).floor()
    assert (batch.labels != IGNORE).all()
    assert (place == batch.labels).float().mean() > 0.93  # the rest lies on the borders between labels
    mirrored = (batch.images[:, 0, 20, 50] < batch.images[:, 0, 20, 5]).float().mean()
    assert 0.25 < mirrored < 0.75 if flip else mirrored == 0


def test_scales_cover_the_range_uniformly():
    batch = batch_at(coded(96, 128), 0, 200, 0, "x", Augmentation(crop=(40, 56), flip=False))
    red = batch.images[:, 0, 20].float()
    scale = 250 / 128 / ((red[:, 50] - red[:, 5]) / 45)
    assert scale.min() < 0.55
    assert scale.max() > 1.8
    assert torch.histogram(scale.clamp(0.5, 2), 3, range=(0.5, 2)).hist.min() > 45


@pytest.mark.parametrize("scale", [0.5, 0.73, 1.0, 1.37, 2.0])
def test_a_window_is_a_cut_of_the_whole_scaled_picture(scenes, scale):
    """Resampling only a box gives what scaling the whole picture and then cutting gives, to two grey levels of rounding."""
    side = round(64 * scale)
    crop = min(side, 30)
    batch = batch_at(scenes.train, 0, 4, 0, "x", Augmentation(crop=(crop, crop), scale=(scale, scale), flip=False))
    for image, labels, file in zip(batch.images, batch.labels, batch.files):
        sample = scenes.train[scenes.train.files.index(file)]
        whole = Image.fromarray(sample.image.permute(1, 2, 0).numpy()).resize((side, side), Image.Resampling.BILINEAR)
        values = Image.fromarray(sample.labels.numpy()).resize((side, side), Image.Resampling.NEAREST)
        wanted = image.permute(1, 2, 0).numpy().astype(int)
        pixels, classes = np.asarray(whole).astype(int), np.asarray(values)
        windows = np.lib.stride_tricks.sliding_window_view(pixels, (crop, crop), axis=(0, 1))
        distance = np.abs(windows - wanted.transpose(2, 0, 1)).max(axis=(2, 3, 4))
        y, x = np.unravel_index(distance.argmin(), distance.shape)
        assert distance[y, x] <= 2
        # Places just between two pixels may go to either: at 1.37 some rows lie so.
        assert (classes[y : y + crop, x : x + crop] != labels.numpy()).mean() <= 0.03


def test_pictures_smaller_than_the_crop_are_padded_and_the_padding_ignored():
    batch = batch_at(coded(40, 60), 0, 4, 0, "x", Augmentation(crop=(40, 60), scale=(0.5, 0.5)))
    assert (batch.labels[:, :20, :30] != IGNORE).all()
    outside = torch.ones(40, 60, dtype=torch.bool)
    outside[:20, :30] = False
    assert (batch.labels[:, outside] == IGNORE).all()
    assert (batch.images[:, :, outside] == torch.tensor(PADDING)[:, None]).all()
    assert (batch.images[:, 2, :20, :30] == 9).all()


def test_a_window_without_labels_is_drawn_anew_and_not_for_ever():
    split = coded(96, 128)
    labels = np.full((96, 128), IGNORE, dtype=np.uint8)
    labels[:, :64] = 3
    half = Split(
        name="train",
        classes=split.classes,
        files=split.files,
        sizes=split.sizes,
        pixels=split.pixels,
        read=Held(tuple(split[0].image.permute(1, 2, 0).numpy() for _ in range(4)), (labels,) * 4, split.files),
    )
    batch = batch_at(half, 0, 60, 0, "x", Augmentation(crop=(20, 20), scale=(1, 1)))
    assert (batch.labels != IGNORE).flatten(1).any(dim=1).all()
    blank = batch_at(coded(96, 128, ignored=True), 0, 4, 0, "x", Augmentation(crop=(20, 20)))
    assert (blank.labels == IGNORE).all()


@pytest.mark.parametrize("crop", [(41, 60), (40, 61), (100, 100)])
def test_a_crop_larger_than_the_pictures_is_refused(crop):
    split = coded(40, 60)
    message = rf"crop {crop[0]}x{crop[1]} .*larger than the pictures of train, at most 40x60: choose a crop of at most 40x60"
    with pytest.raises(UserError, match=message):
        check_crop(split, crop)
    with pytest.raises(UserError, match=message):
        batch_at(split, 0, 2, 0, "x", Augmentation(crop=crop))
    check_crop(split, (40, 60))


@pytest.mark.parametrize("wrong", [{"crop": (0, 5)}, {"scale": (0, 1)}, {"scale": (2, 1)}, {"scale": (1, float("inf"))}])
def test_impossible_augmentations_are_refused(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        Augmentation(**{"crop": (8, 8), **wrong})


def test_evaluation_sees_every_sample_in_order_at_full_size(scenes, root):
    batches = list(ordered(scenes.val, 3))
    assert [len(batch) for batch in batches] == [3, 3, 1]
    assert tuple(file for batch in batches for file in batch.files) == scenes.val.files
    assert torch.equal(torch.cat([batch.labels for batch in batches]), torch.stack([s.labels for s in scenes.val]).long())
    mixed = list(ordered(folder(root).train, 3))
    assert [batch.images.shape for batch in mixed] == [(1, 3, 40, 60), (1, 3, 60, 40), (1, 3, 50, 50)]
    assert [len(batch) for batch in ordered(folder(root).val, 3)] == [2]


def test_every_step_and_every_place_in_a_batch_has_its_own_augmentation():
    split = coded(96, 128, count=1)  # one picture: only the augmentation can differ
    crops = torch.cat([batch_at(split, step, 3, 0, "x", Augmentation(crop=(40, 56))).images for step in range(4)])
    assert len(crops.unique(dim=0)) == 12
