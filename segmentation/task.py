"""Semantic segmentation: data, metrics, predictions and pictures, for the networks of any system."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from common.errors import UserError
from common.objective import Objective
from common.system_task import SystemTask
from common.task import Calibration
from segmentation import mm
from segmentation.data import Augmentation, Batch, SegmentationData, Split, check_crop, halves, ordered
from segmentation.data.load import load_data
from segmentation.facts import SegmentationFacts
from segmentation.pictures import draw_predictions

if TYPE_CHECKING:
    from common.task import SplitName
    from segmentation.mm import Segmentor

EVAL_BATCH = 32
"""Most pictures predicted at once."""
EVAL_PIXELS = 1 << 20
"""Most pixels predicted at once, unless a single picture has more: 24 pictures of 240x180."""


class SegmentationTask(SystemTask):
    """Semantic segmentation of the pictures of one data set."""

    kind = "segmentation"
    facts_of = SegmentationFacts

    @staticmethod
    def read(settings: Any) -> SegmentationData:
        """See `load_data`; refuses as well a crop that does not fit the pictures."""
        chosen = settings.data
        Augmentation(crop=chosen.crop, scale=chosen.scale)  # refuses values out of range before files are read
        data = load_data(chosen)
        fits(data.train, chosen.crop)
        return data

    @property
    def facts(self) -> SegmentationFacts:
        """See `SystemTask.facts`."""
        data = self.data
        return SegmentationFacts(
            classes=tuple(data.classes), palette=tuple(data.palette), size=data.size, limit=self.settings.data.size
        )

    @property
    def own_objectives(self) -> tuple[Objective, ...]:
        """Mean intersection over union, and MACs."""
        return (Objective("mIoU"), Objective("macs", "min", "MACs"))

    @property
    def scores(self) -> Sequence[str]:
        """See `SystemTask.scores`."""
        return ("mIoU", "mAcc", "aAcc")

    @property
    def augmentation(self) -> Augmentation:
        """How training pictures are varied."""
        chosen = self.settings.data
        return replace(Augmentation(crop=chosen.crop, scale=chosen.scale), flip=chosen.flip and self.data.flip)

    @cached_property
    def halves(self) -> tuple[Split, Split]:
        """Two halves of the training split: for weights and for the architecture."""
        return halves(self.data.train, self.settings.seed)

    @property
    def calibration(self) -> Calibration:
        """On the first training pictures, in order."""
        return Calibration(
            batches=lambda batches, batch: [b.images for b in ordered(self.data.train.head(batches * batch), batch)],
            forward=lambda network, images: network(images.to(next(network.parameters()).device)),
        )

    def metrics(self, network: nn.Module, split: SplitName, limit: int | None = None) -> dict[str, float]:
        """Over whole pictures at their full size, in 0..1.

        `mIoU`, mean intersection over union of the classes that are there or predicted; `mAcc`, mean share of a class's pixels
        that is found; `aAcc`, share of all pixels.
        """
        chosen = self.data.scored(split, limit)
        classes = self.data.classes
        total = torch.zeros(4, len(classes), dtype=torch.float64)
        for batch, found in self._predictions(network, chosen):
            total += mm.areas(found, batch.labels, len(classes))
        every = mm.iou_metrics(total, classes)
        return {name: every[name] for name in self.scores}

    def pictures(self, network: nn.Module, folder: Path, count: int) -> list[dict[str, str]]:
        """Test pictures, each beside its true classes and those found."""
        split = self.data.test.head(count)
        found = [one.numpy() for _, labels in self._predictions(network, split) for one in labels] if count else []
        return draw_predictions(split, found, self.data.palette, folder)

    def _predictions(self, network: nn.Module, split: Split) -> Iterator[tuple[Batch, Tensor]]:
        """The pictures of a split, batch by batch, with the class of each of their pixels, (n, h, w)."""
        whole = cast("Segmentor", network)
        device = next(network.parameters()).device
        height, width = np.maximum(split.sizes.max(axis=0), 1).tolist()
        for batch in ordered(split, max(1, min(EVAL_BATCH, EVAL_PIXELS // (height * width)))):
            yield batch, mm.predict(whole, batch.images.to(device)).cpu()


def fits(split: Split, crop: tuple[int, int]) -> None:
    """Refuses a split whose pictures are too small for the crop.

    Raises:
        UserError: names the setting.
    """
    try:
        check_crop(split, crop)
    except UserError as error:
        raise UserError(f"data.crop={list(crop)}: {error}") from None
