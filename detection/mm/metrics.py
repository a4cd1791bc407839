"""COCO average precision by pycocotools, quiet and safe on empty input."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from common.errors import UserError
from detection.detections import Detections

METRICS = ("AP", "AP50", "AP75", "APs", "APm", "APl")
"""Names of the metrics."""


def coco_metrics(coco: Mapping[str, Any], predictions: Mapping[int, Detections], category_ids: Sequence[int]) -> dict[str, float]:
    """Average precision over all images of `coco`, by COCO's definition.

    Args:
        coco: a COCO object detection annotation file's content; left unchanged.
        predictions: image id -> detections, boxes in the pixels of the annotations; images without one found nothing.
        category_ids: COCO category id of each class index.

    Returns:
        AP (IoU 0.50:0.95), AP50, AP75, APs, APm, APl (objects below 32x32, below 96x96, above), all 0..1. A size that
        no object has is left out.

    Raises:
        UserError: no object of these categories, or a prediction for an image that `coco` does not list.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    # Own ids, counted from 1: pycocotools holds ids as floats, and takes an annotation with id 0 for unmatched.
    category = {key: i for i, key in enumerate(category_ids, 1)}
    image = {key: i for i, key in enumerate(sorted(entry["id"] for entry in coco["images"]), 1)}
    truth = [
        {
            "id": i,
            "image_id": image[a["image_id"]],
            "category_id": category[a["category_id"]],
            "bbox": a["bbox"],
            "area": a.get("area", a["bbox"][2] * a["bbox"][3]),
            "iscrowd": a.get("iscrowd", 0),
        }
        for i, a in enumerate((a for a in coco["annotations"] if a["category_id"] in category), 1)
    ]
    if not any(not a["iscrowd"] for a in truth):
        raise UserError(f"categories {sorted(category)}: no object to find in the annotations; AP needs at least one")
    if strange := predictions.keys() - image.keys():
        raise UserError(f"predictions for image ids {sorted(strange)[:3]}: not in the annotations; use their image ids")
    rows = _rows({image[key]: found for key, found in predictions.items()})
    with contextlib.redirect_stdout(io.StringIO()):
        reference: Any = COCO()  # pycocotools' own annotations forbid what its code accepts
        reference.dataset = {
            "images": [{"id": i} for i in image.values()],
            "categories": [{"id": i} for i in category.values()],
            "annotations": truth,
        }
        reference.createIndex()
        found = reference.loadRes(rows) if len(rows) else COCO()
        evaluation = COCOeval(reference, found, "bbox")
        evaluation.params.imgIds = list(image.values())
        evaluation.params.catIds = list(category.values())
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return {name: float(value) for name, value in zip(METRICS, evaluation.stats) if value >= 0}


def _rows(predictions: Mapping[int, Detections]) -> np.ndarray:
    """One row for each detection: number of the image, x, y, width, height, score, number of the category."""
    parts = [np.zeros((0, 7))]
    for number, found in predictions.items():
        boxes = found.boxes.detach().cpu().double().numpy()
        head = np.full((len(boxes), 1), number)
        scores = found.scores.detach().cpu().double().numpy()[:, None]
        labels = found.labels.cpu().numpy()[:, None] + 1
        parts.append(np.concatenate([head, boxes[:, :2], boxes[:, 2:] - boxes[:, :2], scores, labels], axis=1))
    return np.concatenate(parts)
