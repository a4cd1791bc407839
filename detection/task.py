"""Detection: data, metrics, predictions and pictures, for the networks of any system."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from common.errors import UserError
from common.evaluate.settings import InheritedSettings
from common.objective import Objective
from common.streams import derive
from common.system_task import SystemTask
from common.task import Calibration
from detection import mm
from detection.data import Batch, Data, Split, crops, ordered
from detection.data.background import free_squares
from detection.data.batches import with_background
from detection.data.classification import BoxCrops, Folder, Images
from detection.data.load import load_data
from detection.detections import Detections
from detection.facts import DetectionFacts
from detection.heads import FasterRCNN
from detection.pictures import draw_predictions

if TYPE_CHECKING:
    from common.task import SplitName

EVAL_BATCH = 64
"""Most images predicted at once."""
EVAL_PIXELS = 1 << 22
"""Most pixels predicted at once: 64 images of 256x256, 2 of 1344x1344."""


class DetectionTask(SystemTask):
    """Object detection on one data set. The settings of its systems have `data` and `head`."""

    kind = "detection"
    facts_of = DetectionFacts

    @staticmethod
    def read(settings: Any) -> Data:
        """See `load_data`; refuses as well a part of the validation split without a box to find."""
        data = load_data(settings.data)
        evaluation = settings.search.evaluation
        limit = evaluation.images if isinstance(evaluation, InheritedSettings) else None
        if limit is not None and all(note["iscrowd"] for note in data.val.head(limit).coco["annotations"]):
            raise UserError(
                f"search.evaluation.images={limit}: the first {limit} validation images hold no box to find; give more"
            )
        return data

    @property
    def facts(self) -> DetectionFacts:
        """See `SystemTask.facts`."""
        return DetectionFacts(classes=tuple(self.data.classes), canvas=self.data.canvas)

    @property
    def own_objectives(self) -> tuple[Objective, ...]:
        """COCO's average precision (at an overlap of 0.5 in the smoke recipe, whose trainings are short), and MACs."""
        return (Objective("AP50" if self.settings.recipe == "smoke" else "AP"), Objective("macs", "min", "MACs"))

    @property
    def scores(self) -> Sequence[str]:
        """See `SystemTask.scores`."""
        return mm.METRICS

    @property
    def flip(self) -> bool:
        """Whether training images are flipped at random: never embedded digits, a mirrored one is another one."""
        data = self.settings.data
        return data.flip and data.folder is not None

    @cached_property
    def classifies(self) -> bool:
        """Whether there are images of two classes or more to pre-train backbones on: a single class teaches nothing."""
        return self.settings.data.classification is not None or len(self.data.classes) > 1 or bool(free_squares(self.data.train))

    @cached_property
    def images(self) -> Images:
        """What backbones are pre-trained on."""
        data = self.settings.data
        if data.classification is not None:
            return Folder(Path(data.classification), data.crop)
        train = self.data.train
        found, classes = crops(train, data.crop), len(self.data.classes)
        if classes == 1:
            found, classes = with_background(found, train, free_squares(train), data.crop), 2
        return BoxCrops(found, classes, flip=self.flip)

    @property
    def calibration(self) -> Calibration:
        """On the first training images, in order."""
        return Calibration(
            batches=lambda batches, batch: ordered(self.data.train.head(batches * batch), batch), forward=self._calibrate
        )

    def _calibrate(self, network: nn.Module, batch: Batch) -> object:
        """Runs the detector as far as its last normalisation.

        A box head has normalisations of its own: it sees the proposals it is trained on, as in the official code of DetNAS, where
        training forwards re-estimate the statistics. Which are sampled is a function of the run's seed and the images.
        """
        device = _device_of(network)
        images = batch.images.to(device)
        if not isinstance(self.settings.head, FasterRCNN):
            return network(images)
        boxes, labels = [b.to(device) for b in batch.boxes], [c.to(device) for c in batch.labels]
        seed = derive(self.settings.seed, "calibration", *batch.ids)
        return mm.losses(network, images, boxes, labels, seed=seed)  # pyright: ignore[reportArgumentType]

    def metrics(self, network: nn.Module, split: SplitName, limit: int | None = None) -> dict[str, float]:
        """COCO's average precisions in the pixels of the original images, 0..1."""
        chosen = self.data.scored(split, limit)
        return mm.coco_metrics(chosen.coco, self.predictions(network, chosen), chosen.category_ids)

    def predictions(self, network: nn.Module, split: Split) -> dict[int, Detections]:
        """Detections by image id, boxes in the pixels of the original images."""
        found: dict[int, Detections] = {}
        height, width = split.canvas
        device = _device_of(network)
        for batch in ordered(split, max(1, min(EVAL_BATCH, EVAL_PIXELS // (height * width)))):
            for sample, one in zip(batch.samples, mm.predict(network, batch.images.to(device)), strict=True):  # pyright: ignore[reportArgumentType]
                boxes = sample.to_original(one.boxes.cpu())
                found[sample.image_id] = Detections(boxes=boxes, scores=one.scores.cpu(), labels=one.labels.cpu())
        return found

    def pictures(self, network: nn.Module, folder: Path, count: int) -> list[dict[str, str]]:
        """Test images with the true boxes in white and those found in the colour of their class."""
        split = self.data.test.head(count)
        return draw_predictions(split, self.predictions(network, split), folder)


def _device_of(network: nn.Module) -> torch.device:
    """Where a network is: the images follow it."""
    return next(network.parameters()).device
