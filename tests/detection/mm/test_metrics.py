"""COCO precision against its definition."""

import json

import pytest
import torch

from common.errors import UserError
from detection import mm
from detection.detections import Detections


def coco_scenes():
    """Two images, categories 3 and 7, one small, two medium objects; first annotation id is 0."""
    rows = [(1, 3, [2, 3, 20, 20]), (1, 7, [10, 20, 40, 40]), (2, 3, [5, 5, 50, 40])]
    return {
        "images": [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "b.png"}],
        "categories": [{"id": 3, "name": "three"}, {"id": 7, "name": "seven"}],
        "annotations": [
            {"id": i, "image_id": image, "category_id": category, "bbox": box} for i, (image, category, box) in enumerate(rows)
        ],
    }


def as_detections(coco, keep):
    found = {}
    for image in (1, 2):
        rows = [a for a in coco["annotations"] if a["image_id"] == image and a["id"] in keep]
        boxes = torch.tensor([a["bbox"] for a in rows], dtype=torch.float32).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        labels = torch.tensor([[3, 7].index(a["category_id"]) for a in rows], dtype=torch.long)
        found[image] = Detections(boxes=boxes, scores=torch.full((len(rows),), 0.9), labels=labels)
    return found


def test_ground_truth_as_detections_has_precision_one(capfd):
    coco = coco_scenes()
    before = json.dumps(coco)
    metrics = mm.coco_metrics(coco, as_detections(coco, {0, 1, 2}), [3, 7])
    assert metrics == pytest.approx({"AP": 1, "AP50": 1, "AP75": 1, "APs": 1, "APm": 1})  # no large object
    assert json.dumps(coco) == before
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


@pytest.mark.parametrize("first", [1, 2**53, 2**60 + 1, 10**30])
def test_ids_of_any_size_give_the_same_figures(first):
    """Ids of users never pass through pycocotools, which would hold 2**53 and 2**53 + 1 as one float."""
    coco = coco_scenes()
    found = as_detections(coco, {0, 1, 2})
    for entry in coco["images"]:
        entry["id"] += first
    for entry in coco["categories"]:
        entry["id"] += first
    for note in coco["annotations"]:
        note.update(id=note["id"] + first, image_id=note["image_id"] + first, category_id=note["category_id"] + first)
    found = {key + first: value for key, value in found.items()}
    metrics = mm.coco_metrics(coco, found, [3 + first, 7 + first])
    assert metrics == pytest.approx({"AP": 1, "AP50": 1, "AP75": 1, "APs": 1, "APm": 1})


def test_a_missed_object_costs_what_the_definition_says():
    coco = coco_scenes()
    metrics = mm.coco_metrics(coco, as_detections(coco, {0, 1}), [3, 7])
    # Category 3: recall 1/2, so 51 of 101 recall points have precision 1. Category 7: 1.
    assert metrics["AP50"] == pytest.approx((51 / 101 + 1) / 2)


def test_no_detection_at_all_is_zero():
    coco = coco_scenes()
    nothing = {"AP": 0.0, "AP50": 0.0, "AP75": 0.0, "APs": 0.0, "APm": 0.0}
    assert mm.coco_metrics(coco, {}, [3, 7]) == nothing
    assert mm.coco_metrics(coco, as_detections(coco, set()), [3, 7]) == nothing


def test_metric_refuses_what_cannot_be_measured():
    coco = coco_scenes()
    with pytest.raises(UserError, match="image ids"):
        mm.coco_metrics(coco, {99: as_detections(coco, {0})[1]}, [3, 7])
    with pytest.raises(UserError, match="no object"):
        mm.coco_metrics({**coco, "annotations": []}, {}, [3, 7])
