"""A small valid COCO folder, broken in every way a user's folder can be."""

import math
import os
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from common.errors import UserError
from detection.data import coco_folder
from tests.detection.data.folders import SIZES, refused

# What cannot be used at all


@pytest.mark.parametrize("name", ["annotations", "images"])
def test_missing_folder(folder, name):
    (folder.path / name).rename(folder.path / "elsewhere")
    refused(folder, f"no folder {name}/")


def test_path_is_no_folder(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "nothing"):
        with pytest.raises(UserError, match="is not a folder"):
            coco_folder(path)


def test_missing_annotation_file(folder):
    folder.json("train").unlink()
    refused(folder, "instances_train.json is missing")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (b"", ["is empty"]),
        (b" \n", ["is empty"]),
        (b'{"images": [\n  {"id": 1,', ["line 2, column"]),
        (b"<xml/>", ["line 1, column 1", "not JSON"]),
        (b"\xff\xd8\xff\xe0\x00", ["not JSON"]),
        (b"[" * 100_000, ["not JSON"]),
        (b"[1, 2]", ["holds a JSON list"]),
        (b"{}", ["lacks the list(s) images, annotations, categories"]),
        (b'{"images": [], "annotations": {}, "categories": []}', ["lacks the list(s) annotations"]),
    ],
)
def test_annotation_file_that_is_not_coco_json(folder, text, parts):
    folder.json("val").write_bytes(text)
    refused(folder, "instances_val.json", *parts)


def _first(key, **values):
    return lambda value: value[key][0].update(values)


def _without(key, name):
    return lambda value: value[key][0].pop(name)


def _renamed_twice(value):
    for category in value["categories"]:
        category["name"] = "cat"


def _twice(key, **values):
    return lambda value: value[key].append({**value[key][0], **values})


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (_without("images", "file_name"), ["images[0] lacks 'file_name'"]),
        (_without("annotations", "bbox"), ["annotations[0] lacks 'bbox'"]),
        (_without("categories", "name"), ["categories[0] lacks 'name'"]),
        (_first("images", width="60"), ["images[0] has width='60', not int"]),
        (_first("images", width=0), ["images[0] has width=0"]),
        (_first("annotations", image_id=None), ["annotations[0] has image_id=None"]),
        (lambda value: value["annotations"].insert(0, 5), ["annotations[0] is not an object"]),
        (_first("annotations", category_id=99), ["annotation 1 has category_id 99"]),
        (_first("annotations", image_id=99), ["annotation 1 has image_id 99"]),
        (_twice("images", file_name="other.jpg"), ["image id 10 occurs twice"]),
        (_twice("images", id=99), ["image file_name 'train_0.jpg' occurs twice"]),
        (_twice("annotations"), ["annotation id 1 occurs twice"]),
        (_twice("categories", name="cow"), ["category id 7 occurs twice"]),
        (_renamed_twice, ["category name 'cat' occurs twice"]),
        (_first("annotations", iscrowd="0"), ["annotations[0] has iscrowd='0', not 0 or 1"]),
        (_first("annotations", iscrowd=2), ["annotations[0] has iscrowd=2, not 0 or 1"]),
        (_first("annotations", ignore="no"), ["annotations[0] has ignore='no', not 0 or 1"]),
        (_first("annotations", area=math.nan), ["annotations[0] has area=nan, not a number of pixels"]),
        (_first("annotations", area="210"), ["annotations[0] has area='210', not a number of pixels"]),
        (_first("annotations", area=-1), ["annotations[0] has area=-1, not a number of pixels"]),
        (_first("images", file_name="../../x.jpg"), ["image ../../x.jpg of train leads out of the data folder"]),
        (_first("images", file_name="/etc/hostname"), ["image /etc/hostname of train leads out of the data folder"]),
        (_first("images", width=61), ["train_0.jpg is 60x40, yet instances_train.json says 61x40"]),
    ],
)
@pytest.mark.parametrize("skip_bad", [False, True])
def test_entries_that_only_a_repair_helps(folder, change, parts, skip_bad):
    folder.edit("train", change)
    message = refused(folder, *parts, skip_bad=skip_bad)
    assert "--skip-bad" not in message


