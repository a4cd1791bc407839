"""Intersection over union by mmseg's metric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from common.errors import UserError
from segmentation.data.labels import IGNORE
from segmentation.mm.setup import prepare

Areas = Float[Tensor, "4 classes"]
"""Pixels of each class: in both, in either, predicted, labelled. Areas of several pictures add up."""


def areas(predicted: Int[Tensor, "*n h w"], labels: Shaped[Tensor, "*n h w"], classes: int) -> Areas:
    """The areas of a picture, or of several together; pixels labelled 255 do not count.

    Args:
        predicted: class of each pixel.
        labels: its true class, or 255; integers.
        classes: how many there are.
    """
    prepare()
    from mmseg.evaluation.metrics import IoUMetric

    return torch.stack(IoUMetric.intersect_and_union(predicted, labels.long(), classes, IGNORE)).double()  # sums stay exact


def iou_metrics(total: Areas, names: Sequence[str]) -> dict[str, float]:
    """Metrics of areas summed over a whole split, all in 0..1.

    Args:
        total: the sum of `areas`.
        names: of the classes.

    Returns:
        `mIoU` (mean over classes that are in the labels or predictions), `mAcc` (mean share of a labelled class's pixels that is
        found), `aAcc` (share of all labelled pixels), and `IoU <name>` of each class that is in either.

    Raises:
        UserError: no pixel is labelled.
    """
    if not total[3].sum():
        raise UserError("no labelled pixel to score; give pictures with labels other than 255")
    prepare()
    from mmseg.evaluation.metrics import IoUMetric

    rows: Any = total  # mmseg's annotation says arrays, its code wants tensors
    found = IoUMetric.total_area_to_metrics(rows[0], rows[1], rows[2], rows[3], ["mIoU"])
    ious, shares = torch.as_tensor(found["IoU"]), torch.as_tensor(found["Acc"])
    means = {"mIoU": float(ious.nanmean()), "mAcc": float(shares.nanmean()), "aAcc": float(found["aAcc"])}
    return means | {f"IoU {name}": float(iou) for name, iou in zip(names, ious, strict=True) if not iou.isnan()}
