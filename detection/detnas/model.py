"""DetNAS's networks: one build for standalone networks and supernets (paper section 3.2; blocks as in the official code).

Blocks follow ShuffleNetV2 (Ma et al., 2018). Two channel shuffles are in use and are not the same permutation; this is the
even/odd split of the release: even channels pass, odd ones go through the main branch.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from common.cost.conventions import conv_linear
from common.cost.costs import Entry
from common.cost.price import Price
from common.space import Arch
from common.supernet import choose, opened
from detection.detnas.space import Backbone, Classifier, DetectorNet, Stage


def _norm_relu(width: int) -> list[tuple[str, nn.Module]]:
    return [("norm", nn.BatchNorm2d(width)), ("relu", nn.ReLU(inplace=True))]


def _named(*parts: tuple[str, nn.Module]) -> nn.Sequential:
    chain = nn.Sequential()
    for name, part in parts:
        chain.add_module(name, part)
    return chain


def _pointwise(c_in: int, c_out: int) -> nn.Sequential:
    return _named(("conv", nn.Conv2d(c_in, c_out, 1, bias=False)), *_norm_relu(c_out))


def _depthwise(width: int, kernel: int, stride: int) -> nn.Sequential:
    conv = nn.Conv2d(width, width, kernel, stride, kernel // 2, groups=width, bias=False)
    return _named(("conv", conv), ("norm", nn.BatchNorm2d(width)))


class Block(nn.Module):
    """One of the four blocks; at stride 1 half of the channels pass untouched, at stride 2 a projection takes their place."""

    def __init__(self, kind: str, c_in: int, c_out: int, stride: int) -> None:
        """Makes a block.

        Args:
            kind: one of `KINDS`.
            c_in: input channels; equal to `c_out` at stride 1.
            c_out: output channels, even.
            stride: 1 or 2.
        """
        super().__init__()
        self.stride = stride
        mid = c_out // 2
        first = c_in if stride == 2 else c_in // 2
        kernel = 3 if kind == "xception3" else int(kind[-1])
        if kind == "xception3":
            self.main = _named(
                ("first", _depthwise(first, 3, stride)),
                ("reduce", _pointwise(first, mid)),
                ("depthwise", _depthwise(mid, 3, 1)),
                ("between", _pointwise(mid, mid)),
                ("third", _depthwise(mid, 3, 1)),
                ("expand", _pointwise(mid, c_out - first)),
            )
        else:
            self.main = _named(
                ("reduce", _pointwise(first, mid)),
                ("depthwise", _depthwise(mid, kernel, stride)),
                ("expand", _pointwise(mid, c_out - first)),
            )
        if stride == 2:
            self.project = _named(("depthwise", _depthwise(c_in, kernel, 2)), ("expand", _pointwise(c_in, c_in)))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d i j"]:
        """The block's map."""
        if self.stride == 2:
            return torch.cat((self.project(x), self.main(x)), 1)
        return torch.cat((x[:, 0::2], self.main(x[:, 1::2])), 1)


def _stage(stage: Stage, c_in: int) -> nn.Sequential:
    blocks = []
    for i, kind in enumerate(stage.blocks):
        width, stride = (c_in, 2) if i == 0 else (stage.width, 1)
        blocks.append(choose(kind, lambda k, w=width, s=stride: Block(k, w, stage.width, s)))
    return nn.Sequential(*blocks)


class DetNASBackbone(nn.Module):
    """The backbone of a description, open or settled.

    Attributes:
        channels: of the maps returned.
        strides: of the maps returned.
    """

    def __init__(self, net: Backbone, first_stage: int = 0) -> None:
        """Makes the backbone.

        Args:
            net: open or settled.
            first_stage: maps of stages before this one are not returned.
        """
        super().__init__()
        self.first_stage = first_stage
        self.stem = _named(("conv", nn.Conv2d(3, net.stem, 3, 2, 1)), *_norm_relu(net.stem))
        widths = [net.stem, *(stage.width for stage in net.stages)]
        self.stages = nn.ModuleList(_stage(stage, c_in) for stage, c_in in zip(net.stages, widths, strict=False))
        self.channels = tuple(widths[first_stage + 1 :])
        self.strides = tuple(4 * 2**i for i in range(first_stage, len(net.stages)))

    def forward(self, x: Float[Tensor, "n 3 h w"]) -> tuple[Tensor, ...]:
        """Maps of the stages from `first_stage` on."""
        x = self.stem(x)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return tuple(maps[self.first_stage :])


class DetNASClassifier(nn.Module):
    """A backbone and the classifier of the paper: 1x1 convolution, BatchNorm, ReLU, pooling, dropout, linear."""

    def __init__(self, backbone: DetNASBackbone, last: int, classes: int, dropout: float = 0.2) -> None:
        """Puts the classifier on `backbone`, which is used as it is."""
        super().__init__()
        self.backbone = backbone
        self.last = _named(("conv", nn.Conv2d(backbone.channels[-1], last, 1)), *_norm_relu(last))
        self.dropout = nn.Dropout2d(dropout)
        self.linear = nn.Linear(last, classes)

    def forward(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n classes"]:
        """Class scores of normalised images."""
        x = self.last(self.backbone(x)[-1]).mean((2, 3), keepdim=True)
        return self.linear(self.dropout(x).flatten(1))


def build(net: Any, seed: int = 0) -> nn.Module:
    """The module of a `Backbone`, `Classifier` or `DetectorNet`, open or settled; weights are a function of `seed`."""
    devices: list[int] = []
    with torch.random.fork_rng(devices):
        torch.default_generator.manual_seed(seed)
        match net:
            case Backbone():
                return DetNASBackbone(net)
            case Classifier():
                return DetNASClassifier(DetNASBackbone(net.backbone), net.last, net.classes)
            case DetectorNet():
                from detection import mm

                body = DetNASBackbone(net.backbone, net.first_stage())
                return mm.build(body, net.head, in_channels=body.channels, strides=body.strides, classes=net.classes, seed=seed)
            case _:
                raise TypeError(f"{type(net).__name__} is no DetNAS description")


def detector(net: DetectorNet, seed: int) -> nn.Module:
    """The detector of a description; its convolutions are in channels-last order, a third faster on a CPU."""
    return build(net, seed).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


@lru_cache(maxsize=8)  # variants of a task and resumed runs ask for the same tables, which take a second
def cost_tables(space: DetectorNet, published: Classifier, canvas: tuple[int, int]) -> dict[str, Entry]:
    """Cost name -> table of prices; see `detection.detnas.settings.COSTS`.

    Args:
        space: open detector of a run.
        published: open classifier with the same backbone, which the paper's tables count.
        canvas: height and width of the run's images, in pixels.
    """
    with torch.device("meta"):
        whole, body, classifier = build(opened(space)), build(opened(space.backbone)), build(opened(published))
    scene = torch.empty(1, 3, *canvas, dtype=torch.uint8, device="meta")
    image = torch.empty(1, 3, 224, 224, device="meta")
    prices = Price(whole, (scene,), space, convention=conv_linear)

    def bare(arch: Arch) -> Arch:
        return Arch({path.removeprefix("backbone."): option for path, option in arch.items()})

    return {
        "params": Entry(prices, "params"),
        "macs": Entry(prices, "macs"),
        "macs_backbone": Entry(Price(body, (image,), space.backbone, convention=conv_linear), "macs", bare),
        "macs_classifier": Entry(Price(classifier, (image,), published, convention=conv_linear), "macs"),
    }