def test_splits_with_different_categories(folder):
    folder.edit("val", _first("categories", id=8))
    folder.edit("val", lambda value: value.update(annotations=[]))
    refused(folder, "instances_val.json has other categories", "[7, 8]")


def test_a_category_of_another_name_in_one_split(folder):
    folder.edit("val", _first("categories", name="wolf"))
    refused(folder, "instances_val.json has other categories than instances_train.json (ids [7])")


@pytest.mark.parametrize("name", ["train_1.jpg", "./train_1.jpg", "../images/train_1.jpg", "link.jpg", "hard.jpg"])
@pytest.mark.parametrize("split", ["val", "test"])
def test_the_same_image_in_two_splits(folder, split, name):
    folder.edit(split, _first("images", file_name=name, width=40, height=60))
    if name == "link.jpg":
        folder.image(name).symlink_to("train_1.jpg")
    if name == "hard.jpg":
        os.link(folder.image("train_1.jpg"), folder.image(name))
    refused(folder, f"of {split} is in train as well", "splits must be disjoint")


def test_a_copy_in_another_split_is_noted(folder):
    shutil.copy(folder.image("train_0.jpg"), folder.image("val_0.jpg"))
    (note,) = coco_folder(folder.path).notes
    assert note.startswith("1 pictures of val are copies of pictures of train, such as images/val_0.jpg and images/train_0.jpg")
    content = bytearray(folder.image("train_0.jpg").read_bytes())
    content[len(content) // 2] ^= 1  # another picture of the same size
    folder.image("val_0.jpg").write_bytes(content)
    assert coco_folder(folder.path).notes == ()


def test_one_file_twice_in_a_split(folder):
    folder.edit("train", _twice("images", id=99, file_name="../images/train_0.jpg"))
    refused(folder, "instances_train.json: images train_0.jpg and ../images/train_0.jpg are the same file")


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_a_split_without_images(folder, split):
    folder.edit(split, lambda value: value.update(images=[], annotations=[]))
    refused(folder, f"instances_{split}.json has no usable image", skip_bad=True)


# What can be left out


def _truncate(file):
    os.truncate(file, file.stat().st_size // 2)


DAMAGES = {
    "missing": lambda file: file.unlink(),
    "empty file": lambda file: file.write_bytes(b""),
    "damaged: ": _truncate,
    "not an image": lambda file: file.write_text("<html>404 not found</html>"),
}


@pytest.mark.parametrize("reason", DAMAGES)
def test_damaged_images_are_listed_and_left_out_on_request(folder, reason):
    DAMAGES[reason](folder.image("train_1.jpg"))
    refused(folder, f"image train_1.jpg of train: {reason}", "--skip-bad")
    data = coco_folder(folder.path, skip_bad=True)
    assert [image["file_name"] for image in data.train.coco["images"]] == ["train_0.jpg", "train_2.jpg"]
    assert {note["image_id"] for note in data.train.coco["annotations"]} == {10, 12}
    assert len(data.skipped) == 1
    assert reason in data.skipped[0]


def test_a_truncated_png_is_damaged(folder):
    folder.image("val_0.jpg").unlink()
    noise = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder.image("val_0.png"))
    folder.edit("val", _first("images", file_name="val_0.png"))
    coco_folder(folder.path)
    content = folder.image("val_0.png").read_bytes()
    for length in (7, 20, 40, 60, 500, len(content) - 40):
        folder.image("val_0.png").write_bytes(content[:length])
        refused(folder, "image val_0.png of val: ")


def test_sizes_are_those_of_the_picture_as_displayed(folder):
    exif = Image.Exif()
    exif[0x0112] = 6
    noise = np.random.default_rng(0).integers(0, 255, (60, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder.image("val_0.jpg"), exif=exif)
    assert coco_folder(folder.path).skipped == ()


def test_all_images_of_a_split_damaged(folder):
    folder.image("val_0.jpg").write_bytes(b"")
    refused(folder, "instances_val.json has no usable image", skip_bad=True)


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        ([50, 5, 20, 10], "lies outside the 60x40 image"),
        ([-5, 5, 20, 10], "lies outside the 60x40 image"),
        ([5, 35, 20, 10], "lies outside the 60x40 image"),
        ([5, 5, 0, 10], "has no area"),
        ([5, 5, 10, -3], "has no area"),
        ([60, 5, 1, 10], "has no area inside"),
        ([5, 5, math.nan, 10], "is not finite"),
        ([5, 5, math.inf, 10], "is not finite"),
        ([5, 5, 10], "is not four numbers"),
        ([5, 5, "10", 10], "is not four numbers"),
    ],
)
def test_broken_boxes(folder, box, reason):
    folder.edit("val", _first("annotations", bbox=box))
    refused(folder, "instances_val.json: annotation 1 (val_0.jpg)", str(box), reason, "--skip-bad")
    data = coco_folder(folder.path, skip_bad=True)
    assert [note["id"] for note in data.val.coco["annotations"]] == [2]
    assert len(data.skipped) == 1


