"""Plain layers that settled networks of several tasks are made of; nothing here knows of search."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
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


class Nothing(nn.Module):
    """The sum of no modules, where the network says what that is.

    Args:
        value: gives it for the inputs that the modules would have had: zeros of the shape of their sum, say.
    """

    def __init__(self, value: Callable[..., Tensor]) -> None:
        super().__init__()
        self.value = value

    def forward(self, *inputs: Any) -> Tensor:
        """What `value` gives."""
        return self.value(*inputs)


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


class Convolved(nn.Module):
    """What comes before a convolution, the convolution, and what follows it.

    Args:
        before: run on the input.
        conv: of odd square kernel, with the padding that keeps the map in its place, without bias.
        after: run on its output.
    """

    def __init__(self, before: nn.Module, conv: nn.Conv2d, after: nn.Module) -> None:
        super().__init__()
        self.before = before
        self.conv = conv
        self.after = after

    def forward(self, x: Tensor) -> Tensor:
        """All three."""
        return self.after(self.conv(self.before(x)))


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
        seen, rest = split(x, self.k, self.stride)
        return shuffled(self.op(seen), rest, self.k)


def split(x: Float[Tensor, "n c h w"], k: int, stride: int) -> tuple[Float[Tensor, "n d h w"], Float[Tensor, "n e i j"]]:
    """The first 1/k of the channels, and the others as they pass by an operation of that stride, 1 or 2: see `Partial`."""
    seen = x.shape[1] // k
    rest = x[:, seen:]
    return x[:, :seen], F.max_pool2d(rest, 2, 2, ceil_mode=True) if stride == 2 else rest


def shuffled(seen: Float[Tensor, "n d h w"], rest: Float[Tensor, "n e h w"], k: int) -> Float[Tensor, "n c h w"]:
    """The channels of both, as k groups that are interleaved: see `Partial`."""
    return torch.cat((seen, rest), 1).unflatten(1, (k, seen.shape[1])).transpose(1, 2).flatten(1, 2)


class Learnable(nn.Module):
    """A learnable tensor as a module, `value`: a class token, a position embedding.

    Args:
        shape: of the tensor.
        init: fills the tensor in place, as the functions of `torch.nn.init` do.
    """

    def __init__(self, shape: Sequence[int], init: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.empty(tuple(shape)))
        with torch.no_grad():
            init(self.value)

    def forward(self) -> Tensor:
        """The tensor."""
        return self.value


class Attention(nn.Module):
    """Multi-head attention (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, section 3.2.2).

    The number of heads is the width of the queries over `head_dim`.

    Args:
        query: projects tokens to the queries of all heads, side by side.
        key: projects the context to keys, as wide as the queries.
        value: projects the context to values, as wide as the queries.
        out: projects the heads' outputs, side by side, to tokens.
        head_dim: entries of a head.
    """

    def __init__(self, query: nn.Module, key: nn.Module, value: nn.Module, out: nn.Module, head_dim: int) -> None:
        super().__init__()
        self.query, self.key, self.value, self.out = query, key, value, out
        self.head_dim = head_dim

    def forward(
        self, x: Float[Tensor, "n t c"], context: Float[Tensor, "n s d"] | None = None, mask: Tensor | None = None
    ) -> Float[Tensor, "n t c"]:
        """Every token's sum of values, weighted by the softmax of `query . key / sqrt(head_dim)`.

        Args:
            x: tokens.
            context: tokens to attend to, for cross-attention; None for those of `x`.
            mask: of a shape that broadcasts to (n, heads, t, s): True where a token may attend, or numbers added to the products.
        """
        source = x if context is None else context
        query, key, value = self._heads(self.query(x)), self._heads(self.key(source)), self._heads(self.value(source))
        mixed = F.scaled_dot_product_attention(query, key, value, mask)
        return self.out(mixed.transpose(1, 2).flatten(2))

    def _heads(self, x: Tensor) -> Tensor:
        """`(n, t, heads * head_dim)` -> `(n, heads, t, head_dim)`."""
        return x.unflatten(-1, (-1, self.head_dim)).transpose(1, 2)

    def extra_repr(self) -> str:
        """What is fixed, for `print`."""
        return f"head_dim={self.head_dim}"
