"""What a run remembers of detection data: enough to export its networks and to run them on image files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from common.data.pictures import of_user
from common.data.reader import read_rgb
from common.export import Parity
from common.file_facts import FileFacts
from detection import mm
from detection.data import Sample
from detection.detections import Detections
from detection.export import export
from detection.pictures import draw


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionFacts(FileFacts):
    """What a run remembers of its data.

    Attributes:
        classes: names of the labels.
        canvas: height and width that images are fitted into, in pixels.
    """

    classes: tuple[str, ...]
    canvas: tuple[int, int]

    def example(self) -> tuple[torch.Tensor, ...]:
        """A black image on the canvas."""
        return (torch.zeros(1, 3, *self.canvas, dtype=torch.uint8),)

    def export(self, network: nn.Module, folder: Path) -> Parity:
        """See `detection.export.export`."""
        assert isinstance(network, mm.Detector)
        return export(network, self.canvas, self.classes, folder)

    def read(self, file: Path) -> Sample:
        """See `FileFacts.read`: the image on the canvas."""
        return _read(file, self.canvas)

    def predicted(self, network: nn.Module, item: Sample, target: Path) -> Mapping[str, Any]:
        """See `FileFacts.predicted`: the image with the boxes found; `detections`, best first.

        Each has `class`, `score` and `box` (x1, y1, x2, y2 in pixels of the file).
        """
        assert isinstance(network, mm.Detector)
        (one,) = mm.predict(network, item.image[None])
        found = Detections(boxes=item.to_original(one.boxes), scores=one.scores, labels=one.labels)
        draw(item, found, self.classes)[0].save(target)
        rows = zip(found.boxes.tolist(), found.scores.tolist(), found.labels.tolist(), strict=True)
        return {
            "detections": [
                {"class": self.classes[label], "score": round(score, 4), "box": [round(x, 2) for x in box]}
                for box, score, label in rows
            ]
        }


def _read(file: Path, canvas: tuple[int, int]) -> Sample:
    pixels = np.asarray(of_user(file, lambda: read_rgb(file)))
    image, _, scale = mm.resize_pad(pixels, np.zeros((0, 4), np.float32), canvas)
    return Sample(
        image=torch.from_numpy(image).permute(2, 0, 1).contiguous(),
        boxes=torch.zeros(0, 4),
        labels=torch.zeros(0, dtype=torch.int64),
        image_id=0,
        file=str(file),
        scale=scale,
        original=pixels.shape[:2],
    )
