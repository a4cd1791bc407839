"""How classifiers are trained: cross-entropy on augmented images, drop-path and a second classifier if there is one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from classification.data import Augment, Split, batch_at
from common.network_phase import NetworkPhase
from common.train.step import Step

Batch = tuple[Tensor, Tensor]
"""Images (n, 3, size, size) normalised, and labels (n,)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Classify(NetworkPhase):
    """Training on one split with cross-entropy.

    Attributes:
        split: to draw batches from.
        augment: how images are varied.
        drop_path: probability at the end of training that a sample is dropped on an edge; it rises linearly from 0.
        set_drop_path: (network, probability) -> sets it; needed where `drop_path` is above 0.
        auxiliary: weight of the second classifier's loss, where the network has one.
        curriculum: other splits to draw batches from until a share of the training is done: (share, split), ascending.
        set_rates: (network, progress) -> sets what else changes as the training goes on.
    """

    split: Split
    augment: Augment
    drop_path: float = 0.0
    set_drop_path: Callable[[nn.Module, float], None] | None = None
    auxiliary: float = 0.0
    curriculum: Sequence[tuple[float, Split]] = ()
    set_rates: Callable[[nn.Module, float], None] | None = None

    def batch_at(self, step: int, seed: int) -> Batch:
        """The step's images and labels."""
        early = (split for until, split in self.curriculum if step < round(until * self.settings.steps))
        return batch_at(next(early, self.split), step, self.settings.batch, seed, self.name, self.augment)

    def loss(self, model: nn.Module, batch: Batch, step: Step) -> Mapping[str, Tensor]:
        """Cross-entropy of the network and of its second classifier, and the accuracy to look at."""
        if self.drop_path and self.set_drop_path is not None:
            self.set_drop_path(model, self.drop_path * step.progress)
        if self.set_rates is not None:
            self.set_rates(model, step.progress)
        return self.terms(model(batch[0]), batch)

    def terms(self, scores: Any, batch: Batch) -> Mapping[str, Tensor]:
        """The same of class scores, or of those of both classifiers."""
        labels = batch[1]
        beside: dict[str, Tensor] = {}
        if isinstance(scores, tuple):
            scores, auxiliary = scores
            beside["auxiliary_loss"] = self.auxiliary * F.cross_entropy(auxiliary, labels)
        accuracy = (scores.detach().argmax(1) == labels).float().mean()
        return {**self.score_losses(scores, batch), **beside, "accuracy": accuracy}

    def score_losses(self, scores: Tensor, batch: Batch) -> Mapping[str, Tensor]:
        """Loss terms of the network's class scores: their cross-entropy; a subclass may compare them with something else."""
        return {"class_loss": F.cross_entropy(scores, batch[1])}
