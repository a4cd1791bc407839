"""What is put on a backbone to make it a detector, as plain data.

A head here is everything after the backbone: feature pyramid, dense head, second stage, and how raw outputs become
boxes. `detection.mm.detector` builds it. `PAPER_RETINANET` and `PAPER_FASTER_RCNN` are the settings of DetNAS
(arXiv 1903.10979); `SMALL_RETINANET` and `SMALL_FASTER_RCNN` read 64x64 scenes on one CPU thread.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from common.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Pixels:
    """How uint8 RGB pixels become the numbers a backbone sees: `(pixel - mean) / std`, in the given channel order."""

    order: Literal["rgb", "bgr"] = "rgb"
    """Order of the channels after conversion; `mean` and `std` are in this order."""
    mean: tuple[float, float, float] = (123.675, 116.28, 103.53)
    """Subtracted, on the scale 0..255."""
    std: tuple[float, float, float] = (58.395, 57.12, 57.375)
    """Divided by, on the scale 0..255."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Postprocess:
    """How scored boxes become detections."""

    score_threshold: float = 0.05
    """Boxes scored lower are dropped."""
    nms_iou: float = 0.5
    """Of two boxes of one class that overlap by more than this, the lower scored one is dropped."""
    before_nms: int = 1000
    """Most candidates kept in a pyramid level (RetinaNet only)."""
    per_image: int = 100
    """Most detections in an image."""
    soft_sigma: float | None = None
    """Soft-NMS (arXiv 1704.04503) in the place of `nms_iou`: the score of a box that overlaps a better one of its class is
    multiplied by exp(-overlap**2 / soft_sigma)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetinaNet:
    """RetinaNet (arXiv 1708.02002): feature pyramid and a dense head with focal loss.

    Pyramid strides beyond the backbone's last are stride-2 convolutions on the level before.
    """

    strides: tuple[int, ...] = (8, 16, 32, 64, 128)
    """Strides of the pyramid levels that the head reads, each twice the one before."""
    anchor_sizes: tuple[float, ...] = (32, 64, 128, 256, 512)
    """Side of the smallest square anchor on each level, in pixels."""
    scales_per_octave: int = 3
    """Anchor sizes a level: size * 2 ** (i / scales_per_octave)."""
    ratios: tuple[float, ...] = (0.5, 1.0, 2.0)
    """Height / width of the anchors."""
    neck_channels: int = 256
    """Channels of the pyramid and of the head's convolutions."""
    neck_norm: bool = True
    """BatchNorm (and no bias) in the pyramid's convolutions."""
    stacked_convs: int = 4
    """3x3 convolutions before the two output layers, shared by all levels."""
    head_norm: Literal["none", "separate"] = "none"
    """BatchNorm in the head: none, or with statistics and weights of its own for every level."""
    positive_iou: float = 0.5
    """An anchor that overlaps an object by this much is positive; so is every object's best anchor."""
    negative_iou: float = 0.4
    """An anchor that overlaps every object by less is background; between the two it is ignored."""
    box_beta: float = 0.11
    """Where the smooth L1 box loss turns from quadratic to linear."""
    pixels: Pixels = Pixels()
    postprocess: Postprocess = Postprocess()


@dataclass(frozen=True, slots=True, kw_only=True)
class FasterRCNN:
    """Faster R-CNN with a feature pyramid (arXiv 1506.01497, 1612.03144) and a convolutional box head.

    Pyramid strides beyond the backbone's last are subsampled from the level before, for the proposals only.
    """

    strides: tuple[int, ...] = (4, 8, 16, 32, 64)
    """Strides of the pyramid levels that propose, each twice the one before."""
    anchor_sizes: tuple[float, ...] = (32, 64, 128, 256, 512)
    """Side of the square anchor on each level, in pixels."""
    ratios: tuple[float, ...] = (0.5, 1.0, 2.0)
    """Height / width of the anchors."""
    neck_channels: int = 256
    """Channels of the pyramid and of the box head's convolutions."""
    neck_norm: bool = True
    """BatchNorm (and no bias) in the pyramid's convolutions."""
    box_convs: int = 4
    """3x3 convolutions of the box head, each with BatchNorm."""
    box_features: int = 1024
    """Outputs of the box head's linear layer."""
    roi_size: int = 7
    """Side of the feature patch cut out for a proposal, in cells."""
    train_proposals: int = 2000
    """Proposals kept in an image while training."""
    test_proposals: int = 1000
    """Proposals kept in an image while predicting; the number that cost is counted for."""
    anchor_samples: int = 256
    """Anchors of an image that enter the proposal loss, at most half of them positive."""
    box_samples: int = 512
    """Proposals of an image that enter the box loss, at most a quarter of them positive."""
    pixels: Pixels = Pixels()
    postprocess: Postprocess = Postprocess()


