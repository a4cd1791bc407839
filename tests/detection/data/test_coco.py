"""Folders that can be read: small made ones and real ones."""

import os

import pytest
import torch
from PIL import Image

from common.errors import UserError
from detection.data import coco_folder, embedded, write_coco
from tests.detection.data.folders import SIZES, Folder, refused


def test_a_valid_folder(folder):
    data = coco_folder(folder.path)
    assert data.classes == ("dog", "cat")
    assert data.category_ids == (3, 7)
    assert data.canvas == (64, 64)
    assert data.describe()["images"] == {"train": 3, "val": 1, "test": 1}
    assert data.skipped == data.notes == ()


def test_labels_are_contiguous_and_boxes_map_back_to_the_original(folder):
    pytest.importorskip("mmdet")
    data = coco_folder(folder.path, size=128)
    for split in (data.train, data.val, data.test):
        for sample, image in zip(split, split.coco["images"]):
            assert sample.image.shape == (3, *data.canvas)
            assert sample.labels.tolist() == [1, 0]
            back = sample.to_original(sample.boxes)
            assert torch.allclose(back, torch.tensor([[11.0, 5, 31, 15.5], [7.0, 5, 27, 15.5]]), atol=1e-3)
            assert sample.original == (image["height"], image["width"])
            width, height = round(image["width"] * sample.scale[0]), round(image["height"] * sample.scale[1])
            assert max(width, height) == 128
            assert sample.image[:, height:].sum() == sample.image[:, :, width:].sum() == 0
            assert sample.image[:, :height, :width].float().std() > 10


def test_embedded_scenes_survive_the_way_through_a_folder(tmp_path):
    pytest.importorskip("mmdet")
    made = embedded(train=12, val=3, test=3)
    write_coco(made, tmp_path / "scenes")
    read = coco_folder(tmp_path / "scenes")
    assert read.classes == made.classes
    for a, b in ((made.train, read.train), (made.val, read.val), (made.test, read.test)):
        assert a.coco["annotations"] == b.coco["annotations"]
        for x, y in zip(a, b):
            assert torch.equal(x.image, y.image)
            assert torch.equal(x.boxes, y.boxes)
            assert torch.equal(x.labels, y.labels)
    with pytest.raises(UserError, match="not empty"):
        write_coco(made, tmp_path / "scenes")


@pytest.mark.parametrize(("size", "canvas"), [(None, (64, 64)), (40, (64, 64)), (96, (96, 96)), ((64, 128), (64, 128))])
def test_canvas_is_a_multiple_of_32(folder, size, canvas):
    assert coco_folder(folder.path, size=size).canvas == canvas


def test_canvas_follows_the_shape_of_the_pictures(tmp_path, monkeypatch):
    monkeypatch.setitem(SIZES, "train", [(60, 30), (64, 32)])
    monkeypatch.setitem(SIZES, "val", [(64, 20)])
    monkeypatch.setitem(SIZES, "test", [(64, 20)])
    wide = Folder(tmp_path / "wide")
    assert coco_folder(wide.path).canvas == (32, 64)
    assert coco_folder(wide.path, size=256).canvas == (128, 256)


@pytest.mark.parametrize("size", [16, (64, 100), (0, 64)])
def test_impossible_sizes_are_refused(folder, size):
    with pytest.raises(UserError, match="size="):
        coco_folder(folder.path, size=size)


def test_without_a_test_file_validation_stands_in_and_the_notes_say_so(folder):
    folder.json("test").unlink()
    data = coco_folder(folder.path)
    assert data.test.coco is data.val.coco
    assert data.test.name == "test"
    assert "no instances_test.json" in data.notes[0]


def test_crowd_and_ignored_boxes_are_neither_trained_on_nor_scored(folder):
    pytest.importorskip("mmdet")

    def change(value):
        value["annotations"][0]["iscrowd"] = 1
        value["annotations"][3]["ignore"] = 1

    folder.edit("train", change)
    data = coco_folder(folder.path)
    assert [sample.labels.tolist() for sample in data.train] == [[0], [1], [1, 0]]
    assert [note["iscrowd"] for note in data.train.coco["annotations"]] == [1, 0, 0, 1, 0, 0]
    assert data.describe()["boxes"]["train"] == 4


def test_a_box_rounded_over_the_border_is_clipped(folder):
    folder.edit("val", lambda value: value["annotations"][0].update(bbox=[-0.4, 20, 60.8, 20.3]))
    box = coco_folder(folder.path).val.coco["annotations"][0]["bbox"]
    assert box == [0, 20, 60, 20]


def test_images_without_boxes_stay_as_negatives(folder):
    pytest.importorskip("mmdet")
    folder.edit("train", lambda value: value["annotations"].__delitem__(slice(0, 2)))
    sample = coco_folder(folder.path).train[0]
    assert sample.boxes.shape == (0, 4)
    assert sample.labels.shape == (0,)


