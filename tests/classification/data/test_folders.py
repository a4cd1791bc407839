import pickle
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from classification.data import batch_at, classification_folder
from classification.data import folders as module
from common.errors import UserError
from tests.classification.data.makers import archive_arrays, cifar10_bins, cifar10_pickles, image_tree, write_archive


def test_splits_of_class_folders(tmp_path):
    data = classification_folder(image_tree(tmp_path), size=16)
    assert data.classes == ("cat", "dog", "owl")
    for split in (data.train, data.val, data.test):
        assert split.labels.tolist() == [0] * 6 + [1] * 6 + [2] * 6
    # 20x24 pixels: scaled by 16/20, then the middle 16 of 19.2 rows.
    with Image.open(tmp_path / "val" / "dog" / "0.png") as image:
        expected = image.resize((16, 16), Image.Resampling.BILINEAR, box=(0, 2, 20, 22))
    assert np.array_equal(data.val.images(torch.tensor([6]))[0].permute(1, 2, 0), expected)
    assert data.notes == ()


def test_class_folders_alone_are_split_by_a_seed(tmp_path):
    folder = image_tree(tmp_path, splits=("",), count=10)
    data = classification_folder(folder, size=8)
    assert [len(split) for split in (data.train, data.val, data.test)] == [18, 6, 6]
    assert len(set(torch.cat([data.train.rows, data.val.rows, data.test.rows]).tolist())) == 30
    assert [note[:20] for note in data.notes] == ["there is no val spli", "there is no test spl"]
    again, other = classification_folder(folder, size=8), classification_folder(folder, size=8, split_seed=3)
    assert torch.equal(data.test.rows, again.test.rows)
    assert not torch.equal(data.test.rows, other.test.rows)


@pytest.mark.parametrize("name", ["valid", "validation"])
def test_other_names_of_the_validation_split(tmp_path, name):
    data = classification_folder(image_tree(tmp_path, splits=("train", name)), size=8)
    assert [len(split) for split in (data.train, data.val, data.test)] == [15, 18, 3]
    (tmp_path / "val").mkdir()
    with pytest.raises(UserError, match=rf"has both val/ and {name}/"):
        classification_folder(tmp_path, size=8)


def test_a_class_may_be_called_train(tmp_path):
    data = classification_folder(image_tree(tmp_path, splits=("",), classes=("car", "train")), size=8)
    assert data.classes == ("car", "train")


def test_what_is_no_image_or_hidden_is_ignored(tmp_path):
    folder = image_tree(tmp_path)
    (folder / "train" / "cat" / "notes.txt").write_text("x")
    (folder / "train" / "cat" / "._0.png").write_text("x")
    (folder / "train" / ".cache").mkdir()
    (folder / "train" / "cat" / "more").mkdir()
    shutil.copy(folder / "train" / "cat" / "0.png", folder / "train" / "cat" / "more" / "UPPER.PNG")
    data = classification_folder(folder, size=8)
    assert data.train.labels.bincount().tolist() == [7, 6, 6]
    assert data.notes == (
        "left out, as no data: 2 entries: train/.cache/ (hidden); train/cat/._0.png (hidden)",
        "1 files of train are no jpg/jpeg/png/bmp/tif/tiff/webp and were ignored, such as train/cat/notes.txt",
    )


def test_small_images_are_enlarged_and_noted(tmp_path):
    data = classification_folder(image_tree(tmp_path, splits=("train", "val", "test")), size=32)
    assert data.notes == tuple(
        f"18 images of {name} are smaller than 32 pixels and were enlarged" for name in ("train", "val", "test")
    )
    assert data.train.images(torch.tensor([0])).shape == (1, 3, 32, 32)


def test_damaged_images_are_refused_or_skipped(tmp_path):
    folder = image_tree(tmp_path)
    whole = (folder / "train" / "dog" / "1.jpg").read_bytes()
    (folder / "train" / "dog" / "1.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "val" / "cat" / "0.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"2 bad images: train/dog/1\.jpg damaged: .*; val/cat/0\.png empty file; .*--skip-bad"):
        classification_folder(folder, size=8)
    data = classification_folder(folder, size=8, skip_bad=True)
    assert data.train.labels.bincount().tolist() == [6, 5, 6]
    assert len(data.val) == 17
    assert [line.split(" ")[0] for line in data.skipped] == ["train/dog/1.jpg", "val/cat/0.png"]
    clean = classification_folder(image_tree(tmp_path / "clean"), size=8)
    assert torch.equal(data.train.images(torch.arange(17)), clean.train.images(torch.tensor([i for i in range(18) if i != 7])))


def test_a_class_of_damaged_images_is_refused(tmp_path):
    folder = image_tree(tmp_path)
    for file in (folder / "train" / "dog").iterdir():
        file.write_bytes(b"x")
    with pytest.raises(UserError, match=r"6 bad images: .*; \.\.\. and 2 more; replace them"):
        classification_folder(folder, size=8)
    with pytest.raises(UserError, match="no image in train for 'dog'"):
        classification_folder(folder, size=8, skip_bad=True)


