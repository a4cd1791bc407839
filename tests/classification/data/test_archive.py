import numpy as np
import pytest
import torch

from classification.data import classification_folder, halves
from common.errors import UserError
from tests.classification.data.makers import archive_arrays, write_archive


def test_the_pictures_come_out_as_they_went_in(tmp_path):
    arrays = archive_arrays()
    data = classification_folder(write_archive(tmp_path, arrays))
    assert data.classes == ("cat", "dog")
    assert data.notes == data.skipped == ()
    for split in (data.train, data.val, data.test):
        pictures = arrays[f"{split.name}_pictures"]
        assert np.array_equal(split.images(torch.arange(len(split))), pictures.transpose(0, 3, 1, 2))
        assert split.labels.tolist() == arrays[f"{split.name}_labels"].tolist()


def test_pictures_that_two_splits_share_are_noted(tmp_path):
    arrays = archive_arrays({"train": 8, "val": 8, "test": 6})
    for kind in ("bytes", "offsets", "labels"):
        arrays[f"val_{kind}"] = arrays[f"train_{kind}"]
    data = classification_folder(write_archive(tmp_path, arrays))
    assert data.notes == ("8 pictures of val are in train as well: the same pixels",)


def test_other_sizes_are_scaled(tmp_path):
    data = classification_folder(write_archive(tmp_path, archive_arrays()), size=16)
    assert data.train.images(torch.arange(8)).shape == (8, 3, 16, 16)


def test_damaged_pictures_are_refused_or_skipped(tmp_path):
    arrays = archive_arrays()
    start = arrays["train_offsets"][3]
    arrays["train_bytes"][start : start + 60] = 0
    folder = write_archive(tmp_path, arrays)
    with pytest.raises(UserError, match=r"cifar10_webp\.npz: image 3 of train: not an image.*--skip-bad"):
        classification_folder(folder)
    data = classification_folder(folder, skip_bad=True)
    assert data.train.rows.tolist() == [0, 1, 2, 4, 5, 6, 7]
    assert data.train.labels.tolist() == [0, 1, 0, 0, 1, 0, 1]
    assert data.skipped == ("image 3 of train: not an image",)


def without(key):
    return lambda arrays: arrays.pop(key)


def put(key, make):
    return lambda arrays: arrays.update({key: make(arrays[key])})


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (without("val_offsets"), r"lacks the array val_offsets"),
        (without("classes"), r"lacks the array classes"),
        (put("train_offsets", lambda a: a + 5), r"train_offsets run from 5 to \d+, not upwards within the \d+ bytes"),
        (put("train_offsets", lambda a: a - 5), "train_offsets run from -5 to"),
        (put("train_offsets", lambda a: a[::-1]), "train_offsets run from 0 to"),
        (put("train_offsets", lambda a: a[:-1]), "train_offsets has 8 entries for 8 labels, not one more"),
        (put("test_labels", lambda a: a + 1), r"test_labels\[1\] is 2, yet there are 2 classes \(labels 0 to 1\)"),
        (put("test_labels", lambda a: a.astype(np.float32)), "test_labels is float32 of shape .*, not a row of whole numbers"),
        (put("test_bytes", lambda a: a.astype(np.uint16)), r"test_bytes is uint16 of shape .*, not a row of bytes \(uint8\)"),
        (put("classes", lambda a: np.arange(2)), "classes is int64 of shape .*, not a row of text"),
        (put("train_labels", lambda a: a * 0), "no image in train for 'dog'"),
        (put("classes", lambda a: np.array(a, dtype=object)), "is no npz file, cut off or damaged"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path, damage, message):
    arrays = archive_arrays()
    damage(arrays)
    with pytest.raises(UserError, match=message) as raised:
        classification_folder(write_archive(tmp_path, arrays))
    assert "\n" not in str(raised.value)


def test_an_empty_split_is_refused(tmp_path):
    arrays = archive_arrays()
    arrays |= {"val_bytes": np.zeros(0, np.uint8), "val_offsets": np.zeros(1, np.int32), "val_labels": np.zeros(0, np.uint8)}
    with pytest.raises(UserError, match="split val has no usable image"):
        classification_folder(write_archive(tmp_path, arrays))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.6, 0.99])
def test_a_cut_file_is_refused(tmp_path, share):
    file = write_archive(tmp_path, archive_arrays()) / "cifar10_webp.npz"
    whole = file.read_bytes()
    file.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(UserError, match=r"is no npz file, cut off or damaged .*: copy it again"):
        classification_folder(tmp_path)


def test_a_single_array_is_refused(tmp_path):
    with (tmp_path / "cifar10_webp.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(UserError, match=r"is no npz file, cut off or damaged .*: copy it again"):
        classification_folder(tmp_path)


def test_a_changed_byte_is_noticed(tmp_path):
    file = write_archive(tmp_path, archive_arrays()) / "cifar10_webp.npz"
    whole = bytearray(file.read_bytes())
    whole[len(whole) // 3] ^= 1
    file.write_bytes(whole)
    with pytest.raises(UserError, match=r"is no npz file, cut off or damaged \(Bad CRC-32"):
        classification_folder(tmp_path)


def test_the_real_subset(tasknas_data):
    folder = tasknas_data / "classification" / "cifar10"
    if not (folder / "cifar10_webp.npz").is_file():
        pytest.skip(f"no real data: {folder / 'cifar10_webp.npz'} is missing")
    data = classification_folder(folder)
    assert [len(split) for split in (data.train, data.val, data.test)] == [8000, 1000, 2000]
    assert data.classes[:3] == ("airplane", "automobile", "bird")
    for split in (data.train, data.val, data.test, *halves(data.train, 0)):
        assert len(set(split.labels.bincount(minlength=10).tolist())) == 1
    # Published constants of all 50,000 training images.
    assert data.scale.mean == pytest.approx((0.4914, 0.4822, 0.4465), abs=0.003)
    assert data.scale.std == pytest.approx((0.2470, 0.2435, 0.2616), abs=0.003)
