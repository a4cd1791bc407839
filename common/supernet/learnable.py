"""An elastic parameter of one's own: class tokens, position embeddings, gains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from common.errors import UserError
from common.layers import Learnable
from common.supernet.elastic import Elastic, widest
from common.supernet.open import Open, current

Init = Callable[[Tensor], object]
"""Fills a tensor in place, as the functions of `torch.nn.init` do."""


class ElasticParameter(Elastic, Learnable):
    """A learnable tensor of which the leading entries of each dimension are active."""

    def __init__(self, shape: tuple[Any, ...], init: Init) -> None:
        Learnable.__init__(self, tuple(widest(size, "size") for size in shape), init)
        self.shape = shape
        self.reads(*shape)

    def gates(self) -> tuple[Open, ...]:
        """The sizes that one decision sets, each decision once."""
        return tuple({id(size.slots[0]): size for size in self.decisions if len(size.slots) == 1}.values())

    def forward(self) -> Tensor:
        """The active part."""
        region = tuple([current(size) for size in self.shape])
        self.note(region)
        return self.gated(self.value[self.regions("value", region)])

    def plain(self) -> nn.Module:
        """The active part as a module of its own, whose weights are these."""
        region = self.regions("value", tuple([current(size) for size in self.shape]))
        plain = Learnable((), nn.init.zeros_)
        plain.value = nn.Parameter(self.value.detach()[region])
        return plain


def parameter(shape: Sequence[Any], init: Init = nn.init.zeros_) -> nn.Module:
    """A learnable tensor as a module: calling the module gives the tensor. Sizes may be open.

    A path uses the leading entries of each dimension. Momentum and weight decay leave the others alone, as in every elastic
    layer; a `nn.Parameter` that a module slices itself has no such guard.

    Args:
        shape: size of each dimension, fixed or open.
        init: fills the tensor in place; gradients are off.

    Raises:
        UserError: the shape is no tuple or list, or a size is no whole number of 1 or more.

    >>> from common.space import OneOf
    >>> from common.supernet import opened
    >>> width = opened(OneOf(192, 256), "width")
    >>> position = parameter((1, 197, width), init=lambda table: nn.init.trunc_normal_(table, std=0.02))
    >>> position().shape  # in a forward pass: x = x + self.position()
    torch.Size([1, 197, 192])
    """
    if not isinstance(shape, tuple | list):
        raise UserError(f"parameter: shape={shape!r}; give a tuple with the size of each dimension: (1, 197, net.width)")
    sizes = tuple(shape)
    fixed = [widest(size, f"shape[{i}]") for i, size in enumerate(sizes)]
    return ElasticParameter(sizes, init) if any(isinstance(size, Open) for size in sizes) else Learnable(fixed, init)
