"""How segmentation networks are trained: cross-entropy over the pixels of augmented pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor, nn

from common.network_phase import NetworkPhase
from common.train.step import Step
from segmentation import mm
from segmentation.data import Augmentation, Split, batch_at

if TYPE_CHECKING:
    from segmentation.mm import Segmentor


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment(NetworkPhase):
    """Training on one split.

    Attributes:
        split: to draw batches from.
        augmentation: how pictures are varied.
    """

    split: Split
    augmentation: Augmentation

    def batch_at(self, step: int, seed: int) -> tuple[Tensor, Tensor]:
        """Pictures (n, 3, h, w) uint8 and the class of each pixel (n, h, w)."""
        batch = batch_at(self.split, step, self.settings.batch, seed, self.name, self.augmentation)
        return batch.images, batch.labels

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor], step: Step) -> Mapping[str, Tensor]:
        """mmseg's loss terms."""
        segmentor: Segmentor = model  # pyright: ignore[reportAssignmentType]
        return mm.losses(segmentor, *batch)
