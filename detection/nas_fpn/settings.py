"""A NAS-FPN run as plain data. No torch here: `--help` reads it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from common.errors import UserError
from common.evaluate.settings import ProxySettings
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
    """A file of torchvision's or timm's weights that the backbone begins with, in the place of `retrain_pretrain`."""
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
        if self.backbone_weights is not None and self.retrain_pretrain.steps:
            raise UserError(
                f"backbone_weights and retrain_pretrain.steps={self.retrain_pretrain.steps}: the backbone would learn to "
                "classify once more; set retrain_pretrain.steps=0"
            )
        self._check_proxy()
        self.pyramid.under(self.head)

    def _check_proxy(self) -> None:
        """Refuses a proxy whose backbone is another one than that of the weights."""
        evaluation = self.search.evaluation
        changed = evaluation.overrides if isinstance(evaluation, ProxySettings) else ()
        names = {override.partition("=")[0] for override in changed}
        if self.backbone_weights is not None and "backbone" in names and "backbone_weights" not in names:
            raise UserError(
                f"backbone_weights={self.backbone_weights}: candidates have another backbone (search.evaluation.overrides); add "
                "backbone_weights=null, or a file of its weights, to the overrides"
            )

    def finished(self) -> Settings:
        """See `RunSettings.finished`: a backbone of a finished run has its weights from the run."""
        return replace(self, backbone_weights=None)
