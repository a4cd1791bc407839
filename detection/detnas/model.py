"""DetNAS's networks: one build for standalone networks and supernets (1903.10979, section 3.2)."""

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
from common.supernet import conv2d, opened
from detection.backbones.descriptions import ShuffleNet
from detection.backbones.shufflenet import ShuffleNetBackbone, named, norm_relu
from detection.description import DetectorNet
from detection.detnas.space import Classifier, of_backbone


class DetNASClassifier(nn.Module):
    """A backbone and the classifier of the paper: 1x1 convolution, BatchNorm, ReLU, pooling, dropout, linear."""

    def __init__(self, backbone: ShuffleNetBackbone, last: int, classes: int, dropout: float = 0.2) -> None:
        """Puts the classifier on `backbone`, which is used as it is."""
        super().__init__()
        self.backbone = backbone
        self.last = named(("conv", conv2d(backbone.channels[-1], last, 1)), *norm_relu(last))
        self.dropout = nn.Dropout2d(dropout)
        self.linear = nn.Linear(last, classes)

    def forward(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n classes"]:
        """Class scores of normalised images."""
        x = self.last(self.backbone(x)[-1]).mean((2, 3), keepdim=True)
        return self.linear(self.dropout(x).flatten(1))


def build(net: Any, seed: int = 0) -> nn.Module:
    """The module of a `ShuffleNet`, `Classifier` or `DetectorNet`, open or settled; weights are a function of `seed`."""
    devices: list[int] = []
    with torch.random.fork_rng(devices):
        torch.default_generator.manual_seed(seed)
        match net:
            case ShuffleNet():
                return ShuffleNetBackbone(net)
            case Classifier():
                return DetNASClassifier(ShuffleNetBackbone(net.backbone), net.last, net.classes)
            case DetectorNet():
                from detection.build import build as detector  # mmdet takes seconds

                return detector(net, seed)
            case _:
                raise TypeError(f"{type(net).__name__} is no DetNAS description")


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
        return Arch({path.removeprefix("backbone."): option for path, option in of_backbone(arch).items()})

    return {
        "params": Entry(prices, "params"),
        "macs": Entry(prices, "macs"),
        "macs_backbone": Entry(Price(body, (image,), space.backbone, convention=conv_linear), "macs", bare),
        "macs_classifier": Entry(Price(classifier, (image,), published, convention=conv_linear), "macs", of_backbone),
    }
