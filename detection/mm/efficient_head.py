"""EfficientDet's head and anchors as mmdet has heads: mmdet assigns, codes and scores, the two nets are ours.

Importing this imports mmdet; it is imported where a configuration is written.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from mmdet.models.dense_heads import AnchorHead
from mmdet.models.task_modules import AnchorGenerator
from torch import Tensor

from detection.towers import Tower


class Anchors(AnchorGenerator):
    """Anchors around the middle of each cell, sizes before shapes, as in the official code of EfficientDet."""

    def __init__(
        self, strides: Sequence[int], scale: float, scales_per_octave: int, sides: Sequence[tuple[float, float]]
    ) -> None:
        """Makes the generator; see `detection.heads.EfficientHead` for the numbers."""
        self._sizes = [scale * 2 ** (i / scales_per_octave) for i in range(scales_per_octave)]
        self._sides = tuple(sides)
        ratios = [height / width for width, height in sides]
        super().__init__(list(strides), ratios, self._sizes, list(strides))  # pyright: ignore[reportArgumentType]  # floats do

    def gen_single_level_base_anchors(self, base_size: float, scales: Any, ratios: Any, center: Any = None) -> Tensor:
        """Boxes (x1, y1, x2, y2) of the first cell of a level whose stride is `base_size`."""
        middle = base_size / 2
        halves = [(size * base_size * w / 2, size * base_size * h / 2) for size in self._sizes for w, h in self._sides]
        return torch.tensor([(middle - w, middle - h, middle + w, middle + h) for w, h in halves])


class EfficientDetHead(AnchorHead):
    """Two towers over the pyramid: class scores and box numbers of every anchor."""

    def __init__(
        self,
        depth: int,
        num_classes: int,
        in_channels: int,
        feat_channels: int,
        anchor_generator: dict[str, Any],
        bbox_coder: dict[str, Any],
        loss_cls: dict[str, Any],
        loss_bbox: dict[str, Any],
        train_cfg: Any,
        test_cfg: Any,
    ) -> None:
        """Makes the head; all but `depth`, the convolutions before the last, is as in mmdet's `AnchorHead`."""
        self.depth = depth
        super().__init__(
            num_classes=num_classes,
            in_channels=in_channels,
            feat_channels=feat_channels,
            anchor_generator=anchor_generator,
            bbox_coder=bbox_coder,
            loss_cls=loss_cls,
            loss_bbox=loss_bbox,
            train_cfg=train_cfg,
            test_cfg=test_cfg,
            init_cfg=None,  # else biases become 0
        )

    def _init_layers(self) -> None:
        levels, anchors = len(self.prior_generator.strides), self.num_base_priors
        background = -math.log((1 - 0.01) / 0.01)  # a class has the probability 0.01 at first
        self.class_net = Tower(self.in_channels, self.depth, levels, anchors * self.cls_out_channels, background)
        self.box_net = Tower(self.in_channels, self.depth, levels, anchors * 4)

    def forward(self, x: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Class scores and box numbers of each level."""
        return self.class_net(x), self.box_net(x)
