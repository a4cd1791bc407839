"""A dense head's losses and detections for a whole batch at once, equal to mmdet's own loops over images.

mmdet assigns targets and filters candidates image by image in some hundred small tensor operations; at batch 24 of
64x64 images that is half of a training step. The arithmetic here is mmdet's (its overlaps, box coder, losses and
non-maximum suppression are called); only the loops are gone. Tests compare values and gradients with mmdet's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from detection.detections import Detections

_TABLE = 1 << 24
"""Most overlaps in memory at once (64 MiB of float32); larger batches are assigned in parts."""


def losses(
    head: Any,  # an mmdet AnchorHead: its type is not importable without mmdet
    features: Sequence[Tensor],
    boxes: Sequence[Float[Tensor, "_ 4"]],
    labels: Sequence[Int[Tensor, "_"]],
    extra: int = 0,
) -> dict[str, Tensor]:
    """What `head.loss` gives for images of one size, summed over levels: `loss_cls` and `loss_bbox`.

    Both are divided by the number of positives, of which every image counts at least one, or by the plain number and `extra`.
    """
    levels, deltas = head(features)
    scores = _flat(levels, head.cls_out_channels)
    deltas = _flat(deltas, 4)
    priors = _priors(head, levels)
    count = max(1, _TABLE // max(1, len(priors) * max(len(b) for b in boxes)))
    parts = [assign(head.assigner, priors, boxes[i : i + count]) for i in range(0, len(boxes), count)]
    assigned = torch.cat(parts)  # (n, priors): -1 ignored, 0 background, i + 1 object i
    image, prior = (assigned > 0).nonzero(as_tuple=True)
    chosen = assigned[image, prior] - 1
    # Without `extra` each image counts at least one positive, as in mmdet's sampling result.
    counts = (assigned > 0).sum(1)
    positives = counts.sum() + extra if extra else counts.clamp(min=1).sum()
    target = torch.full_like(assigned, head.num_classes)
    target[image, prior] = pad_sequence(list(labels), batch_first=True)[image, chosen]
    objects = pad_sequence(list(boxes), batch_first=True)[image, chosen]
    return {
        "loss_cls": head.loss_cls(
            scores.flatten(0, 1), target.flatten(), (assigned >= 0).flatten().float(), avg_factor=positives
        ),
        "loss_bbox": head.loss_bbox(deltas[image, prior], head.bbox_coder.encode(priors[prior], objects), avg_factor=positives),
    }


def assign(
    assigner: Any,  # an mmdet MaxIoUAssigner
    priors: Float[Tensor, "a 4"],
    boxes: Sequence[Float[Tensor, "_ 4"]],
) -> Int[Tensor, "n a"]:
    """`MaxIoUAssigner.assign` for each image: -1 ignored, 0 background, i + 1 positive for object i.

    Boxes to ignore, repeated boxes to permute and a range of negative overlaps are not supported: our heads set none.
    """
    counts = torch.tensor([len(b) for b in boxes], device=priors.device)
    if not counts.any():
        return torch.zeros(len(boxes), len(priors), dtype=torch.long, device=priors.device)
    padded = pad_sequence(list(boxes), batch_first=True).to(priors.dtype)
    real = torch.arange(padded.shape[1], device=priors.device) < counts[:, None]
    overlaps = assigner.iou_calculator(padded, priors.expand(len(boxes), -1, -1))
    overlaps = overlaps.masked_fill(~real[..., None], -1.0)
    best, which = overlaps.max(dim=1)
    assigned = torch.where(best < assigner.neg_iou_thr, 0, -1)
    assigned = torch.where(best >= assigner.pos_iou_thr, which + 1, assigned)
    # Every object takes its best anchors, whatever their overlap; of several objects the last one wins.
    peak = overlaps.amax(dim=2, keepdim=True)
    takes = (overlaps == peak) & (peak >= assigner.min_pos_iou) & real[..., None]
    order = torch.arange(1, padded.shape[1] + 1, device=priors.device)[:, None]
    taken = (takes * order).amax(dim=1)
    return torch.where(taken > 0, taken, assigned)


def predict(head: Any, features: Sequence[Tensor], size: tuple[int, int]) -> list[Detections]:
    """What `head.predict` gives for images of `size` (height, width)."""
    from mmcv.ops import batched_nms

    levels, deltas = head(features)
    config = head.test_cfg
    found = [_candidates(level, head.cls_out_channels, config.score_thr, config.nms_pre) for level in levels]
    starts = [0]
    for level in levels:
        starts.append(starts[-1] + level[0].numel() // head.cls_out_channels)
    scores, image, prior, label = (
        torch.cat(parts) for parts in zip(*((s, i, p + start, c) for (s, i, p, c), start in zip(found, starts)), strict=True)
    )
    order = image.argsort(stable=True)  # by image; within one: by level, best first, as mmdet has them
    scores, image, prior, label = scores[order], image[order], prior[order], label[order]
    boxes = head.bbox_coder.decode(_priors(head, levels)[prior], _flat(deltas, 4)[image, prior], max_shape=size)
    large = (boxes[:, 2:] - boxes[:, :2] > config.min_bbox_size).all(1)
    scores, image, label, boxes = scores[large], image[large], label[large], boxes[large]
    counts = torch.bincount(image, minlength=len(levels[0])).tolist()
    results = []
    for b, s, c in zip(boxes.split(counts), scores.split(counts), label.split(counts)):
        if len(b):
            kept, index = batched_nms(b, s, c, config.nms)
            index = index[: config.max_per_img]
            b, s, c = b[index], kept[: config.max_per_img, -1], c[index]
        results.append(Detections(boxes=b, scores=s, labels=c))
    return results


def decoded(
    head: Any, features: Sequence[Tensor], size: tuple[int, int]
) -> tuple[Float[Tensor, "n a 4"], Float[Tensor, "n a classes"]]:
    """Every anchor's box (clipped to `size`) and class scores, before any selection: what an exported file gives."""
    levels, deltas = head(features)
    flat = _flat(deltas, 4)
    n = flat.shape[0]  # not len(): that would fix the batch size of an exported file
    priors = _priors(head, levels).expand(n, -1, -1)
    boxes = head.bbox_coder.decode(priors.reshape(-1, 4), flat.reshape(-1, 4), max_shape=size)
    return boxes.reshape(n, -1, 4), _flat(levels, head.cls_out_channels).sigmoid()


def _candidates(level: Tensor, classes: int, threshold: float, most: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Scores, images, priors and classes of the at most `most` best candidates of each image in one level.

    Within an image best first; priors count from 0 in the level.
    """
    scores = level.permute(0, 2, 3, 1).reshape(len(level), -1).sigmoid()
    best, index = scores.sort(dim=1, descending=True) if scores.shape[1] <= most else scores.topk(most, dim=1)
    image, rank = (best > threshold).nonzero(as_tuple=True)
    index = index[image, rank]
    return best[image, rank], image, index // classes, index % classes


def _flat(levels: Sequence[Tensor], channels: int) -> Tensor:
    """(n, priors, channels) from maps (n, anchors * channels, h, w)."""
    return torch.cat([x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, channels) for x in levels], dim=1)


def _priors(head: Any, levels: Sequence[Tensor]) -> Float[Tensor, "a 4"]:
    sizes = [x.shape[-2:] for x in levels]
    return torch.cat(head.prior_generator.grid_priors(sizes, dtype=levels[0].dtype, device=levels[0].device))
