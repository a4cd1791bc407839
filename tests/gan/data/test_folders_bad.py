"""Small valid folders, broken in every way a user's folder can be."""

import shutil
from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from tests.gan.data.folders import (
    MAKERS,
    make_ab,
    make_cyclegan,
    make_side_by_side,
    make_subfolders,
    noise,
    read,
    refused,
    save,
    skipping,
)

# What cannot be used at all


def test_path_is_no_folder_or_has_no_layout(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "nothing"):
        refused(path, f"{path} is not a folder: give one with trainA/, trainB/", "A/train/", "train/X/", "side by side")
    refused(tmp_path, "no known layout: give a folder with trainA/", "A/train/", "train/X/", "side by side")
    (tmp_path / "train").mkdir()
    refused(tmp_path, "no known layout")


@pytest.mark.parametrize(("make", "other"), [*combinations(MAKERS, 2)])
def test_several_layouts_at_once(tmp_path, make, other):
    other(make(tmp_path))
    refused(tmp_path, "fits several layouts, ", " and ", "remove all but one")


def test_pictures_beside_one_sub_folder_are_two_layouts(tmp_path):
    make_side_by_side(tmp_path)
    (tmp_path / "train" / "thumbs").mkdir()
    refused(tmp_path, "fits several layouts, train/thumbs/", "pairs side by side")


@pytest.mark.parametrize(
    ("make", "gone", "there"),
    [
        (make_cyclegan, "trainB", "trainA"),
        (make_cyclegan, "trainA", "trainB"),
        (make_cyclegan, "testA", "testB"),
        (make_ab, "A/train", "B/train"),
        (make_ab, "B/test", "A/test"),
    ],
)
def test_a_split_without_one_domain(tmp_path, make, gone, there):
    make(tmp_path)
    shutil.rmtree(tmp_path / gone)
    refused(tmp_path, f"no folder {gone}/ beside {there}/")


def test_sub_folders_are_two_and_named_alike(tmp_path):
    make_subfolders(tmp_path)
    (tmp_path / "test" / "photo").rename(tmp_path / "test" / "photos")
    refused(tmp_path, "test/ has the sub-folders label, photos, yet train/ has label and photo")
    shutil.rmtree(tmp_path / "test")
    (tmp_path / "test").mkdir()
    refused(tmp_path, "test/ has the sub-folders (none)")
    (tmp_path / "train" / "mask").mkdir()
    refused(tmp_path, "train/ has 3 sub-folders, label, mask, photo", "exactly two")


@pytest.mark.parametrize(
    ("make", "split", "place"),
    [
        (make_cyclegan, "test", "testA/"),
        (make_ab, "test", "A/test/"),
        (make_subfolders, "val", "val/label/"),
        (make_side_by_side, "test", "test/ (left half)"),
    ],
)
@pytest.mark.parametrize("count", [0, 1])
def test_splits_with_too_few_pictures(tmp_path, make, split, place, count):
    make(tmp_path, {"train": 5, "val": 3, "test": 3})
    for file in sorted(file for file in tmp_path.rglob("*.png") if split in file.relative_to(tmp_path).as_posix())[count:]:
        if make is make_cyclegan or count == 0 or file.stem != "0":
            file.unlink()
    refused(tmp_path, f"{place} has {count} usable pictures, but needs 2: add some")


def test_nothing_to_train_on(tmp_path):
    make_ab(tmp_path, {"train": 2, "test": 2})
    refused(tmp_path, "A/train/ has 2 usable pictures, of which 2 held out as val leave none to train on; add some")
    for file in tmp_path.glob("*/train/*.png"):
        file.unlink()
    refused(tmp_path, "A/train/ has 0 usable pictures, but needs 1")


def test_val_that_cannot_be_held_out(tmp_path):
    make_ab(tmp_path)
    refused(tmp_path, "8 usable pictures, of which 8 held out as val leave none to train on; hold out at most 7", val=8)
    for val in (1, 0, -3):
        refused(tmp_path, f"val={val}: ", "at least 2", val=val)


@pytest.mark.parametrize(("size", "rule"), [(30, "multiple of 4"), (12, "at least 16")])
def test_sizes_no_generator_takes(tmp_path, size, rule):
    refused(make_ab(tmp_path), f"size={size}: ", rule, size=size)


@pytest.mark.parametrize("skip_bad", [False, True])
def test_two_pictures_of_one_name(tmp_path, skip_bad):
    make_ab(tmp_path)
    save(noise(0), tmp_path / "A" / "train" / "3.bmp")
    message = refused(tmp_path, "A/train/3.bmp and A/train/3.png share one partner", skip_bad=skip_bad)
    assert "--skip-bad" not in message


@pytest.mark.parametrize("skip_bad", [False, True])
def test_all_pairs_are_of_the_same_picture_twice(tmp_path, skip_bad):
    make_ab(tmp_path)
    shutil.rmtree(tmp_path / "B")
    shutil.copytree(tmp_path / "A", tmp_path / "B")
    message = refused(tmp_path, "A and B are the same pictures (A/train/0.png and B/train/0.png, ...)", skip_bad=skip_bad)
    assert "--skip-bad" not in message


# What can be left out


def test_files_without_partner(tmp_path):
    make_ab(tmp_path)
    (tmp_path / "B" / "train" / "3.png").unlink()
    (tmp_path / "A" / "test" / "0.png").unlink()
    save(noise(99), tmp_path / "A" / "test" / "x.png")
    told = (
        "A/train/3.png has no partner B/train/3.*",
        "B/test/0.png has no partner A/test/0.*",
        "A/test/x.png has no partner B/test/x.*",
    )
    data = skipping(tmp_path, *told)
    assert len(data.train.inputs) + len(data.val.inputs) == 7
    assert data.test.inputs.files == ("A/test/1.png", "A/test/2.png")


