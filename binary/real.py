"""The network of real numbers that a binary one is compared with: ordinary convolutions, and ReLU in the place of signs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from binary.costs import BINARY
from binary.layers.activations import Sign, ZeroOne
from binary.layers.convolution import BinaryConv2d
from common.cost.count import count
from common.space import Arch, decode
from common.task import Outside

Build = Callable[[Any, int], nn.Module]
REAL = "real weights"
"""Name of the network in a run."""


def real_twin(build: Build, description: Any, seed: int = 0) -> nn.Module:
    """The network of a settled description with real weights and activations; it begins with the same numbers as the binary one.

    Signs become ReLU: without any function between them, two convolutions would be one. Everything else stays as it is.

    Args:
        build: (description, seed) -> binary network.
        description: settled.
        seed: of the initial weights.
    """
    return made_real(build(description, seed))


def made_real(network: nn.Module) -> nn.Module:
    """A network, changed in place, with ReLU for its signs and ordinary convolutions for its binary ones."""
    with_relu(network)
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, BinaryConv2d):
                setattr(parent, name, _convolution(child))
    return network


def with_relu(network: nn.Module) -> nn.Module:
    """A network, changed in place, with ReLU for its signs."""
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, Sign | ZeroOne):
                setattr(parent, name, nn.ReLU())
    return network


def _convolution(binary: BinaryConv2d) -> nn.Conv2d:
    """An ordinary convolution of the same shape that has the binary one's weights."""
    made = nn.Conv2d(
        binary.in_channels,
        binary.out_channels,
        (binary.kernel_size[0], binary.kernel_size[1]),
        (binary.stride[0], binary.stride[1]),
        binary.padding if isinstance(binary.padding, str) else (binary.padding[0], binary.padding[1]),
        (binary.dilation[0], binary.dilation[1]),
        binary.groups,
        bias=False,
        device="meta",
    )
    made.weight = binary.weight
    return made


def outside_of(build: Build, description: Any, inputs: tuple[Tensor, ...]) -> Outside:
    """The real twin of a settled description as a network outside of the space, with its cost.

    Args:
        build: (description, seed) -> binary network.
        description: settled.
        inputs: of a network, which its cost is counted on.
    """
    make = partial(real_twin, build, description)
    with torch.device("meta"):
        cost = count(make(0), inputs, convention=BINARY)
    return Outside(build=make, cost=dict(cost.costs))


def baseline_with_real_weights(
    build: Build, space: Any, baseline: Arch, inputs: tuple[Tensor, ...]
) -> Callable[[Arch], Mapping[str, Outside]]:
    """What `Networks.outside` asks for: whatever was found, the real twin of the baseline.

    Args:
        build: (description, seed) -> binary network.
        space: open description.
        baseline: its hand-made architecture.
        inputs: of a network, which its cost is counted on.
    """

    def outside(found: Arch) -> Mapping[str, Outside]:
        return {REAL: outside_of(build, decode(space, baseline), inputs)}

    return outside
