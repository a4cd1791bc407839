"""Multi-head attention with elastic widths and heads."""

from __future__ import annotations

from typing import Any

from torch import nn

from common.errors import UserError
from common.layers import Attention
from common.supernet.elastic import widest
from common.supernet.features import linear
from common.supernet.open import Open, fmap


def attention(width: Any, heads: Any, head_dim: int, *, context: Any = None, bias: bool = True) -> nn.Module:
    """Multi-head attention of tokens `(n, t, width)`; width, heads and the context's width may be open.

    A head has `head_dim` entries under every option, and queries, keys and values have `heads * head_dim`, whatever the width
    is: a path with fewer heads uses the leading heads whole (AutoFormer, Chen et al. 2021, https://arxiv.org/abs/2107.00651).
    The four projections are `linear` layers; see `common.layers.Attention` for their names and the forward pass.

    Args:
        width: entries of a token, in and out.
        heads: number of heads.
        head_dim: entries of a head, fixed: 64 in most vision transformers.
        context: entries of a token that keys and values are made of, for cross-attention. None: those of `width`.
        bias: whether the projections have biases.

    Raises:
        UserError: `head_dim` is open, or a number is not a whole one of 1 or more.

    >>> import torch
    >>> from common.space import OneOf
    >>> from common.supernet import opened
    >>> net = opened({"width": OneOf(192, 256), "heads": OneOf(3, 4)})
    >>> layer = attention(net["width"], net["heads"], head_dim=64)
    >>> layer(torch.zeros(2, 197, 192)).shape, layer.query.weight.shape
    (torch.Size([2, 197, 192]), torch.Size([256, 256]))
    """
    if isinstance(head_dim, Open):
        raise UserError(
            f"attention: head_dim is open (decision {' with '.join(map(repr, head_dim.paths))}), and a path would use parts of "
            "heads; give a fixed head_dim, and open the number of heads"
        )
    widest(heads, "heads")
    widest(head_dim, "head_dim")
    inner = fmap(lambda heads: heads * head_dim, heads)
    source = width if context is None else context
    query, key, value = (linear(features, inner, bias=bias) for features in (width, source, source))
    return Attention(query, key, value, linear(inner, width, bias=bias), head_dim)
