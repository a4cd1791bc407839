"""What a super-resolution network costs, with transposed convolutions and without."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from common.cost.conventions import nothing, output_elements
from common.cost.count import count

convolutions = output_elements.extended("convolutions", {F.conv_transpose2d: nothing})
"""Multiply-adds of convolutions alone: the convention of papers in which transposed convolutions are free."""


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
    plain, whole = (count(network, (x,), convention=convention) for convention in (convolutions, output_elements))
    return Cost(plain.params, plain.macs, whole.macs)
