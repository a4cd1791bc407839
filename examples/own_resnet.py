"""Searches depth and width of a torchvision ResNet from its pretrained weights: python examples/own_resnet.py [--weights FILE]

The widest network of the space is torchvision's ResNet-18, with the same names of parameters. Its state dict therefore loads
strictly into the supernet, which then gives torchvision's outputs bit for bit. Without --weights, a ResNet-18 trained for
a moment stands in for one.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import resnet18

from common import (
    InheritedSettings,
    NetworkSettings,
    OneOf,
    OptimSettings,
    PathTrainSettings,
    Repeat,
    RetrainSettings,
    SearchSettings,
    TrainSettings,
    search_network,
)
from common.script import spoken_errors
from common.supernet import batch_norm, conv2d, linear, repeat

DIGITS = load_digits()
IMAGES = (torch.tensor(DIGITS.images, dtype=torch.float32)[:, None] / 16 - 0.3).expand(-1, 3, -1, -1)
IMAGES = F.interpolate(IMAGES, scale_factor=4)
LABELS = torch.tensor(DIGITS.target)
TRAIN, VAL, TEST = slice(0, 1200), slice(1200, 1300), slice(1300, 1400)


@dataclass(frozen=True)
class Stage:
    """A stage of ResNet-18: its width, and whether it has its second block."""

    width: Any
    blocks: Any


@dataclass(frozen=True)
class ResNet:
    """ResNet-18 with one or two blocks in a stage, each of half or all of its channels."""

    stages: Any = tuple(Stage(OneOf(width // 2, width), Repeat(None, OneOf(1, 2))) for width in (64, 128, 256, 512))
    classes: int = 10


class BasicBlock(nn.Module):
    """The block of ResNet-18, with torchvision's names."""

    def __init__(self, c_in: Any, width: Any, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv2d(c_in, width, 3, stride, bias=False), batch_norm(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2, self.bn2 = conv2d(width, width, 3, bias=False), batch_norm(width)
        self.downsample = None
        if stride > 1:
            self.downsample = nn.Sequential(conv2d(c_in, width, 1, stride, bias=False), batch_norm(width))

    def forward(self, x: Tensor) -> Tensor:
        """`(n, c, h, w)` -> `(n, width, h / stride, w / stride)`."""
        same = x if self.downsample is None else self.downsample(x)
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(out + same)


class Net(nn.Module):
    """ResNet-18, with torchvision's names."""

    def __init__(self, net: ResNet) -> None:
        super().__init__()
        first = net.stages[0].width
        self.conv1, self.bn1 = conv2d(3, first, 7, 2, bias=False), batch_norm(first)
        self.relu, self.maxpool = nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)
        widths = [first, *(stage.width for stage in net.stages)]
        for i, stage in enumerate(net.stages, start=1):
            setattr(self, f"layer{i}", repeat(stage.blocks, _block(widths[i - 1], stage.width, 1 if i == 1 else 2)))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = linear(widths[-1], net.classes)

    def forward(self, x: Tensor) -> Tensor:
        """Images `(n, 3, h, w)` -> scores `(n, classes)`."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
        return self.fc(self.avgpool(x).flatten(1))


def _block(c_in: Any, width: Any, stride: int) -> Any:
    return lambda i, _: BasicBlock(width if i else c_in, width, 1 if i else stride)


def build(net: ResNet) -> nn.Module:
    """A plain ResNet of a fixed description, the supernet of an opened one."""
    return Net(net)


def train_step(network: nn.Module, step: int) -> Tensor:
    """The loss of 16 random digits."""
    rows = torch.randint(TRAIN.stop, (16,))
    return F.cross_entropy(network(IMAGES[rows]), LABELS[rows])


def accuracy(network: nn.Module, rows: slice) -> float:
    """Share of the digits that the network tells."""
    return float((network(IMAGES[rows]).argmax(1) == LABELS[rows]).float().mean())


def evaluate(network: nn.Module) -> float:
    """What networks are chosen by."""
    return accuracy(network, VAL)


def test(network: nn.Module) -> float:
    """What chosen networks are compared by."""
    return accuracy(network, TEST)


def pretrained(file: Path | None, steps: int) -> dict[str, Tensor]:
    """The state dict of a ResNet-18: from a file, or trained on the digits for a moment."""
    if file is not None:
        return torch.load(file, weights_only=True)
    torch.manual_seed(0)
    network = resnet18(num_classes=10).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.02, momentum=0.9)
    for step in range(steps):
        optimizer.zero_grad()
        train_step(network, step).backward()
        optimizer.step()
    return network.state_dict()


def main() -> None:
    """Runs the search; prints where the report lies and what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--weights", type=Path, help="state dict of a torchvision ResNet-18 of 10 classes, as torch.save writes it"
    )
    parser.add_argument("--steps", type=int, default=40, help="steps of every training")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="other settings, by their names in config.json")
    parser.add_argument("--out", help="folder of the run; by default the next free one below runs/")
    options = parser.parse_args()
    optim = OptimSettings(name="sgd", lr=0.005)
    run = search_network(
        build,
        ResNet(),
        evaluate,
        train_step,
        test=test,
        inputs=[IMAGES[:1]],
        weights=pretrained(options.weights, options.steps),
        settings=NetworkSettings(
            supernet=PathTrainSettings(steps=options.steps, optim=optim, paths="sandwich"),
            train=TrainSettings(steps=options.steps, optim=optim),
            retrain_from="supernet",
            retrain=RetrainSettings(random_archs=1, seeds=2),
            search=SearchSettings(evaluation=InheritedSettings(calibration_batches=4), trials=20),
        ),
        overrides=["search.engine=aging", "search.engine.population=8", "search.engine.tournament=4", *options.set],
        name="resnet",
        out=options.out,
    )
    best = run.best()
    print(f"{run.report()}\n{dict(best.arch)}\ntest accuracy {best.test['accuracy']:.3f}, {best.cost['macs']:,.0f} multiply-adds")


if __name__ == "__main__":
    with spoken_errors():
        main()
