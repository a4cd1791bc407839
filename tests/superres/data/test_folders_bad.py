"""Small valid folders, broken in every way a user's folder can be."""

from __future__ import annotations

import os
import shutil

import pytest
from PIL import Image

from common.errors import UserError
from superres.data.files import pair_of
from superres.settings import DataSettings
from tests.superres.data.folders import counts, fill, make, noise, read, refused, save, skipping

# What cannot be used at all


def test_path_is_no_folder_or_has_no_layout(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "nothing"):
        refused(path, f"{path} is not a folder: give one with high-resolution pictures in sub-folders, to train T91/, ", "Set5/")
    refused(tmp_path, f"{tmp_path} has no known layout: give a folder with high-resolution pictures", "pictures right in it")
    fill(tmp_path / "pictures", 3)
    message = refused(tmp_path, "has no known layout")
    with pytest.raises(UserError) as told:
        DataSettings(folder=str(tmp_path)).check()
    assert str(told.value) == message


def test_test_sets_alone_cannot_be_trained_on(tmp_path):
    make(tmp_path, {"Set5": 2, "Set14": 2, "val": 1})
    save(noise(0), tmp_path / "x.png")
    refused(tmp_path, "has val/, Set5/ and Set14/ but no training pictures: add T91/, ", "or train/, or give a folder with")


def test_one_set_under_two_names(tmp_path):
    make(tmp_path, {"T91": 3, "B100": 1, "BSD100": 1})
    refused(tmp_path, "has the folders B100/ and BSD100/, which are one set: keep one of them")


@pytest.mark.parametrize("name", ["T91", "Set5"])
def test_a_set_without_pictures_right_in_it(tmp_path, name):
    make(tmp_path)
    shutil.rmtree(tmp_path / name)
    fill(tmp_path / name / "HR", 3)
    refused(tmp_path, f"{name}/ has no pictures right in it: add some, or remove the folder", skip_bad=True)


def test_a_set_without_usable_pictures(tmp_path):
    make(tmp_path)
    for file in (tmp_path / "Set14").iterdir():
        file.write_bytes(b"")
    refused(tmp_path, "Set14/ has no usable picture: add some, or remove the folder", skip_bad=True)


@pytest.mark.parametrize("how", ["link", "hard link"])
def test_one_file_in_two_splits(tmp_path, how):
    make(tmp_path)
    first, second = tmp_path / "T91" / "00.png", tmp_path / "Set5" / "00.png"
    second.unlink()
    second.symlink_to(first) if how == "link" else os.link(first, second)
    refused(tmp_path, "Set5/00.png of test is in train as well (as T91/00.png): splits must be disjoint", skip_bad=True)


def test_too_few_pictures(tmp_path):
    refused(
        make(tmp_path, {"T91": 1, "Set5": 1}),
        "T91/ has 1 usable pictures, of which 1 held out as val leave none to train on; add",
    )
    fill(tmp_path / "plain", 2)
    refused(tmp_path / "plain", "has 2 usable pictures right in it; train, val and test need 3 at least: add some")
    assert counts(read(fill(tmp_path / "plain", 3))) == (1, 1, 1)


def test_more_held_out_than_there_is(tmp_path):
    make(tmp_path)
    refused(tmp_path, "T91/ has 20 usable pictures, of which 20 held out as val leave none", "give data.val=19 at most", val=20)
    assert counts(read(tmp_path, val=19)) == (1, 19, 5)
    fill(tmp_path / "val", 4, 9)
    refused(tmp_path, "data.val=5: ", "has 4 usable pictures in val/; give at most 4", val=5)
    fill(tmp_path / "plain", 6)
    refused(tmp_path / "plain", "the folder without test pictures has 5 usable pictures, of which 5", "data.val=4 at most", val=5)


# What can be left out


