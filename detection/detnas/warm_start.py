"""Starts every option of a supernet from one trained path.

A departure from DetNAS, for budgets of seconds: trained from scratch, a supernet of single paths stays at chance for longer
than such a budget. Here the all-3x3 path is trained first; its siblings then start from its weights: kernels zero-padded to
their size, layers matched by name. Recipes name it `warm_up`; the paper's recipe leaves it out.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.supernet import Choice


@torch.no_grad()
def inherit_from_baseline(network: nn.Module, baseline: int = 0) -> None:
    """In every choice of `network`, copies the matching state of option `baseline` into the others.

    Args:
        network: a supernet whose choices are between blocks with layers of the same names; changed in place.
        baseline: number of the trained option.
    """
    for choice in network.modules():
        if isinstance(choice, Choice):
            source = choice.options[choice.table[baseline]]
            given = source.state_dict()
            for option in choice.options:
                if option is not source:
                    for name, target in option.state_dict().items():
                        if name in given and (value := _fitted(given[name], target.shape)) is not None:
                            target.copy_(value)


def _fitted(value: Tensor, shape: torch.Size) -> Tensor | None:
    """`value` in `shape`: as it is, or a kernel zero-padded to a larger one; None if it does not fit."""
    if value.shape == shape:
        return value
    if value.dim() == 4 and value.shape[:2] == shape[:2] and shape[2] > value.shape[2] and (shape[2] - value.shape[2]) % 2 == 0:
        return F.pad(value, [(shape[2] - value.shape[2]) // 2] * 4)
    return None
