"""Elastic layers on the last dimension: linear layers, embeddings, scales and shifts."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from common.errors import UserError
from common.layers import Scale, Shift
from common.supernet.elastic import Elastic, Region, Vectors, widest
from common.supernet.open import Open, current, largest


class ElasticLinear(Elastic, nn.Linear):
    """A linear layer with elastic output width."""

    feature_axis = -1
    sets_width = True

    def __init__(self, widest_in: int, out: Any, *, bias: bool) -> None:
        nn.Linear.__init__(self, widest_in, largest(out), bias)
        self.out = out
        self.reads(out)

    def forward(self, input: Tensor) -> Tensor:
        """`(..., active in)` -> `(..., active out)`; a matrix of inputs may be sparse."""
        n, c = current(self.out), input.shape[-1]
        self.note((n, c))
        return self.gated(F.linear(input, self.weight[:n, :c], None if self.bias is None else self.bias[:n]))

    def shaped_by(self) -> tuple[Open, ...]:
        """The output width."""
        return (self.out,) if isinstance(self.out, Open) else ()

    def regions(self, name: str, region: tuple[int, ...]) -> Region:
        """`region` is (output features, input features)."""
        return (slice(region[0]),) if name == "bias" else (slice(region[0]), slice(region[1]))

    def plain(self) -> nn.Module:
        """A plain linear layer, as wide as the widest input: `extract` takes the leading slices."""
        n = current(self.out)
        plain = nn.Linear(1, 1, self.bias is not None, device="meta")
        plain.weight = nn.Parameter(self.weight.detach()[:n])
        if self.bias is not None:
            plain.bias = nn.Parameter(self.bias.detach()[:n])
        return plain


class ElasticEmbedding(Elastic, nn.Embedding):
    """A table of vectors of which the leading entries are active."""

    def __init__(self, count: int, out: Open) -> None:
        nn.Embedding.__init__(self, count, largest(out))
        self.out = out
        self.reads(out)

    def forward(self, input: Tensor) -> Tensor:
        """Numbers of rows `(...)` -> `(..., active width)`."""
        n = current(self.out)
        self.note((self.num_embeddings, n))
        return self.gated(F.embedding(input, self.weight[:, :n]))

    def plain(self) -> nn.Module:
        """A plain table of the active width."""
        plain = nn.Embedding(1, 1, device="meta")
        plain.weight = nn.Parameter(self.weight.detach()[:, : current(self.out)])
        return plain


class ElasticScale(Vectors, Scale):
    """A scaling of the leading entries of the last dimension."""

    feature_axis = -1

    def __init__(self, most: int, bound: float) -> None:
        Scale.__init__(self, most, bound)
        self.reads()

    def forward(self, x: Tensor) -> Tensor:
        """`(..., active width)` -> the same shape."""
        n = x.shape[-1]
        self.note((n,))
        return x * self.weight[:n]


class ElasticShift(Vectors, Shift):
    """A bias of the leading entries of the last dimension."""

    feature_axis = -1

    def __init__(self, most: int) -> None:
        Shift.__init__(self, most)
        self.reads()

    def forward(self, x: Tensor) -> Tensor:
        """`(..., active width)` -> the same shape."""
        n = x.shape[-1]
        self.note((n,))
        return x + self.bias[:n]


def linear(features_in: Any, features_out: Any, *, bias: bool = True) -> nn.Module:
    """A linear layer; widths may be open.

    Raises:
        UserError: a width is no whole number of 1 or more.
    """
    widest_in = widest(features_in, "features_in")
    widest(features_out, "features_out")
    if isinstance(features_in, Open) or isinstance(features_out, Open):
        return ElasticLinear(widest_in, features_out, bias=bias)
    return nn.Linear(features_in, features_out, bias)


def embedding(count: int, width: Any) -> nn.Module:
    """A table of `count` vectors, looked up by whole numbers; `width`, their entries, may be open.

    Raises:
        UserError: `count` is open, or a number is not a whole one of 1 or more.
    """
    if isinstance(count, Open):
        raise UserError(
            f"embedding: count is open (decision {' with '.join(map(repr, count.paths))}), yet any row may be looked up; give "
            "the largest count, or use parameter((count, width)), whose leading rows are taken"
        )
    widest(count, "count")
    widest(width, "width")
    return ElasticEmbedding(count, width) if isinstance(width, Open) else nn.Embedding(count, width)


def scale(width: Any, bound: float) -> nn.Module:
    """A weight for each entry of the last dimension, whose width may be open; see `common.layers.Scale`."""
    return ElasticScale(widest(width, "width"), bound) if isinstance(width, Open) else Scale(width, bound)


def shift(width: Any) -> nn.Module:
    """A bias of the last dimension, whose width may be open."""
    return ElasticShift(widest(width, "width")) if isinstance(width, Open) else Shift(width)
