"""Plain layers that settled networks of several tasks are made of; nothing here knows of search."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

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
        self.members: nn.ModuleList = nn.ModuleList(members)
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


class Scale(nn.Module):
    """Multiplies the last dimension by one weight each: the vectors of graph attention, a_l * x say.

    Args:
        width: of the last dimension.
        bound: weights begin uniform in [-bound, bound].
    """

    def __init__(self, width: int, bound: float) -> None:
        super().__init__()
        self.weight: nn.Parameter = nn.Parameter(torch.empty(width).uniform_(-bound, bound))

    def forward(self, x: Float[Tensor, "*n c"]) -> Float[Tensor, "*n c"]:
        """The scaled tensor."""
        return x * self.weight


class Shift(nn.Module):
    """Adds one number to each entry of the last dimension, 0 in the beginning: a bias on its own."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.bias: nn.Parameter = nn.Parameter(torch.zeros(width))

    def forward(self, x: Float[Tensor, "*n c"]) -> Float[Tensor, "*n c"]:
        """The shifted tensor."""
        return x + self.bias


class Partial(nn.Module):
    """An operation on the first 1/k of the channels; the others pass by, and all are shuffled (PC-DARTS, arXiv 1907.05737, 3.1).

    At stride 2 the others go through 2x2 max pooling. The shuffle interleaves k groups, so that the next operation sees others.
    """

    def __init__(self, op: nn.Module, k: int, stride: int) -> None:
        """Wraps `op`, made for 1/k of the channels and the stride."""
        super().__init__()
        self.op = op
        self.k = k
        self.stride = stride

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c i j"]:
        """As many channels as `x` has."""
        seen = x.shape[1] // self.k
        rest = x[:, seen:]
        if self.stride == 2:
            rest = F.max_pool2d(rest, 2, 2, ceil_mode=True)
        x = torch.cat((self.op(x[:, :seen]), rest), 1)
        return x.unflatten(1, (self.k, seen)).transpose(1, 2).flatten(1, 2)