def test_images_may_lie_in_a_folder_per_split(folder):
    for split in SIZES:
        (folder.path / "images" / split).mkdir()
        for i in range(len(SIZES[split])):
            folder.image(f"{split}_{i}.jpg").rename(folder.image(f"{split}/{i}.jpg"))
        folder.edit(split, lambda value: [image.update(file_name=image["file_name"][-5:]) for image in value["images"]])
    data = coco_folder(folder.path)
    assert data.describe()["images"] == {"train": 3, "val": 1, "test": 1}


# The real folders


@pytest.fixture(scope="module")
def real(tasknas_data):
    root = tasknas_data / "detection"
    if not root.is_dir():
        pytest.skip(f"no real data: {root} is missing")
    pytest.importorskip("mmdet")
    return root


def _read_fully(data):
    for split in (data.train, data.val, data.test):
        truth = {image["id"]: [] for image in split.coco["images"]}
        for note in split.coco["annotations"]:
            truth[note["image_id"]].append(note["bbox"])
        for sample in split:
            assert sample.image.shape == (3, *data.canvas)
            x1, y1, x2, y2 = sample.to_original(sample.boxes).T
            boxes = torch.stack([x1, y1, x2 - x1, y2 - y1], dim=1)
            expected = torch.tensor(truth[sample.image_id], dtype=torch.float32).reshape(-1, 4)
            assert torch.allclose(boxes, expected, atol=0.01)


def test_blood_cells(real):
    data = coco_folder(real / "bccd", size=160)
    assert data.canvas == (128, 160)
    assert data.classes == ("RBC", "WBC", "Platelets")
    facts = data.describe()
    assert facts["images"] == {"train": 205, "val": 87, "test": 72}
    assert facts["boxes"] == {"train": 2804, "val": 1137, "test": 945}
    _read_fully(data)


def test_coco_mini(real):
    with pytest.raises(UserError, match=r"5 problems: class 'fire hydrant' .* --skip-bad"):
        coco_folder(real / "coco_mini")
    data = coco_folder(real / "coco_mini", size=160, skip_bad=True)
    assert data.canvas == (160, 160)
    assert len(data.classes) == 71
    assert data.category_ids[-1] == 90
    assert len(data.train) == len(data.val) == 128
    assert data.describe()["boxes"]["train"] == 929
    assert data.notes[0].startswith("left out, as no annotation has them: 4 categories: ")
    _read_fully(data)


# Splits, categories and boxes that are made from what is there


def test_without_a_validation_file_its_images_are_cut_from_train(folder):
    folder.json("val").unlink()
    data = coco_folder(folder.path)
    assert data.describe()["images"] == {"train": 2, "val": 1, "test": 1}
    (note,) = data.notes
    assert note.startswith("there is no instances_val.json: 1 of the 3 training images serve as val")
    names = [{image["file_name"] for image in split.coco["images"]} for split in data.splits]
    assert names[0] | names[1] == {"train_0.jpg", "train_1.jpg", "train_2.jpg"} and not names[0] & names[1]
    assert {note["image_id"] for note in data.val.coco["annotations"]} == {image["id"] for image in data.val.coco["images"]}
    again = coco_folder(folder.path)
    assert again.val.coco == data.val.coco


def test_with_training_images_alone_both_other_splits_are_cut_from_them(folder):
    for split in ("val", "test"):
        folder.json(split).unlink()
    data = coco_folder(folder.path)
    assert data.describe()["images"] == {"train": 1, "val": 1, "test": 1}
    assert len({image["file_name"] for split in data.splits for image in split.coco["images"]}) == 3


def test_the_last_image_of_a_class_stays_in_train(folder):
    folder.json("val").unlink()
    folder.edit("train", lambda value: value["annotations"].__delitem__(slice(0, 4)))  # boxes in the last image alone
    refused(folder, "has no instances_val.json, and instances_train.json too few images with boxes to cut val from")

    def only(value):
        value["annotations"] = [{**note, "image_id": 10} for note in value["annotations"][:1]]
        value["annotations"] += [
            {**value["annotations"][0], "id": 50 + i, "image_id": 11 + i, "category_id": 3} for i in range(2)
        ]

    folder.edit("train", only)
    data = coco_folder(folder.path)
    assert data.classes == ("dog", "cat") and {image["id"] for image in data.train.coco["images"]} > {10}


def test_rules_apply_to_the_categories_that_are_used(folder):
    """Category 0, as some programs write it, has no annotation: it may be named like another, in some files alone."""
    for split in ("train", "test"):
        folder.edit(split, lambda value: value["categories"].append({"id": 0, "name": "cat"}))
    data = coco_folder(folder.path)
    assert data.classes == ("dog", "cat") and data.category_ids == (3, 7)
    assert data.notes == ("left out, as no annotation has them: 'cat' (id 0)",)
    folder.edit("test", lambda value: value["annotations"][0].update(category_id=0))
    refused(folder, "category name 'cat' occurs twice")


