"""How DetNAS trains (paper, section 3.1): classification over paths of the supernet, then detection; alone likewise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import nn

from common.stages.settings import PhaseSettings
from detection.backbones.shufflenet import ShuffleNetBackbone
from detection.detnas.model import DetNASClassifier
from detection.detnas.settings import Settings
from detection.detnas.space import SIZES
from detection.detnas.warm_start import inherit_from_baseline
from detection.phases import Classify, Detect

if TYPE_CHECKING:
    from common.task import Kind, Phase
    from detection.task import DetectionTask


def phases(task: DetectionTask, kind: Kind) -> Sequence[Phase]:
    """Warm-up and pre-training on single objects, where there are several classes of them, then detection."""
    s: Settings = task.settings

    def classifier(backbone: nn.Module, classes: int) -> nn.Module:
        assert isinstance(backbone, ShuffleNetBackbone)
        return DetNASClassifier(backbone, SIZES[s.space].last, classes, s.dropout)

    def classify(name: str, settings: PhaseSettings) -> Classify:
        return Classify(
            name=name,
            settings=settings,
            images=lambda: task.images,
            classifier=classifier,
            label_smoothing=s.label_smoothing,
            after=inherit_from_baseline if name == "warm-up" else None,
        )

    def detect(settings: PhaseSettings) -> Detect:
        return Detect(name="detect", settings=settings, split=task.data.train, flip=task.flip)

    match kind:
        case "supernet":
            first = [classify("warm-up", s.warm_up), classify("pretrain", s.pretrain)]
            return [*(first if task.classifies else []), detect(s.detect)]
        case "standalone":
            return [*([classify("pretrain", s.retrain_pretrain)] if task.classifies else []), detect(s.retrain_detect)]
        case "relaxed":
            return []
