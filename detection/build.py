"""The module of a detector's description."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from common.cost.conventions import conv_linear
from common.cost.costs import Counted
from common.errors import UserError
from common.space import Arch, decode
from common.task import unchanged
from detection import mm
from detection.backbones.modules import backbone
from detection.description import DetectorNet
from detection.layers import set_momentum
from detection.necks.modules import neck


def build(net: DetectorNet, seed: int = 0) -> mm.Detector:
    """The detector of a description, open or settled; weights are a function of `seed`.

    Raises:
        UserError: the parts do not fit each other.
    """
    devices: list[int] = []
    with torch.random.fork_rng(devices):
        torch.default_generator.manual_seed(seed)
        body = backbone(net.backbone, net.head.strides[0])
        pyramid = None
        if net.neck is not None:
            if net.neck.width != net.head.neck_channels:
                raise UserError(f"neck of {net.neck.width} channels: the head reads {net.head.neck_channels}; give both the same")
            pyramid = neck(net.neck, body.channels, body.strides)
            strides = tuple(2**level for level in net.neck.levels)
            if strides != net.head.strides:
                raise UserError(f"neck of strides {strides}: the head reads {net.head.strides}; give both the same")
        detector = mm.build(
            body,
            net.head,
            in_channels=body.channels,
            strides=body.strides,
            classes=net.classes,
            neck=pyramid,
            side=net.side,
            seed=seed,
        )
    set_momentum(detector, net.momentum)
    return detector


def fast(net: DetectorNet, seed: int) -> mm.Detector:
    """`build` with convolutions in channels-last order, a third faster on a CPU."""
    return build(net, seed).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def costs(space: Any, baseline: Arch, canvas: tuple[int, int], detector: Callable[[Any], DetectorNet] = unchanged) -> Counted:
    """What the detectors of a space cost, by counting each: for spaces whose costs are no sums over decisions.

    Args:
        space: open description.
        baseline: one of its architectures.
        canvas: height and width of the images, in pixels.
        detector: gives the detector of a settled description.
    """
    image = (1, 3, *canvas)
    return Counted(
        lambda arch: build(detector(decode(space, arch))),
        lambda: (torch.empty(image, dtype=torch.uint8),),
        lambda: baseline,
        conv_linear,
    )