@pytest.mark.parametrize(
    ("content", "told"), [(b"", ": empty file"), (b"hello", ": not an image"), (None, ": damaged: ")], ids=str
)
@pytest.mark.parametrize("name", ["T91/03.png", "Set5/01.png"])
def test_files_that_cannot_be_decoded(tmp_path, name, content, told):
    file = make(tmp_path) / name
    file.write_bytes(file.read_bytes()[:-300] if content is None else content)
    data = skipping(tmp_path, f"{name}{told}")
    assert len(data.skipped) == 1 and sum(counts(data)) == 24
    assert all(name not in split.files for split in data.splits)


def test_pixels_without_a_known_range(tmp_path):
    make(tmp_path)
    Image.new("F", (40, 40)).save(tmp_path / "Set5" / "x.tif")
    skipping(tmp_path, "Set5/x.tif: has fractions as pixels", "scale them to 0 to 255")


@pytest.mark.parametrize("size", [(31, 90), (90, 31)])
def test_training_pictures_smaller_than_a_patch(tmp_path, size):
    make(tmp_path, {"T91": 8, "Set5": 2})
    save(noise(0, *size), tmp_path / "T91" / "02.png")
    told = f"T91/02.png is {size[0]}x{size[1]}: a training patch has 32 pixels a side; --set data.patch=30 takes it"
    refused(tmp_path, told, "--skip-bad", patch=32)
    data = read(tmp_path, patch=32, skip_bad=True)
    assert data.skipped == (told,) and "T91/02.png" not in (*data.train.files, *data.val.files)
    assert read(tmp_path, patch=30).skipped == ()
    save(noise(0, 20, 20), tmp_path / "T91" / "02.png")
    refused(tmp_path, "T91/02.png is 20x20: a training patch has 32 pixels a side; correct the files", patch=32)


def test_held_out_and_plain_pictures_have_room_for_a_patch_as_well(tmp_path):
    fill(tmp_path, 12)
    for file in sorted(tmp_path.iterdir()):
        Image.open(file).crop((0, 0, 36, 36)).save(file)
    assert sum(counts(read(tmp_path, patch=36))) == 12
    refused(tmp_path, "12 problems: 00.png is 36x36: a training patch has 38 pixels a side", "... and 8 more", patch=38)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("split", ["val", "test"])
def test_scored_pictures_that_leave_no_window_for_ssim(tmp_path, scale, split):
    """A window of 11 pixels within the border of `scale`: below it, no score is left."""
    make(tmp_path, {"train": 3, "val": 2, "test": 2})
    least = 11 + 2 * scale
    enough = -(-least // scale) * scale
    save(noise(0, 50, enough), tmp_path / split / "00.png")
    assert read(tmp_path, scale, 36).skipped == ()
    save(noise(0, 50, enough - 1), tmp_path / split / "00.png")
    rule = f"scores need at least {least} pixels a side, a window of 11 within a border of {scale}"
    told = f"{split}/00.png is 50x{enough - 1}: {rule}"
    refused(tmp_path, told, scale=scale, patch=36)
    assert read(tmp_path, scale, 36, skip_bad=True).skipped == (told,)


def test_test_pictures_may_be_smaller_than_a_patch(tmp_path):
    make(tmp_path)
    save(noise(0, 16, 16), tmp_path / "Set5" / "00.png")
    assert read(tmp_path).test.pair(0)[0].shape == (3, 8, 8)


def test_the_first_problems_are_told_and_the_others_counted(tmp_path):
    make(tmp_path)
    for i in range(6):
        (tmp_path / "T91" / f"0{i}.png").write_bytes(b"")
    refused(tmp_path, "6 problems: T91/00.png: empty file; ", "... and 2 more")


def test_a_file_that_is_damaged_after_the_check(tmp_path):
    make(tmp_path)
    data = read(tmp_path)
    expected = pair_of(Image.open(data.test.paths[0]), 2)
    for file in data.test.paths:
        file.unlink()
    assert (data.test.pair(0)[1].numpy() == expected.high).all()  # decoded once, when the folder was checked
    data.test.read.cache.limit = 0  # type: ignore[attr-defined]
    data.test.read.cache.get("x", lambda: data.train.read(0))  # type: ignore[attr-defined]
    with pytest.raises(UserError, match=r"Set5/00\.png: missing; it was readable when the folder was checked: restore it"):
        data.test.pair(0)
