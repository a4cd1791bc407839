import pickle

import numpy as np
import pytest
import torch

from classification.data import batch_at, halves
from classification.data.assemble import Part, assemble
from classification.data.splits import Held
from common.errors import UserError


def part(labels, seed=0, size=8):
    pixels = torch.randint(0, 256, (len(labels), 3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))
    return Part(source=Held(images=pixels.numpy()), rows=np.arange(len(labels)), labels=np.array(labels, dtype=np.int64))


def made(counts=(20, 15, 30), **options):
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    parts = {split: part(labels, seed) for seed, split in enumerate(("train", "val", "test"))}
    for split in options.pop("without", ()):
        del parts[split]
    return assemble("toy", [f"class{i}" for i in range(len(counts))], parts, **options)


@pytest.mark.parametrize("counts", [(20, 16, 30), (5, 7, 9), (3, 3, 2), (7, 2)])
def test_halves_are_disjoint_balanced_and_whole(counts):
    train = made(counts).train
    for seed in range(3):
        first, second = halves(train, seed)
        rows = torch.cat([first.rows, second.rows])
        assert sorted(rows.tolist()) == train.rows.tolist()
        assert abs(len(first) - len(second)) <= 1
        difference = first.labels.bincount(minlength=len(counts)) - second.labels.bincount(minlength=len(counts))
        assert difference.abs().max() <= 1
        assert torch.equal(first.labels, train.labels[first.rows])
        assert (first.name, second.name) == ("train/weights", "train/architecture")


def test_halves_are_a_function_of_the_seed():
    train = made().train
    assert torch.equal(halves(train, 0)[0].rows, halves(train, 0)[0].rows)
    assert not torch.equal(halves(train, 0)[0].rows, halves(train, 1)[0].rows)


def test_a_class_of_one_picture_has_no_halves():
    with pytest.raises(UserError, match=r"^class 'class1' has 1 image\(s\) in train: .*add images"):
        halves(made((4, 1)).train, 0)


def test_existing_splits_are_kept_apart():
    data = made()
    assert [len(split) for split in (data.train, data.val, data.test)] == [65, 65, 65]
    assert data.val.source is not data.train.source is not data.test.source
    assert data.notes == ()


@pytest.mark.parametrize("without", [("val",), ("test",), ("val", "test")])
def test_missing_splits_are_cut_from_train(without):
    data = made(without=without)
    cut = [getattr(data, split) for split in without]
    rows = torch.cat([data.train.rows, *(split.rows for split in cut)])
    assert sorted(rows.tolist()) == list(range(65))
    for split in cut:
        assert split.labels.bincount().tolist() == [4, 3, 6]  # a fifth of every class
        assert any(f"there is no {split.name} split: 13 of the 65 training images" in note for note in data.notes)
    assert len(data.notes) == len(without)
    again, other = made(without=without), made(without=without, split_seed=1)
    assert torch.equal(again.train.rows, data.train.rows)
    assert not torch.equal(other.train.rows, data.train.rows)


def test_a_cut_split_is_capped():
    data = assemble("toy", "ab", {"train": part([0, 1] * 15_000, size=1), "test": part([0, 1], size=1)})
    assert [len(split) for split in (data.train, data.val)] == [25_000, 5_000]
    assert data.val.labels.bincount().tolist() == [2_500, 2_500]


def test_a_class_too_small_to_be_cut_is_refused():
    with pytest.raises(UserError, match=r"class 'class1' has 2 image\(s\) in train, of which val and test must be cut"):
        made((9, 2), without=("val", "test"))
    assert len(made((9, 3), without=("val", "test")).train.labels) == 12 - 6


def test_the_scale_is_that_of_train():
    data = made()
    pixels = data.train.images(torch.arange(65)).double() / 255
    assert data.scale.mean == pytest.approx(pixels.mean((0, 2, 3)).tolist(), abs=1e-12)
    assert data.scale.std == pytest.approx(pixels.std((0, 2, 3), correction=0).tolist(), abs=1e-9)
    scaled = data.scale(data.train.images(torch.arange(65)))
    assert torch.allclose(scaled.mean((0, 2, 3)), torch.zeros(3), atol=1e-5)
    assert torch.allclose(scaled.var((0, 2, 3), correction=0), torch.ones(3), atol=1e-4)
    assert data.val.scale == data.test.scale == halves(data.train, 0)[0].scale == data.scale


def test_the_scale_leaves_out_what_was_cut_off():
    images = torch.zeros(20, 3, 4, 4, dtype=torch.uint8)

    def part() -> Part:
        return Part(source=Held(images=images.numpy()), rows=np.arange(20), labels=np.arange(20) % 2)

    data = assemble("toy", "ab", {"train": part()})
    images[data.test.rows] = 255
    again = assemble("toy", "ab", {"train": part()})
    assert again.scale.mean == (0.0, 0.0, 0.0)
    assert again.scale.std == (1.0, 1.0, 1.0)  # a channel that never varies


def test_the_scale_of_some_pictures_is_noted():
    data = made(measured=10)
    assert data.notes == ("the normalisation was measured on 10 training images, evenly spaced",)
    assert data.scale != made().scale
    assert made(measured=65).notes == ()


def test_unusable_data_are_refused():
    with pytest.raises(UserError, match=r"^toy: no image in train for 'class1': .*add images"):
        made((5, 0, 5))
    with pytest.raises(UserError, match=r"^toy has 1 class\(es\): .*at least two"):
        made((5,))
    with pytest.raises(UserError, match=r"^toy: class name\(s\) 'a' occur twice"):
        assemble("toy", ["a", "b", "a"], {"train": part([0, 1, 2])})
    with pytest.raises(UserError, match=r"^toy: split val has no usable image: .*remove val to have it cut from train"):
        assemble("toy", "ab", {"train": part([0, 1]), "val": part([]), "test": part([0])})


def test_a_class_that_only_val_lacks_is_noted():
    data = assemble("toy", "ab", {"train": part([0, 1]), "val": part([0]), "test": part([0, 1])})
    assert data.notes == ("val has no image of 'b'",)


def test_head_takes_evenly_from_every_class():
    train = made().train
    assert train.head(7).labels.tolist() == [0, 0, 0, 1, 1, 2, 2]
    assert train.head(7).rows.tolist() == [0, 1, 2, 20, 21, 35, 36]
    assert torch.equal(train.head(1000).rows, train.rows)


def test_splits_pickle():
    train = pickle.loads(pickle.dumps(made().train))
    assert torch.equal(batch_at(train, 3, 8, 0, "x")[0], batch_at(made().train, 3, 8, 0, "x")[0])


def test_describe_is_what_a_report_says():
    facts = made(without=("test",), skipped=("a.png empty",), mirrored=False).describe()
    assert facts["images"] == {"train": 52, "val": 65, "test": 13}
    assert (facts["image_size"], facts["mirrored"], facts["skipped"]) == (8, False, ["a.png empty"])
    assert len(facts["mean"]) == len(facts["std"]) == 3
