"""Image classification: data, metrics and pictures, for the networks of any system."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from classification.data import ClassificationData, Split, halves, ordered
from classification.data.load import load_data
from classification.facts import ClassificationFacts
from classification.pictures import draw_predictions
from common.errors import UserError
from common.objective import Objective
from common.system_task import SystemTask
from common.task import Calibration

if TYPE_CHECKING:
    from common.stages.settings import PhaseSettings
    from common.task import SplitName

EVAL_BATCH = 250
"""Images classified at once."""


class ClassificationTask(SystemTask):
    """Classification of images of one data set."""

    kind = "classification"
    facts_of = ClassificationFacts

    @staticmethod
    def read(settings: Any) -> ClassificationData:
        """See `load_data`."""
        return load_data(settings.data)

    @property
    def facts(self) -> ClassificationFacts:
        """See `SystemTask.facts`."""
        data = self.data
        return ClassificationFacts(
            classes=tuple(data.classes), image_size=data.image_size, mean=data.scale.mean, std=data.scale.std
        )

    @property
    def own_objectives(self) -> tuple[Objective, ...]:
        """Accuracy, and MACs."""
        return (Objective("accuracy"), Objective("macs", "min", "MACs"))

    @property
    def scores(self) -> Sequence[str]:
        """See `SystemTask.scores`."""
        return ("accuracy", "loss")

    @cached_property
    def halves(self) -> tuple[Split, Split]:
        """Two halves of the training split: for weights and for the architecture."""
        return halves(self.data.train, self.settings.seed)

    @property
    def padding(self) -> int:
        """Pixels around images from which training crops are taken: 4 of 32."""
        return self.data.image_size // 8

    @property
    def calibration(self) -> Calibration:
        """On the first training images of every class."""
        return Calibration(
            batches=self._calibration_batches,
            forward=lambda network, images: network(images.to(next(network.parameters()).device)),
        )

    def _calibration_batches(self, batches: int, batch: int) -> list[Tensor]:
        """Every batch takes images from all over the split: folders list one class after the other."""
        chosen = self.data.train.head(batches * batch)
        spread = torch.cat([torch.arange(first, len(chosen), batches) for first in range(batches)])
        return [images for images, _ in ordered(chosen.part(spread, chosen.name), batch)]

    def metrics(self, network: nn.Module, split: SplitName, limit: int | None = None) -> dict[str, float]:
        """Share of images whose class is found (0..1), and mean cross-entropy."""
        chosen = self.data.scored(split, limit)
        right, loss = 0, 0.0
        for scores, labels in self._scores(network, chosen):
            right += int((scores.argmax(1) == labels).sum())
            loss += float(F.cross_entropy(scores.double(), labels, reduction="sum"))
        return {"accuracy": right / len(chosen), "loss": loss / len(chosen)}

    def pictures(self, network: nn.Module, folder: Path, count: int) -> list[dict[str, str]]:
        """Test images with their true class and the one found."""
        split = self.data.test.head(count)
        found = [scores.softmax(1) for scores, _ in self._scores(network, split)]
        return draw_predictions(split, torch.cat(found) if found else torch.zeros(0, len(split.classes)), folder)

    def _scores(self, network: nn.Module, split: Split) -> list[tuple[Tensor, Tensor]]:
        """Class scores and labels of all images of a split, batch by batch."""
        device = next(network.parameters()).device
        with torch.no_grad():
            return [(network(images.to(device)).detach().cpu(), labels) for images, labels in ordered(split, EVAL_BATCH)]


def enough(split: Split, name: str, phase: PhaseSettings) -> None:
    """Refuses a split that does not fill one batch of a phase.

    Raises:
        UserError: names the setting.
    """
    if len(split) < phase.batch:
        raise UserError(
            f"{name}.batch={phase.batch}: {split.name} has {len(split)} images; give more images or {name}.batch={len(split)}"
        )
