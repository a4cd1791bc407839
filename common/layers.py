"""Plain layers that settled networks of several tasks are made of; nothing here knows of search."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from common.errors import UserError


class Inputs(nn.Module):
    """Picks some of a list of tensors and combines them.

    Args:
        taken: positions in the list of inputs, in order.
        combine: `sum` (equal shapes) or `concat` (over channels, dimension 1).
    """

    def __init__(self, taken: tuple[int, ...], combine: str) -> None:
        super().__init__()
        if combine not in ("sum", "concat"):
            raise UserError(f"combine={combine!r}: inputs are combined by 'sum' or 'concat'")
        self.taken = taken
        self.combine = combine

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """The combined tensor."""
        picked = [inputs[i] for i in self.taken]
        return torch.cat(picked, 1) if self.combine == "concat" else torch.stack(picked).sum(0)

    def extra_repr(self) -> str:
        """What is picked, for `print`."""
        return f"{self.taken}, {self.combine}"
