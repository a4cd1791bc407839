"""The phases that train a DetNAS network: classification of single objects, then detection (paper section 3.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.stages.settings import PhaseSettings
from common.streams import derive
from detection import mm
from detection.data import Batch, Split, batch_at
from detection.detnas.model import DetNASClassifier
from detection.detnas.warm_start import inherit_from_baseline

if TYPE_CHECKING:
    from detection.detnas.classification import Images
    from detection.mm import Detector


@dataclass(frozen=True, slots=True, kw_only=True)
class Classify:
    """Classification with the detector's own backbone, under a classifier that is thrown away afterwards.

    Pixels are normalised as the detector does it: the conventions of both phases must match (spec, pitfalls).

    Attributes:
        name: of the phase.
        settings: steps, batch size, optimiser.
        images: gives the batch of a step.
        last: channels of the classifier's 1x1 convolution.
        label_smoothing: of the loss; 0.1 in the paper.
        dropout: before the linear layer; 0.2 in the paper's code.
        spread: after the phase, copy the baseline path's weights into its siblings.
    """

    name: str
    settings: PhaseSettings
    images: Callable[[], Images]
    last: int
    label_smoothing: float
    dropout: float
    spread: bool = False

    def wrap(self, network: nn.Module, seed: int) -> nn.Module:
        """A classifier on the network's backbone."""
        detector: Detector = network  # pyright: ignore[reportAssignmentType]
        with torch.random.fork_rng([]):
            torch.default_generator.manual_seed(derive(seed, "classifier"))
            model = DetNASClassifier(detector.backbone, self.last, self.images().classes, self.dropout)  # pyright: ignore[reportArgumentType]
        return _Normalised(model, detector)

    def batch_at(self, step: int, seed: int) -> tuple[Tensor, Tensor]:
        """Images (n, 3, s, s) uint8 and labels (n,)."""
        return self.images().batch_at(step, self.settings.batch, seed, self.name)

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> Mapping[str, Tensor]:
        """Cross-entropy with smoothed labels, and the accuracy to look at."""
        images, labels = batch
        scores = model(images)
        accuracy = (scores.argmax(1) == labels).float().mean()
        return {"loss": F.cross_entropy(scores, labels, label_smoothing=self.label_smoothing), "accuracy": accuracy}

    def finish(self, network: nn.Module, model: nn.Module) -> None:
        """Spreads the trained path's weights, if asked to."""
        if self.spread:
            inherit_from_baseline(network)


class _Normalised(nn.Module):
    """A classifier that takes uint8 pixels and normalises them as its detector does."""

    def __init__(self, classifier: DetNASClassifier, detector: Detector) -> None:
        super().__init__()
        self.classifier = classifier
        self._normalise = detector.normalised  # a bound method: the detector is no part of this module

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self._normalise(images))


@dataclass(frozen=True, slots=True, kw_only=True)
class Detect:
    """Detection on the training split.

    Attributes:
        name: of the phase.
        settings: steps, batch size, optimiser.
        split: to train on.
        flip: flip images left-right at random.
    """

    name: str
    settings: PhaseSettings
    split: Split
    flip: bool

    def wrap(self, network: nn.Module, seed: int) -> nn.Module:
        """The detector itself."""
        return network

    def batch_at(self, step: int, seed: int) -> tuple[Batch, int]:
        """The step's images, and the seed of what mmdet samples in it."""
        return batch_at(self.split, step, self.settings.batch, seed, self.name, self.flip), derive(seed, "samplers", step)

    def loss(self, model: nn.Module, batch: Any) -> Mapping[str, Tensor]:
        """mmdet's loss terms."""
        images, seed = batch
        detector: Detector = model  # pyright: ignore[reportAssignmentType]
        device = detector.mean.device
        boxes, labels = [b.to(device) for b in images.boxes], [c.to(device) for c in images.labels]
        return mm.losses(detector, images.images.to(device), boxes, labels, seed=seed)

    def finish(self, network: nn.Module, model: nn.Module) -> None:
        """Nothing is left to do."""
