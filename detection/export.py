"""A detector as `model.onnx` and a `use.py` beside it that needs numpy, Pillow and onnxruntime alone.

For dense heads the file gives the box and the class scores of every anchor; the script selects by score and overlap. Of
Faster R-CNN the backbone is exported, what was searched, without a script: its second stage selects boxes between layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from common.data.reader import with_reader
from common.export import Parity, export_onnx, write_script
from detection import mm
from detection.heads import FasterRCNN, Postprocess


class _Decoded(nn.Module):
    """A detector that gives boxes and scores of every anchor."""

    def __init__(self, detector: mm.Detector) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return mm.decoded(self.detector, images)


class _Maps(nn.Module):
    """The maps of a detector's backbone."""

    def __init__(self, detector: mm.Detector) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.detector.backbone(self.detector.normalised(images)))


def export(network: mm.Detector, canvas: tuple[int, int], classes: Sequence[str], folder: Path) -> Parity:
    """Writes `model.onnx`, checked against torch, and for dense heads `use.py` into `folder`.

    Args:
        network: a standalone detector.
        canvas: height and width of the images it was trained on, pixels.
        classes: names of the labels.
        folder: where to; it exists.

    Raises:
        UserError: packages are missing, or the numbers differ.
    """
    height, width = canvas
    rows, columns = torch.arange(height)[:, None], torch.arange(width)
    image = torch.stack([(rows * k + columns * (4 - k)) % 256 for k in (1, 2, 3)])[None].to(torch.uint8)  # not a blank one
    if isinstance(network.head, FasterRCNN):
        return export_onnx(_Maps(network), (image,), folder / "model.onnx")
    parity = export_onnx(_Decoded(network), (image,), folder / "model.onnx")
    write_use(folder, canvas, classes, network.head.postprocess)
    return parity


def write_use(folder: Path, canvas: tuple[int, int], classes: Sequence[str], post: Postprocess) -> None:
    """Writes `use.py`; see `export`."""
    values = {
        "SIZE": canvas,
        "CLASSES": tuple(classes),
        "THRESHOLD": post.score_threshold,
        "NMS": post.nms_iou,
        "SOFT": post.soft_sigma,
        "MOST": post.per_image,
    }
    write_script(folder, with_reader(SCRIPT), values)


SCRIPT = '''"""Detects objects with model.onnx: python use.py IMAGE... (needs numpy, pillow and onnxruntime)."""

import json
import sys
@IMPORTS@

SIZE = @SIZE@  # height, width of the network's input
CLASSES = @CLASSES@
THRESHOLD, NMS, MOST = @THRESHOLD@, @NMS@, @MOST@  # least score, largest overlap within a class, most detections
SOFT = @SOFT@  # with a number, scores of boxes that overlap a better one are multiplied by exp(-overlap**2 / SOFT) instead


@READER@


def read(path):
    """The image at the top left of a black canvas, uint8 (1, 3, height, width); its scale (x, y) and size (height, width)."""
    picture = read_rgb(Path(path))
    width, height = picture.size
    scale = min(SIZE[0] / height, SIZE[1] / width)
    inner = int(width * scale + 0.5), int(height * scale + 0.5)
    x, y = inner[0] / width, inner[1] / height
    # Between the four nearest pixels, without smoothing: what OpenCV's resize did in training, to a grey level.
    small = picture.transform(inner, Image.Transform.AFFINE, (1 / x, 0, 0, 0, 1 / y, 0), Image.Resampling.BILINEAR)
    canvas = np.zeros((*SIZE, 3), np.uint8)
    canvas[: small.height, : small.width] = np.asarray(small)
    return canvas.transpose(2, 0, 1)[None], (x, y), (height, width)


def overlaps(boxes, area, i, others):
    """Overlap (intersection over union) of box i with others."""
    sides = np.minimum(boxes[others, 2:], boxes[i, 2:]) - np.maximum(boxes[others, :2], boxes[i, :2])
    shared = sides.clip(0).prod(1)
    return shared / np.maximum(area[others] + area[i] - shared, 1e-12)


def suppressed(boxes, scores, labels):
    """Positions of the boxes that stay, best first, and their scores."""
    kept, area = [], (boxes[:, 2:] - boxes[:, :2]).prod(1)
    if SOFT is not None:
        left = scores.astype(np.float64)
        found = []
        while len(kept) < MOST and len(left) and left.max() > 1e-3:
            i = int(left.argmax())
            kept.append(i)
            found.append(left[i])
            left[i] = -1
            others = np.flatnonzero((labels == labels[i]) & (left > 0))
            left[others] *= np.exp(-(overlaps(boxes, area, i, others) ** 2) / SOFT)
        return kept, found
    for i in np.argsort(-scores, kind="stable"):
        others = [j for j in kept if labels[j] == labels[i]]
        if not (overlaps(boxes, area, i, others) > NMS).any():
            kept.append(i)
    return kept[:MOST], scores[kept[:MOST]]


def detect(session, path):
    """Detections in the image at `path`, best first; boxes are x1, y1, x2, y2 in its pixels."""
    image, scale, (height, width) = read(path)
    every_box, every_score = (output[0] for output in session.run(None, {session.get_inputs()[0].name: image}))
    anchor, labels = (every_score > THRESHOLD).nonzero()
    scores, boxes = every_score[anchor, labels], every_box[anchor]
    stay, scores = suppressed(boxes, scores, labels)
    boxes = (boxes[stay] / (*scale, *scale)).clip(0, [width, height, width, height])
    return [
        {"class": CLASSES[label], "score": round(float(score), 4), "box": [round(float(x), 2) for x in box]}
        for box, score, label in zip(boxes, scores, labels[stay])
    ]


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: python use.py IMAGE...")
    session = open_session()
    for path in sys.argv[1:]:
        try:
            print(json.dumps({"image": path, "detections": detect(session, path)}))
        except Unusable as error:
            sys.exit(f"{path}: {error}")


if __name__ == "__main__":
    main()
'''
