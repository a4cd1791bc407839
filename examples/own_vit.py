"""Searches a small vision transformer on handwritten digits, its heads, MLP ratios, depth and width: python examples/own_vit.py

Heads are elastic as in AutoFormer (Chen et al. 2021): a head has a fixed number of entries, and a path uses the leading heads.
Multiply-adds are counted whole: projections, and the products of queries, keys and values.
"""

import argparse
from dataclasses import dataclass
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F

from common import (
    NetworkSettings,
    OneOf,
    OptimSettings,
    PathTrainSettings,
    Repeat,
    RetrainSettings,
    TrainSettings,
    search_network,
)
from common.script import spoken_errors
from common.supernet import attention, fmap, layer_norm, linear, parameter, repeat

DIGITS = load_digits()
IMAGES = torch.tensor(DIGITS.images, dtype=torch.float32)[:, None] / 16
LABELS = torch.tensor(DIGITS.target)
TRAIN, VAL, TEST = slice(0, 1200), slice(1200, 1500), slice(1500, None)
HEAD = 8
"""Entries of a head."""


@dataclass(frozen=True)
class Block:
    """A block of the transformer."""

    heads: Any = OneOf(1, 2, 4)
    ratio: Any = OneOf(1, 2, 4)


@dataclass(frozen=True)
class ViT:
    """The transformer: patches of 2x2 pixels."""

    width: Any = OneOf(16, 24, 32)
    blocks: Any = Repeat(Block(), OneOf(1, 2, 3))
    patch: int = 2
    tokens: int = 16
    classes: int = 10


class Encoder(nn.Module):
    """Attention and an MLP, each after a norm and beside a shortcut."""

    def __init__(self, width: Any, block: Block) -> None:
        super().__init__()
        inner = fmap(lambda width, ratio: width * ratio, width, block.ratio)
        self.norm1, self.attention = layer_norm(width), attention(width, block.heads, HEAD)
        self.norm2, self.mlp = layer_norm(width), nn.Sequential(linear(width, inner), nn.GELU(), linear(inner, width))

    def forward(self, x: Tensor) -> Tensor:
        """`(n, tokens, width)` -> the same shape."""
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Transformer(nn.Module):
    """Patches, a position for each, blocks, and the mean over tokens."""

    def __init__(self, net: ViT) -> None:
        super().__init__()
        self.patches = Patches(net)
        self.position = parameter((1, net.tokens, net.width), init=lambda table: nn.init.trunc_normal_(table, std=0.02))
        self.blocks = repeat(net.blocks, lambda i, block: Encoder(net.width, block))
        self.norm, self.head = layer_norm(net.width), linear(net.width, net.classes)

    def forward(self, images: Tensor) -> Tensor:
        """Images `(n, 1, 8, 8)` -> scores `(n, classes)`."""
        x = self.patches(images) + self.position()
        return self.head(self.norm(self.blocks(x)).mean(1))


class Patches(nn.Module):
    """Every patch of an image as a vector of its own, projected to the width."""

    def __init__(self, net: ViT) -> None:
        super().__init__()
        self.patch, self.project = net.patch, linear(net.patch**2, net.width)

    def forward(self, images: Tensor) -> Tensor:
        """`(n, 1, h, w)` -> `(n, tokens, width)`."""
        return self.project(F.unfold(images, self.patch, stride=self.patch).transpose(1, 2))


def build(net: ViT) -> nn.Module:
    """A plain transformer of a fixed description, the supernet of an opened one."""
    return Transformer(net)


def train_step(network: nn.Module, step: int) -> Tensor:
    """The loss of 64 random digits."""
    rows = torch.randint(TRAIN.stop, (64,))
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


def main() -> None:
    """Runs the search; prints where the report lies and what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", help="folder of the run; by default the next free one below runs/")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="other settings, by their names in config.json")
    options = parser.parse_args()
    adam = OptimSettings(name="adamw", lr=0.01, weight_decay=0.05, warmup=0.1)
    run = search_network(
        build,
        ViT(),
        evaluate,
        train_step,
        test=test,
        inputs=[IMAGES[:1]],
        baseline={
            "width": 24, "blocks.count": 2,
            "blocks.0.heads": 2, "blocks.0.ratio": 2, "blocks.1.heads": 2, "blocks.1.ratio": 2,
        },
        settings=NetworkSettings(
            supernet=PathTrainSettings(steps=400, optim=adam),
            train=TrainSettings(steps=400, optim=adam),
            retrain=RetrainSettings(random_archs=2, seeds=2),
        ),
        overrides=["search.trials=60", *options.set],
        name="vit",
        out=options.out,
    )  # fmt: skip
    best = run.best()
    print(f"{run.report()}\n{dict(best.arch)}\ntest accuracy {best.test['accuracy']:.3f}, {best.cost['macs']:,.0f} multiply-adds")


if __name__ == "__main__":
    with spoken_errors():
        main()