@pytest.mark.parametrize(
    ("content", "told"), [(b"", ": empty file"), (b"hello", ": not an image"), (None, ": damaged: ")], ids=str
)
@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("domain", [0, 1])
def test_files_that_cannot_be_decoded(tmp_path, make, content, told, domain):
    make(tmp_path)
    test = read(tmp_path).test
    file = tmp_path / (test.inputs, test.targets)[domain].files[0].split(" (")[0]
    file.write_bytes(file.read_bytes()[:-300] if content is None else content)
    name = file.relative_to(tmp_path).as_posix()
    data = skipping(tmp_path, f"{name}{told}")
    assert len(data.skipped) == 1
    kept = [len(domain) for split in (data.train, data.val, data.test) for domain in (split.inputs, split.targets)]
    whole = [6, 7, 2, 2, 3, 4] if make is make_cyclegan else [6, 6, 2, 2, 3, 3]
    assert sum(whole) - sum(kept) == (1 if make is make_cyclegan else 2)  # a pair goes as a whole
    names = [file for split in (data.train, data.val, data.test) for file in (*split.inputs.files, *split.targets.files)]
    assert not any(kept.startswith(name) for kept in names)


@pytest.mark.parametrize(("width", "height"), [(15, 30), (30, 15)])
def test_tiny_pictures(tmp_path, width, height):
    make_cyclegan(tmp_path)
    save(noise(0, width, height), tmp_path / "trainB" / "103.png")
    skipping(tmp_path, f"trainB/103.png is {width}x{height}: pictures need at least 16 pixels a side")
    save(noise(0, 16, 16), tmp_path / "trainB" / "103.png")
    read(tmp_path)


def test_halves_of_files_side_by_side(tmp_path):
    make_side_by_side(tmp_path)
    save(noise(0, 49, 20), tmp_path / "train" / "3.png")
    save(noise(0, 30, 20), tmp_path / "train" / "5.png")
    data = skipping(
        tmp_path,
        "train/3.png is 49 pixels wide: A and B side by side need an even width",
        "train/5.png (left half) is 15x20: pictures need at least 16 pixels a side",
    )
    assert len(data.skipped) == 2
    assert len(data.train.inputs) + len(data.val.inputs) == 6


@pytest.mark.parametrize("make", [make_cyclegan, make_ab])
def test_grey_pictures_among_coloured_ones(tmp_path, make):
    make(tmp_path)
    place = "trainA" if make is make_cyclegan else "A/train"
    for name, mode in (("2.png", "L"), ("4.png", "LA")):
        save(Image.open(tmp_path / place / name).convert(mode), tmp_path / place / name)
    data = skipping(
        tmp_path,
        f"{place}/2.png is grey, as 2 of the 11 pictures of domain A are: all or none should be",
        f"{place}/4.png is grey, as 2 of the 11 pictures of domain A are: all or none should be",
    )
    assert len(data.train.inputs) + len(data.val.inputs) == 6
    assert not any("grey" in note for note in data.notes)


def test_a_grey_file_of_both_domains_is_told_of_once(tmp_path):
    make_side_by_side(tmp_path)
    save(noise(3, 48, 20).convert("L"), tmp_path / "train" / "3.png")
    data = skipping(tmp_path, "train/3.png is grey, as 1 of the 11 pictures of domain A are")
    assert len(data.skipped) == 1


def test_pairs_of_the_same_picture_twice(tmp_path):
    make_ab(tmp_path)
    shutil.copy(tmp_path / "A" / "train" / "3.png", tmp_path / "B" / "train" / "3.png")
    save(noise(5, 20, 24), tmp_path / "A" / "train" / "4.png")  # the same bytes in another shape are another picture
    save(Image.fromarray(np.asarray(noise(5, 20, 24)).reshape(20, 24, 3)), tmp_path / "B" / "train" / "4.png")
    data = skipping(tmp_path, "A/train/3.png and B/train/3.png are the same picture: nothing to translate")
    assert len(data.skipped) == 1
    assert len(data.train.inputs) + len(data.val.inputs) == 7


def test_the_same_half_twice(tmp_path):
    make_side_by_side(tmp_path)
    half = np.asarray(noise(3))
    save(Image.fromarray(np.concatenate([half, half], axis=1)), tmp_path / "test" / "1.png")
    skipping(tmp_path, "test/1.png (left half) and test/1.png (right half) are the same picture")


def test_unpaired_domains_may_share_pictures(tmp_path):
    make_cyclegan(tmp_path)
    shutil.copy(tmp_path / "trainA" / "3.png", tmp_path / "trainB" / "3.png")
    assert read(tmp_path).skipped == ()


def test_the_first_problems_are_told_and_the_others_counted(tmp_path):
    make_cyclegan(tmp_path)
    for i in range(6):
        (tmp_path / "trainA" / f"{i}.png").write_bytes(b"")
    refused(tmp_path, "6 problems: trainA/0.png: empty file; ", "... and 2 more")


def test_with_too_much_left_out_the_split_is_refused(tmp_path):
    make_cyclegan(tmp_path)
    for i in range(2):
        (tmp_path / "testA" / f"{i}.png").write_bytes(b"")
    refused(tmp_path, "testA/ has 1 usable pictures, but needs 2", skip_bad=True)
