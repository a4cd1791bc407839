"""A small valid COCO folder, broken in every way a user's folder can be."""

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from common.errors import UserError
from detection.data import coco_folder, embedded, write_coco

SIZES = {"train": [(60, 40), (40, 60), (50, 50)], "val": [(60, 40)], "test": [(64, 48)]}


class Folder:
    """A COCO folder on disk and the means to break it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "annotations").mkdir(parents=True)
        (path / "images").mkdir()
        for split, sizes in SIZES.items():
            images, notes = [], []
            for i, (width, height) in enumerate(sizes):
                name = f"{split}_{i}.jpg"
                noise = np.random.default_rng(i).integers(0, 255, (height, width, 3), dtype=np.uint8)
                Image.fromarray(noise).save(path / "images" / name)
                images.append({"id": 10 + i, "file_name": name, "width": width, "height": height})
                for category in (7, 3):
                    note = {"id": len(notes) + 1, "image_id": 10 + i, "category_id": category, "iscrowd": 0}
                    notes.append({**note, "bbox": [4 + category, 5, 20, 10.5], "area": 210.0})
            categories = [{"id": 7, "name": "cat"}, {"id": 3, "name": "dog"}]
            self.write(split, {"images": images, "annotations": notes, "categories": categories})

    def json(self, split: str) -> Path:
        return self.path / "annotations" / f"instances_{split}.json"

    def write(self, split: str, value: object) -> None:
        self.json(split).write_text(json.dumps(value))

    def edit(self, split: str, change) -> None:
        value = json.loads(self.json(split).read_text())
        change(value)
        self.write(split, value)

    def image(self, name: str) -> Path:
        return self.path / "images" / name


@pytest.fixture
def folder(tmp_path) -> Folder:
    return Folder(tmp_path / "data")


def refused(folder: Folder, *parts: str, skip_bad: bool = False) -> str:
    with pytest.raises(UserError) as caught:
        coco_folder(folder.path, skip_bad=skip_bad)
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message
    return message


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


@pytest.mark.parametrize("split", ["train", "val"])
def test_missing_annotation_file(folder, split):
    folder.json(split).unlink()
    refused(folder, f"instances_{split}.json is missing")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (b"", ["is empty"]),
        (b" \n", ["is empty"]),
        (b'{"images": [\n  {"id": 1,', ["line 2, column"]),
        (b"<xml/>", ["line 1, column 1", "not JSON"]),
        (b"\xff\xd8\xff\xe0\x00", ["not a JSON text"]),
        (b"[" * 100_000, ["not a JSON text"]),
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
        (_twice("categories", id=9), ["category name 'cat' occurs twice"]),
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


@pytest.mark.parametrize("split", ["val", "test"])
def test_the_same_image_in_two_splits(folder, split):
    folder.edit(split, _first("images", file_name="./train_1.jpg", width=40, height=60))
    refused(folder, f"image ./train_1.jpg is in both train and {split}")


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
    assert kept[0] is kept[0]
    monkeypatch.setattr("detection.data.coco._KEEP_BYTES", 1)
    split = coco_folder(folder.path).train
    assert split[0] is not split[0]
    assert torch.equal(split[0].image, kept[0].image)


# The real folders


@pytest.fixture(scope="module")
def real():
    root = Path(os.environ.get("TASKNAS_DATA", Path(__file__).parents[3].parent / "shared" / "data")) / "detection"
    if not root.is_dir():
        pytest.skip(f"real data not found: {root} (set TASKNAS_DATA)")
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
    with pytest.raises(UserError, match=r"9 problems: class 'fire hydrant' .* --skip-bad"):
        coco_folder(real / "coco_mini")
    data = coco_folder(real / "coco_mini", size=160, skip_bad=True)
    assert data.canvas == (160, 160)
    assert len(data.classes) == 71
    assert data.category_ids[-1] == 90
    assert len(data.train) == len(data.val) == 128
    assert data.describe()["boxes"]["train"] == 929
    assert data.notes
    _read_fully(data)
