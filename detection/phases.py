"""The phases that train a detector: classification of single objects with its backbone, and detection."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.network_phase import NetworkPhase
from common.streams import derive
from common.train.step import Step
from detection import mm
from detection.data import Batch, Split, batch_at

if TYPE_CHECKING:
    from common.task import Kind, Phase
    from detection.data.classification import Images
    from detection.mm import Detector
    from detection.task import DetectionTask


@dataclass(frozen=True, slots=True, kw_only=True)
class Classify(NetworkPhase):
    """Classification with the detector's own backbone, under a classifier that is thrown away afterwards.

    Pixels are normalised as the detector does it: both phases must see pixels of the same scale.

    Attributes:
        images: gives the batch of a step.
        classifier: (backbone, classes) -> a classifier around the backbone, its initial weights from torch's global generator.
        label_smoothing: of the loss.
        after: what is done to the network after the last step; None: nothing.
    """

    images: Callable[[], Images]
    classifier: Callable[[nn.Module, int], nn.Module]
    label_smoothing: float
    after: Callable[[nn.Module], None] | None = None

    def wrap(self, network: nn.Module, seed: int) -> nn.Module:
        """A classifier on the network's backbone."""
        detector: Detector = network  # pyright: ignore[reportAssignmentType]
        with torch.random.fork_rng([]):
            torch.default_generator.manual_seed(derive(seed, "classifier"))
            model = self.classifier(detector.backbone, self.images().classes)
        return _Normalised(model, detector)

    def batch_at(self, step: int, seed: int) -> tuple[Tensor, Tensor]:
        """Images (n, 3, s, s) uint8 and labels (n,)."""
        return self.images().batch_at(step, self.settings.batch, seed, self.name)

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor], step: Step) -> Mapping[str, Tensor]:
        """Cross-entropy with smoothed labels, and the accuracy to look at."""
        images, labels = batch
        scores = model(images)
        accuracy = (scores.argmax(1) == labels).float().mean()
        return {"loss": F.cross_entropy(scores, labels, label_smoothing=self.label_smoothing), "accuracy": accuracy}

    def finish(self, network: nn.Module, model: nn.Module) -> None:
        """Does what `after` says."""
        if self.after is not None:
            self.after(network)


class Pooled(nn.Module):
    """A classifier on any backbone: the means of its last map, then a linear layer."""

    def __init__(self, backbone: nn.Module, classes: int) -> None:
        """Puts the classifier on `backbone`, which is used as it is."""
        super().__init__()
        self.backbone = backbone
        self.linear = nn.Linear(backbone.channels[-1], classes)  # pyright: ignore[reportArgumentType, reportIndexIssue]

    def forward(self, x: Tensor) -> Tensor:
        """Class scores of normalised images."""
        return self.linear(self.backbone(x)[-1].mean((2, 3)))


class _Normalised(nn.Module):
    """A classifier that takes uint8 pixels and normalises them as its detector does."""

    def __init__(self, classifier: nn.Module, detector: Detector) -> None:
        super().__init__()
        self.classifier = classifier
        self._normalise = detector.normalised  # a bound method: the detector is no part of this module

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self._normalise(images))


@dataclass(frozen=True, slots=True, kw_only=True)
class Detect(NetworkPhase):
    """Detection on the training split.

    Attributes:
        split: to train on.
        flip: flip images left-right at random.
    """

    split: Split
    flip: bool

    def batch_at(self, step: int, seed: int) -> Batch:
        """The step's images, with boxes and labels."""
        return batch_at(self.split, step, self.settings.batch, seed, self.name, self.flip)

    def loss(self, model: nn.Module, batch: Batch, step: Step) -> Mapping[str, Tensor]:
        """mmdet's loss terms."""
        detector: Detector = model  # pyright: ignore[reportAssignmentType]
        device = detector.mean.device
        boxes, labels = [b.to(device) for b in batch.boxes], [c.to(device) for c in batch.labels]
        seed = derive(step.seed, "samplers", step.number)  # of what mmdet samples
        return mm.losses(detector, batch.images.to(device), boxes, labels, seed=seed)


def alone(task: DetectionTask, kind: Kind) -> Sequence[Phase]:
    """Of systems without a supernet: classification of single objects, where there are several classes, then detection.

    Their settings have `retrain_pretrain`, `retrain_detect` and `label_smoothing`.
    """
    if kind != "standalone":
        return []
    s = task.settings
    classify = Classify(
        name="pretrain",
        settings=s.retrain_pretrain,
        images=lambda: task.images,
        classifier=Pooled,
        label_smoothing=s.label_smoothing,
    )
    detect = Detect(name="detect", settings=s.retrain_detect, split=task.data.train, flip=task.flip)
    return [*([classify] if task.classifies else []), detect]
