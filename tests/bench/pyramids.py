"""Pyramids beside those of the packages that others use: a forward and a backward pass, in turns, in one process."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from unittest.mock import patch

import torch
from torch import Tensor, nn

from detection import mm
from detection.necks.layered import BiFPN, BiFPNLayer
from detection.necks.merges import NASFPN, PUBLISHED
from detection.necks.modules import neck
from tests.bench.rows import Row
from tests.bench.timing import ratios


def maps(side: int, channels: Sequence[int]) -> list[Tensor]:
    """A backbone's maps of strides 8, 16 and 32 for one image."""
    rng = torch.Generator().manual_seed(0)
    return [
        torch.randn(1, c, side // stride, side // stride, generator=rng) for c, stride in zip(channels, (8, 16, 32), strict=True)
    ]


def compared(what: str, ours: nn.Module, theirs: nn.Module, inputs: Sequence[Tensor], repeats: int, note: str) -> Row:
    """Time of ours over theirs."""

    def step(module: nn.Module) -> None:
        torch.stack([out.mean() for out in module(list(inputs))]).sum().backward()

    def without_gradients() -> None:
        for module in (ours, theirs):
            module.zero_grad(set_to_none=True)

    ours.train()
    theirs.train()
    found = ratios(lambda: step(ours), lambda: step(theirs), repeats, warm_up=2, before=without_gradients)
    return Row(what=what, unit="", target=1.03, values=found, note=note)


def bifpn(repeats: int) -> Row | None:
    """EfficientDet-D0's pyramid at 512 pixels beside effdet's; None where effdet is not installed."""
    try:
        with warnings.catch_warnings(), patch("torch.jit.script", lambda function: function):
            warnings.simplefilter("ignore")
            import effdet
    except ImportError:
        return None
    config = effdet.get_efficientdet_config("tf_efficientdet_d0")
    theirs = effdet.EfficientDet(config, pretrained_backbone=False).fpn
    ours = neck(BiFPN(width=64, layers=(BiFPNLayer(),) * 3), (40, 112, 320), (8, 16, 32))
    return compared(
        "BiFPN of EfficientDet-D0 / effdet's",
        ours,
        theirs,
        maps(512, (40, 112, 320)),
        repeats,
        "forward and backward in training mode, one image of 512 px, processor time, one thread, the ratio of each pair.",
    )


def nas_fpn(repeats: int) -> Row:
    """NAS-FPN's pyramid as mmdetection has it, beside mmdetection's."""
    mm.prepare()
    from mmdet.models.necks import NASFPN as Theirs

    channels = (512, 1024, 2048)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # mmdetection's convolutions have a bias before BatchNorm
        theirs = Theirs(in_channels=list(channels), out_channels=256, num_outs=5, stack_times=7, norm_cfg={"type": "BN"})
    ours = neck(NASFPN(wiring=PUBLISHED, gate="fine-mean"), channels, (8, 16, 32))
    return compared(
        "NAS-FPN 7@256 / mmdetection's",
        ours,
        theirs,
        maps(256, channels),
        repeats,
        "the same of the neck alone, mmdetection's rule of attention, one image of 256 px.",
    )
