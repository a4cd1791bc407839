"""A detector as `model.onnx` and a `use.py` beside it that needs numpy, Pillow and onnxruntime alone.

The ONNX file gives the raw outputs of the last layers, for RetinaNet heads the script turns them into boxes: anchors, decoding,
non-maximum suppression, as mmdet does. The second stage of Faster R-CNN is exported on blank proposals, as cost is counted: a
network for speed measurements, not for pictures; no script is written for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from common.export import Parity, export_onnx
from common.run.files import write_atomic
from detection.heads import RetinaNet


def export_detector(network: nn.Module, canvas: tuple[int, int], classes: Sequence[str], folder: Path) -> Parity:
    """Writes `model.onnx`, checked against torch, and for RetinaNet heads `use.py` into `folder`.

    Args:
        network: a standalone `detection.mm.Detector`.
        canvas: height and width of the images it was trained on, pixels.
        classes: names of the labels.
        folder: where to; it exists.

    Raises:
        UserError: packages are missing, or the numbers differ.
    """
    height, width = canvas
    rows, columns = torch.arange(height)[:, None], torch.arange(width)
    image = torch.stack([(rows * k + columns * (4 - k)) % 256 for k in (1, 2, 3)])[None].to(torch.uint8)  # not a blank one
    parity = export_onnx(network, (image,), folder / "model.onnx")
    head = network.head
    if isinstance(head, RetinaNet):
        dense: Any = network.get_submodule("net.bbox_head")
        post = head.postprocess
        values = {
            "SIZE": canvas,
            "CLASSES": tuple(classes),
            "STRIDES": head.strides,
            "ANCHORS": [[[round(x, 4) for x in box] for box in level.tolist()] for level in dense.prior_generator.base_anchors],
            "STDS": tuple(dense.bbox_coder.stds),
            "THRESHOLD": post.score_threshold,
            "NMS": post.nms_iou,
            "BEFORE": post.before_nms,
            "MOST": post.per_image,
        }
        text = SCRIPT
        for name, value in values.items():
            text = text.replace(f"@{name}@", repr(value))
        write_atomic(folder / "use.py", text.encode())
    return parity


SCRIPT = '''"""Detects objects with model.onnx: python use.py IMAGE... (needs numpy, pillow and onnxruntime)."""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

SIZE = @SIZE@  # height, width of the network's input
CLASSES = @CLASSES@
STRIDES = @STRIDES@
ANCHORS = @ANCHORS@  # per stride: boxes around (0, 0)
STDS = @STDS@  # of the box deltas
THRESHOLD, NMS, BEFORE, MOST = @THRESHOLD@, @NMS@, @BEFORE@, @MOST@


def read(path):
    """The image at the top left of a black canvas, uint8 (1, 3, height, width); its scale and size (height, width)."""
    picture = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    scale = min(SIZE[0] / picture.height, SIZE[1] / picture.width)
    small = picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.BILINEAR)
    canvas = np.zeros((*SIZE, 3), np.uint8)
    canvas[: small.height, : small.width] = np.asarray(small)
    return canvas.transpose(2, 0, 1)[None], scale, (picture.height, picture.width)


def level_candidates(scores, deltas, anchors, stride):
    """Boxes, scores and labels of one pyramid level, from maps (1, anchors * k, h, w)."""
    height, width = scores.shape[-2:]
    y, x = np.meshgrid(np.arange(height) * stride, np.arange(width) * stride, indexing="ij")
    priors = (np.stack([x, y, x, y], -1)[:, :, None] + np.float32(anchors)).reshape(-1, 4)
    scores = 1 / (1 + np.exp(-scores[0].transpose(1, 2, 0).reshape(-1)))
    order = np.argsort(-scores, kind="stable")[:BEFORE]
    order = order[scores[order] > THRESHOLD]
    place, label = np.divmod(order, len(CLASSES))
    prior, delta = priors[place], deltas[0].transpose(1, 2, 0).reshape(-1, 4)[place] * np.float32(STDS)
    size = prior[:, 2:] - prior[:, :2]
    limit = abs(np.log(16 / 1000))
    centre = (prior[:, :2] + prior[:, 2:]) / 2 + delta[:, :2] * size
    half = size * np.exp(np.clip(delta[:, 2:], -limit, limit)) / 2
    boxes = np.concatenate([centre - half, centre + half], 1).clip(0, [SIZE[1], SIZE[0], SIZE[1], SIZE[0]])
    return boxes, scores[order], label


def suppressed(boxes, scores, labels):
    """Positions of the boxes that stay, best first."""
    kept, area = [], (boxes[:, 2:] - boxes[:, :2]).prod(1)
    for i in np.argsort(-scores, kind="stable"):
        others = [j for j in kept if labels[j] == labels[i]]
        sides = np.minimum(boxes[others, 2:], boxes[i, 2:]) - np.maximum(boxes[others, :2], boxes[i, :2])
        shared = sides.clip(0).prod(1)
        if not (shared > NMS * (area[others] + area[i] - shared)).any():
            kept.append(i)
    return kept[:MOST]


def detect(session, path):
    """Detections in the image at `path`, best first; boxes are x1, y1, x2, y2 in its pixels."""
    image, scale, (height, width) = read(path)
    outputs = session.run(None, {session.get_inputs()[0].name: image})
    n = len(STRIDES)
    levels = [level_candidates(outputs[i], outputs[n + i], ANCHORS[i], STRIDES[i]) for i in range(n)]
    boxes, scores, labels = (np.concatenate(parts) for parts in zip(*levels))
    stay = suppressed(boxes, scores, labels)
    boxes = (boxes[stay] / scale).clip(0, [width, height, width, height])
    return [
        {"class": CLASSES[label], "score": round(float(score), 4), "box": [round(float(x), 2) for x in box]}
        for box, score, label in zip(boxes, scores[stay], labels[stay])
    ]


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: python use.py IMAGE...")
    session = onnxruntime.InferenceSession(str(Path(__file__).with_name("model.onnx")), providers=["CPUExecutionProvider"])
    for path in sys.argv[1:]:
        print(json.dumps({"image": path, "detections": detect(session, path)}))


if __name__ == "__main__":
    main()
'''
