"""Segmentation as a task of the core: DCNAS's space on a segmentation data set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
import torch
from torch import Tensor, nn

from common.errors import UserError
from common.objective import Objective
from common.space import Arch
from common.supernet import opened
from segmentation import mm
from segmentation.data import Augmentation, Batch, SegmentationData, Split, check_crop, embedded, folder, halves, ordered
from segmentation.dcnas.costs import Costs
from segmentation.dcnas.derive import network_of
from segmentation.dcnas.phases import Segment
from segmentation.dcnas.segmentor import segmentor
from segmentation.dcnas.settings import DataSettings, Settings
from segmentation.dcnas.wirings import unet
from segmentation.export import export
from segmentation.pictures import draw_predictions

if TYPE_CHECKING:
    from common.relax.ranked import Bound
    from common.stages.settings import PhaseSettings
    from common.task import Phase, SplitName
    from segmentation.mm import Segmentor

EVAL_BATCH = 32
"""Most pictures predicted at once."""
EVAL_PIXELS = 1 << 20
"""Most pixels predicted at once, unless a single picture has more: 24 pictures of 240x180."""
MULTIPLE = 32
"""Sides of embedded scenes are multiples of it."""


def load_data(settings: DataSettings) -> SegmentationData:
    """The data of a run.

    Raises:
        UserError: the folder cannot be used, or no scenes can be made as asked.
    """
    if settings.folder is not None:
        return folder(Path(settings.folder), settings.size, settings.skip_bad)
    size = settings.size or max(64, -(-max(settings.crop) // MULTIPLE) * MULTIPLE)
    if size > 300:
        raise UserError(
            f"embedded scenes of {size} pixels: 288 are the most; give --data FOLDER, or --set data.crop=[64,64] data.size=64"
        )
    return embedded(
        classes=settings.classes,
        size=size,
        train=settings.train,
        val=settings.val,
        test=settings.test,
        digits_per_scene=(1, 2) if size <= 64 else (1, 4),
    )


class SegmentationTask:
    """A segmentation network searched by DCNAS on one data set; see `common.task.PresentedTask`.

    It has no `price` (`common.differentiable.strategies.PricedTask`): which cells are left of an architecture depends on all of
    its connections together. So hard budgets act on what is derived, which `guide` leads to.
    """

    kind = "segmentation"

    def __init__(self, settings: Settings) -> None:
        """Reads the data.

        Args:
            settings: of the run.

        Raises:
            UserError: the data cannot be used, or do not fit the settings.
        """
        self.settings = settings
        chosen = settings.data
        augmentation = Augmentation(crop=chosen.crop, scale=chosen.scale)
        self.data = load_data(chosen)
        self.augmentation = replace(augmentation, flip=chosen.flip and self.data.flip)
        self.halves = halves(self.data.train, settings.seed)
        for split in (self.data.train, *self.halves):
            try:
                check_crop(split, chosen.crop)
            except UserError as error:
                raise UserError(f"data.crop={list(chosen.crop)}: {error}") from None
        self.space = settings.space.open()
        self.objectives = (Objective("mIoU"), Objective("macs", "min", "MACs"))
        self.baseline = unet(self.space)
        self._costs: dict[Arch, dict[str, int]] = {}

    def supernet(self, seed: int) -> nn.Module:
        """The segmentor with every decision open."""
        return segmentor(opened(self.space), self.settings.head, len(self.data.classes), seed)

    def network(self, arch: Arch, seed: int) -> nn.Module:
        """The segmentor of an architecture: without orphans, its operators on all channels."""
        return segmentor(network_of(self.space, arch), self.settings.head, len(self.data.classes), seed)

    def phases(self, kind: Literal["supernet", "standalone"]) -> Sequence[Phase]:
        """In a search the weights learn from one half of the training pictures and the architecture from the other."""
        s = self.settings

        def segment(name: str, settings: PhaseSettings, split: Split) -> Segment:
            return Segment(name=name, settings=settings, split=split, augmentation=self.augmentation)

        if kind == "standalone":
            return [segment("train", s.train, self.data.train)]
        return [segment(name, s.weights, half) for name, half in zip(("weights", "architecture"), self.halves, strict=True)]

    def metrics(self, network: nn.Module, split: SplitName, limit: int | None = None) -> dict[str, float]:
        """Over whole pictures at their full size, in 0..1.

        `mIoU`, mean intersection over union of the classes that are there or predicted; `mAcc`, mean share of a class's pixels
        that is found; `aAcc`, share of all pixels.
        """
        chosen = self.data.val if split == "val" else self.data.test
        chosen = chosen if limit is None else chosen.head(limit)
        classes = self.data.classes
        total = torch.zeros(4, len(classes), dtype=torch.float64)
        for batch, found in self._predictions(network, chosen):
            total += mm.areas(found, batch.labels, len(classes))
        every = mm.iou_metrics(total, classes)
        return {name: every[name] for name in ("mIoU", "mAcc", "aAcc")}

    def costs(self, arch: Arch) -> dict[str, int]:
        """Parameters and MACs of the network of `network`, with its head, for one picture of the training pictures' size."""
        if arch not in self._costs:
            self._costs[arch] = self.prices.of(arch)
        return self._costs[arch]

    def check_budget(self, metric: str, upper: float) -> None:
        """See `common.stages.run.RunTask`."""
        least = self.prices.least()[metric]
        if upper < least:
            raise UserError(
                f"budget {metric}={upper:g} is impossible: no architecture costs less than {least:,}; raise the budget"
            )

    def guide(self, metric: str) -> list[Bound]:
        """What the options of the cells add to a cost: see `common.differentiable.strategies.GuidedTask`."""
        return self.prices.guide(metric)

    @cached_property
    def prices(self) -> Costs:
        """What the parts of networks cost."""
        return Costs(self.space, self.settings.head, len(self.data.classes), self.data.size, self.baseline)

    def pictures(self, network: nn.Module, folder: Path, count: int) -> list[dict[str, str]]:
        """Test pictures, each beside its true classes and those found."""
        split = self.data.test.head(count)
        found = [one.numpy() for _, labels in self._predictions(network, split) for one in labels] if count else []
        return draw_predictions(split, found, self.data.palette, folder)

    def export(self, network: nn.Module, folder: Path) -> float:
        """See `segmentation.export.export`."""
        whole = cast("Segmentor", network)
        return export(whole, self.data.size, self.data.classes, self.data.palette, folder).max_abs_diff

    def _predictions(self, network: nn.Module, split: Split) -> Iterator[tuple[Batch, Tensor]]:
        """The pictures of a split, batch by batch, with the class of each of their pixels, (n, h, w)."""
        whole = cast("Segmentor", network)
        device = next(network.parameters()).device
        height, width = np.maximum(split.sizes.max(axis=0), 1).tolist()
        for batch in ordered(split, max(1, min(EVAL_BATCH, EVAL_PIXELS // (height * width)))):
            yield batch, mm.predict(whole, batch.images.to(device)).cpu()