def test_a_class_without_a_training_box(folder):
    folder.edit("train", lambda value: [note.update(category_id=3) for note in value["annotations"]])
    refused(folder, "class 'cat' (id 7) has no box in instances_train.json (2 in the other splits)")
    data = coco_folder(folder.path, skip_bad=True)
    assert data.classes == ("dog",)
    assert {note["category_id"] for note in data.test.coco["annotations"]} == {3}


def test_no_training_box_at_all(folder):
    folder.edit("train", lambda value: value.update(annotations=[]))
    refused(folder, "no class has a box", skip_bad=True)


@pytest.mark.parametrize("split", ["val", "test"])
def test_a_split_without_anything_to_find(folder, split):
    folder.edit(split, lambda value: [note.update(iscrowd=1) for note in value["annotations"]])
    refused(folder, f"instances_{split}.json has no box to find", "mark some")


def test_a_class_whose_only_training_image_is_damaged(folder):
    folder.edit("train", lambda value: value.update(annotations=value["annotations"][:1] + value["annotations"][3:4]))
    folder.image("train_0.jpg").write_bytes(b"")
    data = coco_folder(folder.path, skip_bad=True)
    assert data.classes == ("dog",)
    assert len(data.skipped) == 2


def test_many_problems_are_counted_and_the_first_told(folder):
    for name in ("train_0.jpg", "train_1.jpg", "val_0.jpg"):
        folder.image(name).write_bytes(b"")
    for split in SIZES:
        folder.edit(split, lambda value: [note.update(bbox=[0, 0, 0, 0]) for note in value["annotations"]])
    message = refused(folder, "15 problems: ", "; ... and 11 more")
    assert message.count("has no area") == 4


# Folders too large to decode beforehand


def test_in_a_huge_folder_damage_is_found_when_read(folder, monkeypatch):
    pytest.importorskip("mmdet")
    monkeypatch.setattr("detection.data.coco._CHECK_ALL", 2)
    _truncate(folder.image("train_1.jpg"))
    folder.edit("train", lambda value: value["images"][2].update(width=51))
    data = coco_folder(folder.path)
    assert data.train[0].image.shape[0] == 3
    with pytest.raises(UserError, match=r"train_1\.jpg: damaged.*--skip-bad"):
        data.train[1]
    with pytest.raises(UserError, match=r"train_2\.jpg: .*annotations say"):
        data.train[2]
    folder.image("val_0.jpg").unlink()
    refused(folder, "image val_0.jpg of val: missing")


def test_splits_beyond_the_memory_budget_are_read_each_time(folder, monkeypatch):
    pytest.importorskip("mmdet")
    kept = coco_folder(folder.path).train
    assert kept[0] is kept[0] is kept.head(1)[0] is kept.head(2)[0]
    monkeypatch.setattr("detection.data.coco._KEEP_BYTES", 1)
    split = coco_folder(folder.path).train
    assert split[0] is not split[0]
    assert torch.equal(split[0].image, kept[0].image)