def test_large_folders_are_decoded_when_read(tmp_path, monkeypatch):
    folder = image_tree(tmp_path)
    kept = classification_folder(folder, size=8)
    monkeypatch.setattr(module, "_CHECK_ALL", 10)
    monkeypatch.setattr(module, "_KEEP_BYTES", 0)
    monkeypatch.setattr(module, "_MEASURED", 5)
    (folder / "val" / "cat" / "0.png").write_bytes(b"")
    data = classification_folder(folder, size=8)
    assert data.notes == ("the normalisation was measured on 5 training images, evenly spaced",)
    positions = torch.tensor([17, 3, 3, 0, 9, 10, 11, 12, 13])
    assert torch.equal(data.train.images(positions), kept.train.images(positions))
    with pytest.raises(UserError, match=r"val/cat/0\.png: cannot be decoded .*--skip-bad"):
        data.val.images(torch.tensor([0]))
    assert len(classification_folder(folder, size=8, skip_bad=True).val) == 17


def test_images_are_read_once(tmp_path):
    folder = image_tree(tmp_path)
    data = classification_folder(folder, size=8)
    before = batch_at(data.train, 0, 18, 0, "x")[0]
    sent = pickle.dumps(data.train)
    shutil.rmtree(folder)
    assert torch.equal(batch_at(data.train, 0, 18, 0, "x")[0], before)
    # A worker gets the paths and reads for itself.
    assert len(sent) < 8_000
    with pytest.raises(UserError, match="cannot be decoded"):
        batch_at(pickle.loads(sent), 0, 18, 0, "x")


def test_workers_read_the_same(tmp_path):
    data = classification_folder(image_tree(tmp_path), size=8)
    again = pickle.loads(pickle.dumps(data.train))
    for step in range(3):
        assert torch.equal(batch_at(again, step, 7, 0, "x")[0], batch_at(data.train, step, 7, 0, "x")[0])


def test_unknown_layouts_are_refused_with_the_known_ones(tmp_path):
    known = (
        r"known layouts: cifar10_webp\.npz; cifar-10-batches-py, cifar-100-python, cifar-10-batches-bin, .*class folders alone"
    )
    with pytest.raises(UserError, match=rf"nowhere is not a folder; {known}"):
        classification_folder(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match=rf"file is not a folder; {known}"):
        classification_folder(tmp_path / "file")
    with pytest.raises(UserError, match=rf"has no image in a class folder and is of no known layout; {known}"):
        classification_folder(tmp_path)
    image_tree(tmp_path / "tree", splits=("val",))
    with pytest.raises(UserError, match=rf"has val/ but no train/; {known}"):
        classification_folder(tmp_path / "tree")


def test_one_class_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"has 1 class\(es\): a classifier needs at least two"):
        classification_folder(image_tree(tmp_path, splits=("",), classes=("a",)), size=8)


def test_different_class_folders_are_refused(tmp_path):
    folder = image_tree(tmp_path)
    (folder / "val" / "owl").rename(folder / "val" / "owls")
    with pytest.raises(
        UserError, match=r"val has other class folders than .*train \(owls only here; owl missing\): make them equal"
    ):
        classification_folder(folder, size=8)


def test_an_empty_split_and_an_empty_class_are_refused(tmp_path):
    folder = image_tree(tmp_path)
    for label in ("cat", "dog", "owl"):
        shutil.rmtree(folder / "val" / label)
        (folder / "val" / label).mkdir()
    with pytest.raises(UserError, match="split val has no usable image"):
        classification_folder(folder, size=8)
    shutil.rmtree(folder / "val")
    (folder / "val").mkdir()
    with pytest.raises(UserError, match=r"val has other class folders .*cat, dog, owl missing"):
        classification_folder(folder, size=8)
    (folder / "val").rmdir()
    shutil.rmtree(folder / "train" / "owl")
    (folder / "train" / "owl").mkdir()
    with pytest.raises(UserError, match="no image in train for 'owl'"):
        classification_folder(folder, size=8)


def test_several_data_sets_in_one_folder_are_refused(tmp_path):
    cifar10_pickles(tmp_path / "cifar-10-batches-py")
    assert len(classification_folder(tmp_path).test) == 20
    cifar10_bins(tmp_path / "cifar-10-batches-bin")
    with pytest.raises(
        UserError, match=r"several data sets \(cifar-10-batches-py, cifar-10-batches-bin\): give the folder of one"
    ):
        classification_folder(tmp_path)
    write_archive(tmp_path, archive_arrays())
    with pytest.raises(UserError, match=r"several data sets .*cifar10_webp\.npz"):
        classification_folder(tmp_path)


@pytest.mark.parametrize("size", [0, 4, 30, -32])
def test_sizes_networks_cannot_halve_are_refused(tmp_path, size):
    with pytest.raises(UserError, match=rf"^size={size}: .*multiple of 4 of at least 8"):
        classification_folder(tmp_path, size=size)


def test_what_may_be_mirrored_is_said(tmp_path):
    folder = image_tree(tmp_path)
    assert classification_folder(folder, size=8).train.mirrored
    assert not classification_folder(folder, size=8, mirrored=False).train.mirrored
