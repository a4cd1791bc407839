"""What a super-resolution network costs, with transposed convolutions and without."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from common.cost.conventions import nothing, output_elements
from common.cost.count import count

convolutions = replace(
    output_elements.extended("convolutions", {F.conv_transpose2d: nothing}), beside={"macs_deconv": output_elements.rules}
)
"""Multiply-adds of convolutions alone, as in papers in which transposed convolutions are free, and with transposed ones."""


class Cost(NamedTuple):
    """Of one picture."""

    params: int
    macs: int
    """Multiply-adds of convolutions, without transposed ones."""
    macs_deconv: int
    """With transposed ones: for each number of the result all products, those with inserted zeros too."""


NAMES = Cost._fields
"""Names of the costs."""


def cost_of(network: nn.Module, channels: int, side: int) -> Cost:
    """The cost of a network on the meta device for one input of `channels` and `side` by `side` pixels."""
    x = torch.empty(1, channels, side, side, device="meta")
    return Cost(**count(network, (x,), convention=convolutions).costs)
