"""Folders that can be read: small made ones and real ones."""

import pytest
import torch

from common.errors import UserError
from detection.data import coco_folder, embedded, write_coco
from tests.detection.data.folders import SIZES, Folder


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
