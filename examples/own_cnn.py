"""Searches an own residual network on handwritten digits: python examples/own_cnn.py [--out FOLDER] [--resume]

A network is written once, with the layers of `common.supernet`; some of its numbers are decisions. `search_network` trains the
supernet, searches it, compares the result with random search, random networks and a baseline, and writes one run folder with a
report.
"""

import argparse
from dataclasses import dataclass
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F

from common import NetworkSettings, OneOf, OptimSettings, PathTrainSettings, Repeat, TrainSettings, search_network
from common.script import spoken_errors
from common.supernet import batch_norm, choose, conv2d, depthwise, fmap, linear, repeat

DIGITS = load_digits()
IMAGES = torch.tensor(DIGITS.images, dtype=torch.float32)[:, None] / 16
LABELS = torch.tensor(DIGITS.target)
TRAIN, VAL, TEST = slice(0, 1200), slice(1200, 1500), slice(1500, None)


@dataclass(frozen=True)
class Block:
    """A residual block: an inverted bottleneck, as in MobileNetV2."""

    kernel: Any = OneOf(3, 5)
    expansion: Any = OneOf(2, 4)
    activation: Any = OneOf("relu", "silu")


@dataclass(frozen=True)
class Net:
    """The network: one width, and one to three blocks."""

    width: Any = OneOf(8, 16, 24)
    blocks: Any = Repeat(Block(), OneOf(1, 2, 3))


class Residual(nn.Module):
    """`x + body(x)`."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        """`(n, width, h, w)` -> the same shape."""
        return x + self.body(x)


def build(net: Net) -> nn.Module:
    """A plain network of a fixed `Net`, the supernet of an opened one."""

    def block(i: int, block: Block) -> nn.Module:
        inner = fmap(lambda width, expansion: width * expansion, net.width, block.expansion)
        activation = choose(block.activation, lambda name: nn.ReLU() if name == "relu" else nn.SiLU())
        layers = [conv2d(net.width, inner, 1), batch_norm(inner), activation, depthwise(inner, block.kernel), batch_norm(inner)]
        return Residual(nn.Sequential(*layers, conv2d(inner, net.width, 1), batch_norm(net.width)))

    stem = [conv2d(1, net.width, 3), batch_norm(net.width), nn.ReLU()]
    return nn.Sequential(*stem, repeat(net.blocks, block), nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear(net.width, 10))


def train_step(network: nn.Module, step: int) -> Tensor:
    """The loss of 64 random digits; torch's generator is seeded for every step."""
    rows = torch.randint(TRAIN.stop, (64,))
    device = next(network.parameters()).device
    return F.cross_entropy(network(IMAGES[rows].to(device)), LABELS[rows].to(device))


def accuracy(network: nn.Module, rows: slice) -> float:
    """Share of the digits that the network tells."""
    device = next(network.parameters()).device
    return float((network(IMAGES[rows].to(device)).argmax(1).cpu() == LABELS[rows]).float().mean())


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
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out")
    parser.add_argument("--workers", type=int, default=0, help="processes that evaluate and train")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="other settings, by their names in config.json")
    options = parser.parse_args()
    adam = OptimSettings(name="adam", lr=0.01)
    settings = NetworkSettings(supernet=PathTrainSettings(steps=300, optim=adam), train=TrainSettings(steps=100, optim=adam))
    run = search_network(
        build,
        Net(),
        evaluate,
        train_step,
        test=test,
        inputs=[IMAGES[:1]],
        settings=settings,
        overrides=["search.trials=40", "retrain.random_archs=2", *options.set],
        name="digits",
        out=options.out,
        resume=options.resume,
        workers=options.workers,
    )
    best = run.best()
    print(f"{run.report()}\n{dict(best.arch)}\ntest accuracy {best.test['accuracy']:.3f}, {best.cost['macs']:,.0f} multiply-adds")
    network = run.network()  # an ordinary torch module with its trained weights, in eval mode
    print(f"the first test digit is a {LABELS[TEST][0]}; the network says {int(network(IMAGES[TEST][:1]).argmax())}")


if __name__ == "__main__":
    with spoken_errors():  # a mistake in a setting is one line, without a traceback
        main()