def test_boxes_that_are_missing_follow_from_polygons(folder):
    expected = coco_folder(folder.path).train.coco["annotations"][0]["bbox"]

    def polygons(value):
        x, y, w, h = value["annotations"][0].pop("bbox")
        value["annotations"][0]["segmentation"] = [[x, y, x + w, y, x + w / 2, y + h / 2], [x, y + h, x + w, y + h, x, y]]

    folder.edit("train", polygons)
    data = coco_folder(folder.path)
    assert data.train.coco["annotations"][0]["bbox"] == expected
    assert data.notes == ("1 annotations of instances_train.json have no bbox: their boxes are those around their polygons",)
    folder.edit("train", lambda value: value["annotations"][0].update(segmentation={"counts": "x", "size": [3, 3]}))
    refused(folder, "annotations[0] lacks 'bbox' and polygons to take it from")


# Names and sizes that are all wrong alike


def _renamed(folder, change):
    for split in SIZES:
        folder.edit(split, lambda value: [image.update(file_name=change(image["file_name"])) for image in value["images"]])


def _in_a_folder(folder):
    (folder.path / "images" / "cam 1").mkdir()
    for file in (folder.path / "images").glob("*.jpg"):
        file.rename(file.parent / "cam 1" / file.name)


@pytest.mark.parametrize(
    ("change", "place", "cause", "right"),
    [
        (lambda name: f"cam 1\\{name}", _in_a_folder, "have Windows separators", "cam 1/train_0.jpg"),
        (lambda name: f"images/{name}", None, "start at the data folder", "train_0.jpg"),
        (lambda name: f"images\\{name}", None, "start at the data folder", "train_0.jpg"),
        (lambda name: f"/home/me/set/{name}", None, "leads out of the data folder", ""),
        (lambda name: f"set/{name}", None, "have folders that are not there", "train_0.jpg"),
        (lambda name: name.replace(".jpg", ".png"), None, "another ending", "train_0.jpg"),
        (lambda name: name.replace("_", "-"), None, "is looked for as images/train-0.jpg and images/train/train-0.jpg", ""),
    ],
)
def test_names_that_are_all_wrong_alike_have_one_cause_and_the_advice_helps(folder, change, place, cause, right):
    if place:
        place(folder)
    _renamed(folder, change)
    message = refused(folder, cause)
    assert "--skip-bad" not in message
    if right:
        assert "none of the 5 images of train, val and test is where the annotations name it" in message
        assert f"write {right!r}" in message
        _renamed(folder, lambda name: name.replace("\\", "/"))
        names = {file.name: file.relative_to(folder.path / "images").as_posix() for file in folder.path.rglob("*.jpg")}
        _renamed(folder, lambda name: names[name.rsplit("/", 1)[-1].replace(".png", ".jpg")])
        coco_folder(folder.path)


def test_one_name_that_is_wrong_is_told_with_the_right_one(folder):
    folder.edit("train", lambda value: value["images"][1].update(file_name="images/train_1.jpg"))
    refused(folder, "image images/train_1.jpg of train: missing, but train_1.jpg is there", "--skip-bad")


def test_sizes_of_stored_pictures_that_exif_turns_name_exif(folder):
    for file in (folder.path / "images").glob("*.jpg"):
        image = Image.open(file)
        image.getexif()[0x0112] = 6
        image.save(file, exif=image.getexif())
    # One picture of train is square.
    message = refused(folder, "image train_0.jpg is 40x60", "all 2 images of val and test are turned by their EXIF orientation")
    assert message.count("its EXIF orientation turns it") == 3 and message.count("exiftool -Orientation=") == 1
    for file in (folder.path / "images").glob("*.jpg"):
        image = Image.open(file)
        image.getexif()[0x0112] = 1
        image.save(file, exif=image.getexif())
    coco_folder(folder.path)


def test_interchanged_sides_are_told(folder):
    folder.edit("val", lambda value: value["images"][0].update(width=40, height=60))
    refused(folder, "val_0.jpg is 60x40, yet instances_val.json says 40x60 (width x height): width and height are interchanged")


def test_what_is_hidden_is_left_out_and_listed(folder):
    hidden = folder.path / "images" / ".ipynb_checkpoints"
    hidden.mkdir()
    folder.image("train_1.jpg").rename(hidden / "train_1.jpg")
    (folder.path / "__MACOSX").mkdir()
    os.mkfifo(folder.image("pipe.jpg"))
    folder.image("loop").symlink_to(folder.path / "images")
    folder.edit("train", lambda value: value["images"][1].update(file_name=".ipynb_checkpoints/train_1.jpg"))
    refused(folder, "image .ipynb_checkpoints/train_1.jpg of train: hidden", "--skip-bad")
    (note,) = coco_folder(folder.path, skip_bad=True).notes
    assert note.startswith("left out, as no data: 4 entries: __MACOSX/ (hidden); images/.ipynb_checkpoints/ (hidden); ")
    assert "images/loop/ (a link to the folder images/" in note and "images/pipe.jpg (no regular file)" in note
