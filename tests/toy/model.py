"""MyNet's networks: one build for standalone networks and for the supernet, what is searched, and how it is trained."""

from typing import Any

import torch
from torch import Tensor, nn

from classification.data import Augment
from classification.phases import Classify
from common.cost.costs import tabulated
from common.supernet import batch_norm, choose, conv2d, linear, opened
from common.task import Networks
from tests.toy.system import BASELINE, MyNet, Settings


def build(net: MyNet, seed: int = 0) -> nn.Module:
    """The module of a description, fixed or open. It never asks whether a value is open."""
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(seed)
        layers: list[nn.Module] = [conv2d(3, net.width, 3)]
        for kernel in net.kernels:
            conv = choose(kernel, lambda k: conv2d(net.width, net.width, k))
            layers += [conv, batch_norm(net.width), nn.ReLU()]
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear(net.width, net.classes))


def networks(settings: Settings, facts: Any) -> Networks:
    """What is searched, built and priced on the data of a run."""
    space = MyNet(classes=len(facts.classes))
    costs = tabulated(lambda: build(opened(space)), space, facts.example())
    order = [["width"], ["kernels.0", "kernels.1"]]
    return Networks(space=space, build=build, baseline=BASELINE, costs=costs, price=costs.price, order=order)


def phases(task: Any, kind: str) -> list[Classify]:
    """How a supernet, the weights and the architecture of a relaxed one, and a network alone are trained."""
    whole, halves = task.data.train, dict(zip(("weights", "architecture"), task.halves))
    splits = {"supernet": {"supernet": whole}, "relaxed": halves, "standalone": {"train": whole}}
    train, augment = task.settings.train, Augment(padding=1)
    return [Classify(name=name, settings=train, split=split, augment=augment) for name, split in splits[kind].items()]


def example(space: str) -> tuple[Tensor, ...]:
    """Inputs of the networks of a space, for the laws."""
    return (torch.zeros(2, 3, 8, 8),)
