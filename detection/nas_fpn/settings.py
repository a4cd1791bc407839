"""A NAS-FPN run as plain data. No torch here: `--help` reads it."""

from __future__ import annotations

from dataclasses import dataclass

from common.errors import UserError
from detection.heads import RetinaNet
from detection.necks.settings import PyramidSettings
from detection.settings import AloneSettings

BACKBONES = ("shufflenet-tiny", "resnet-10", "resnet-18", "resnet-34", "resnet-50", "resnet-101")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(AloneSettings):
    """Everything that decides what a run computes."""

    backbone: str
    """What the pyramid stands on: shufflenet-tiny, resnet-10 to resnet-101, or timm:NAME for a network of timm."""
    backbone_weights: str | None = None
    """A file of torchvision's or timm's weights that the backbone begins with; with it, `retrain_pretrain.steps=0` is meant."""
    pyramid: PyramidSettings
    head: RetinaNet
    """Anchors, losses and post-processing; strides and channels are the pyramid's."""

    def __post_init__(self) -> None:
        """Checks what can be checked without data.

        Raises:
            UserError: an unknown backbone or budget, or a number out of range.
        """
        AloneSettings.__post_init__(self)  # not super(): slots make the class anew
        if self.backbone not in BACKBONES and not self.backbone.startswith("timm:"):
            raise UserError(f"backbone {self.backbone!r} does not exist; choose one of {', '.join(BACKBONES)}, or timm:NAME")
        if self.backbone_weights is not None and self.backbone == "shufflenet-tiny":
            raise UserError("backbone_weights: nobody has published weights of shufflenet-tiny; choose a resnet or timm:NAME")
        self.pyramid.under(self.head)
