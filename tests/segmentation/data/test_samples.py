import pickle

import pytest
import torch

from common.errors import UserError
from segmentation.data import embedded, folder, halves
from segmentation.data.samples import renamed


@pytest.fixture(scope="module")
def split():
    return embedded(train=11, val=1, test=1).train


def test_halves_are_disjoint_cover_the_split_and_depend_on_the_seed(split):
    first, second = halves(split, 0)
    assert (len(first), len(second)) == (6, 5)
    assert sorted([*first.files, *second.files]) == sorted(split.files)
    assert list(first.files) == sorted(first.files)
    assert halves(split, 0)[0].files == first.files
    assert any(halves(split, seed)[0].files != first.files for seed in (1, 2, 3))
    assert first.name != second.name
    for half in (first, second):
        for file, sample, pixels in zip(half.files, half, half.pixels, strict=True):
            original = split[split.files.index(file)]
            assert sample.file == file
            assert sample.image.data_ptr() == original.image.data_ptr()
            assert torch.bincount(sample.labels.long().ravel(), minlength=6).tolist() == pixels.tolist()


def test_one_sample_has_no_halves(split):
    with pytest.raises(UserError, match=r"split 'train' has 1 image\(s\): two halves need at least 2"):
        halves(split.head(1), 0)


def test_head_indices_and_names(split):
    head = split.head(3)
    assert head.files == split.files[:3]
    assert head.pixels.tolist() == split.pixels[:3].tolist()
    assert split.head(99).files == split.files
    assert split[-1].file == split.files[-1]
    assert head.pick([2, 0], "two").files == (split.files[2], split.files[0])
    assert renamed(head, "other").name == "other"
    for index in (11, -12):
        with pytest.raises(IndexError):
            split[index]


def test_splits_pickle_in_memory_and_on_disk(split, root, monkeypatch):
    assert torch.equal(pickle.loads(pickle.dumps(halves(split, 0)[1]))[2].labels, halves(split, 0)[1][2].labels)
    monkeypatch.setattr("segmentation.data.inspection._KEEP_BYTES", 1)
    train = folder(root).train
    assert torch.equal(pickle.loads(pickle.dumps(train))[1].image, train[1].image)