@dataclass(frozen=True, slots=True, kw_only=True)
class EfficientHead:
    """Class and box nets of EfficientDet (arXiv 1911.09070; numbers of the official code), with focal loss and Huber loss.

    Losses are divided by the number of positive anchors and one, as in the official code.
    """

    strides: tuple[int, ...] = (8, 16, 32, 64, 128)
    """Strides of the pyramid levels that the head reads, each twice the one before."""
    anchor_scale: float = 4.0
    """Side of the smallest square anchor on a level, in strides."""
    scales_per_octave: int = 3
    """Anchor sizes a level: anchor_scale * stride * 2 ** (i / scales_per_octave)."""
    sides: tuple[tuple[float, float], ...] = ((1.0, 1.0), (1.4, 0.7), (0.7, 1.4))
    """Width and height of the anchors, as multiples of the size."""
    neck_channels: int = 64
    """Channels of the pyramid and of the head's convolutions."""
    depth: int = 3
    """Separable 3x3 convolutions before the last one, shared by all levels; each level has BatchNorm of its own."""
    positive_iou: float = 0.5
    """An anchor that overlaps an object by this much is positive; so is every object's best anchor. Others are background."""
    alpha: float = 0.25
    """Of the focal loss."""
    gamma: float = 1.5
    """Of the focal loss."""
    box_delta: float = 0.1
    """Where the Huber loss of the boxes turns from quadratic to linear."""
    box_weight: float = 50.0
    """Factor of the box loss."""
    pixels: Pixels = Pixels()
    postprocess: Postprocess = Postprocess(score_threshold=0.0, before_nms=5000, soft_sigma=0.5)


WithPyramid = RetinaNet | FasterRCNN
"""Heads that bring a feature pyramid of their own."""
Head = WithPyramid | EfficientHead

_RAW_BGR = Pixels(order="bgr", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
PAPER_RETINANET = RetinaNet(pixels=_RAW_BGR)
PAPER_FASTER_RCNN = FasterRCNN(pixels=_RAW_BGR)
SMALL_RETINANET = RetinaNet(
    strides=(8, 16),
    anchor_sizes=(24, 32),
    scales_per_octave=1,
    ratios=(1.0,),
    neck_channels=32,
    stacked_convs=1,
    head_norm="separate",
)

SMALL_FASTER_RCNN = FasterRCNN(
    strides=(8, 16),
    anchor_sizes=(24, 32),
    ratios=(1.0,),
    neck_channels=32,
    box_convs=1,
    box_features=128,
    train_proposals=200,
    test_proposals=50,
    anchor_samples=64,
    box_samples=64,
)


def checked(head: Head, backbone_strides: Sequence[int]) -> None:
    """Refuse a head that does not fit the maps a backbone returns.

    Args:
        head: the description.
        backbone_strides: strides of the backbone's maps, ascending.

    Raises:
        UserError: strides that do not double, one anchor size short or over, a level missing in the backbone, or a
            last map that the head never reads (its layers would be dead weights to search over).
    """
    strides = head.strides
    if any(b != 2 * a for a, b in itertools.pairwise(strides)):
        raise UserError(f"head strides {strides}: each must be twice the one before; give e.g. (8, 16, 32)")
    if not isinstance(head, EfficientHead) and len(head.anchor_sizes) != len(strides):
        raise UserError(f"head anchor_sizes {head.anchor_sizes}: {len(strides)} levels need as many sizes; give one for each")
    if strides[0] not in backbone_strides:
        raise UserError(
            f"head stride {strides[0]}: the backbone's maps have strides {tuple(backbone_strides)}; begin at one of them"
        )
    if backbone_strides[-1] > strides[-1]:
        raise UserError(
            f"backbone map of stride {backbone_strides[-1]}: the head reads strides {strides} only;"
            " end the backbone there or add levels to the head"
        )
