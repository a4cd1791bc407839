"""Plain layers that settled networks of several tasks are made of; nothing here knows of search."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

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


class EmptySum(UserError):
    """A sum of no modules: it has no value, not even a shape."""


class Sum(nn.Module):
    """Modules that are given the same inputs and whose outputs are summed, in order.

    Args:
        members: at least one module; their outputs have equal (or broadcasting) shapes.

    Raises:
        EmptySum: no members.
    """

    def __init__(self, members: Iterable[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        if not len(self.members):
            raise EmptySum("a sum needs at least one member: take one input at least, or leave the node out")

    def forward(self, *inputs: Any) -> Tensor:
        """The sum of the members' outputs."""
        return added(self.members, inputs)


def added(members: Iterable[nn.Module], inputs: Sequence[Any]) -> Tensor:
    """The sum of `member(*inputs)`, added in the order of `members`, at least one."""
    first, *others = members
    total = first(*inputs)
    for member in others:
        total = total + member(*inputs)
    return total
