import numpy as np
import pytest
import torch

from classification.data import Augment, batch_at, embedded, ordered
from classification.data.splits import Held, Scale, Split
from common.data.order import positions_at
from common.errors import UserError

UNSCALED = Scale(mean=(0.0, 0.0, 0.0), std=(1 / 255, 1 / 255, 1 / 255))


def toy(count=23, size=8, mirrored=True, images=None):
    """Pictures whose batches come out as pixel values."""
    if images is None:
        images = torch.randint(1, 256, (count, 3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(len(images)) % 2
    return Split(
        name="train",
        classes=("a", "b"),
        source=Held(images=images.numpy()),
        row_array=np.arange(len(images)),
        label_array=labels.numpy(),
        scale=UNSCALED,
        mirrored=mirrored,
    )


@pytest.mark.parametrize("batch_size", [1, 5, 23, 30, 60])
def test_every_epoch_sees_every_picture_once(batch_size):
    seen = np.concatenate([positions_at(23, step, batch_size, 0, "weights") for step in range(69)])[:69].reshape(3, 23)
    assert all(sorted(epoch) == list(range(23)) for epoch in seen.tolist())
    assert seen[0].tolist() != seen[1].tolist() != seen[2].tolist()


def test_a_batch_is_a_function_of_seed_name_and_step():
    split, augment = toy(), Augment(padding=2, cutout=4)
    images, labels = batch_at(split, 7, 8, 0, "weights", augment)
    for step in (0, 3, 9):
        batch_at(split, step, 8, 0, "weights", augment)
    again = batch_at(split, 7, 8, 0, "weights", augment)
    assert torch.equal(images, again[0])
    assert torch.equal(labels, again[1])
    for seed, name in ((1, "weights"), (0, "architecture")):
        assert not torch.equal(images, batch_at(split, 7, 8, seed, name, augment)[0])


def test_the_first_batch_of_seed_0_is_pinned():
    assert positions_at(23, 0, 6, 0, "weights").tolist() == [14, 10, 22, 5, 1, 18]


def test_plain_batches_are_the_pictures_with_their_labels():
    split = toy()
    images, labels = batch_at(split, 2, 9, 0, "x")
    positions = torch.from_numpy(positions_at(23, 2, 9, 0, "x"))
    assert images.dtype == torch.float32
    assert torch.allclose(images, split.images(torch.as_tensor(positions)).float(), atol=1e-3)
    assert torch.equal(labels, positions % 2)


def test_training_does_not_change_the_data():
    split = toy()
    before = split.images(torch.arange(23)).clone()
    for step in range(5):
        batch_at(split, step, 9, 0, "x", Augment(padding=2, cutout=4))
    assert torch.equal(before, split.images(torch.arange(23)))


def test_crops_are_windows_of_the_padded_picture_all_equally_likely():
    split = toy(count=40, size=8)
    offsets = np.zeros((5, 5), dtype=int)
    for step in range(50):
        images, _ = batch_at(split, step, 40, 0, "x", Augment(padding=2, flip=False))
        plain, _ = batch_at(split, step, 40, 0, "x")
        padded = torch.nn.functional.pad(plain, (2, 2, 2, 2))
        for image, around in zip(images, padded):
            found = [(y, x) for y in range(5) for x in range(5) if torch.equal(image, around[:, y : y + 8, x : x + 8])]
            assert len(found) == 1
            offsets[found[0]] += 1
    # 2,000 draws over 25 windows: 80 expected, standard deviation 8.8.
    assert offsets.min() > 45
    assert offsets.max() < 115


def test_half_of_the_pictures_are_mirrored():
    split = toy(count=40)
    mirrored = 0
    for step in range(25):
        images, _ = batch_at(split, step, 40, 0, "x", Augment(padding=0))
        plain, _ = batch_at(split, step, 40, 0, "x")
        for image, before in zip(images, plain):
            assert torch.equal(image, before) or torch.equal(image, before.flip(-1))
            mirrored += torch.equal(image, before.flip(-1))
    assert 430 < mirrored < 570  # 500 expected, standard deviation 16


def test_digits_are_never_mirrored():
    split = embedded().train
    for step in range(5):
        plain, _ = batch_at(split, step, 64, 0, "x")
        assert torch.equal(batch_at(split, step, 64, 0, "x", Augment(padding=0))[0], plain)
    assert torch.equal(batch_at(toy(mirrored=False), 0, 8, 0, "x", Augment(padding=0))[0], batch_at(toy(), 0, 8, 0, "x")[0])


@pytest.mark.parametrize("length", [2, 4, 6])
def test_cutout_zeroes_one_square_cut_at_the_border(length):
    split = toy(count=40, size=12)
    whole = 0
    for step in range(10):
        images, _ = batch_at(split, step, 40, 0, "x", Augment(cutout=length))
        before, _ = batch_at(split, step, 40, 0, "x", Augment())
        for image, plain in zip(images, before):
            # Black padding is zero in either case here; what was not zero and is now was cut out.
            rows, columns = torch.nonzero((image != plain).all(0), as_tuple=True)
            if len(rows):
                box = image[:, rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
                assert (box == 0).all()
                assert max(box.shape[1:]) <= length
                whole += box.shape[1:] == (length, length)
            untouched = plain.clone()
            if len(rows):
                untouched[:, rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] = 0
            assert torch.equal(image, untouched)
    assert whole > 40


def test_cutout_centres_lie_anywhere():
    split = toy(images=torch.full((50, 3, 8, 8), 9, dtype=torch.uint8))
    hits = torch.zeros(8, 8)
    for step in range(40):
        images, _ = batch_at(split, step, 50, 0, "x", Augment(padding=0, flip=False, cutout=2))
        hits += (images[:, 0] == 0).sum(0)
    # A pixel is cut if the centre is on it or just after it: 2,000 draws, 4 of 64 centres inside, fewer at the far border.
    assert hits.sum() == pytest.approx(2000 * (2 * 8 - 1) ** 2 / 64, rel=0.05)
    assert hits[1:7, 1:7].min() > 80


def test_padding_is_black_and_cutout_is_the_mean_colour():
    scale = Scale(mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
    white = torch.full((30, 3, 8, 8), 255, dtype=torch.uint8)
    split = Split(
        name="train",
        classes=("a", "b"),
        source=Held(images=white.numpy()),
        row_array=np.arange(30),
        label_array=np.arange(30) % 2,
        scale=scale,
        mirrored=True,
    )
    assert batch_at(split, 0, 30, 0, "x", Augment(padding=4))[0].unique().tolist() == [-2.0, 2.0]
    assert batch_at(split, 0, 30, 0, "x", Augment(padding=0, cutout=4))[0].unique().tolist() == [0.0, 2.0]


def test_ordered_gives_every_picture_in_order():
    split = toy()
    batches = list(ordered(split, 10))
    assert [len(labels) for _, labels in batches] == [10, 10, 3]
    assert torch.equal(torch.cat([labels for _, labels in batches]), split.labels)
    assert torch.allclose(torch.cat([images for images, _ in batches]), split.images(torch.arange(23)).float(), atol=1e-3)


@pytest.mark.parametrize(("name", "value"), [("padding", -1), ("cutout", -4)])
def test_lengths_below_zero_are_refused(name, value):
    with pytest.raises(UserError, match=rf"^{name}={value}: .*at least 0"):
        Augment(**{name: value})
