"""MyNet's networks: one build for standalone networks and for the supernet."""

import torch
from torch import nn

from common.supernet import batch_norm, conv2d, linear
from tests.toy.system import MyNet


def build(net: MyNet, seed: int = 0) -> nn.Module:
    """The module of a description, fixed or open. It never asks whether a value is open."""
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(seed)
        layers: list[nn.Module] = [conv2d(3, net.width, 3)]
        for kernel in net.kernels:
            layers += [conv2d(net.width, net.width, kernel), batch_norm(net.width), nn.ReLU()]
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear(net.width, net.classes))
