"""What every elastic layer shares: the active part is the leading slices of the widest layer's tensors.

A constructor (`linear`, `conv2d`, ...) takes fixed numbers or `Open` decisions; with nothing open it returns the plain torch
layer. An elastic layer reads its *input* width from the tensor it is given, so a network passes widths on without saying so
twice. Leading slices as in Slimmable Networks (Yu et al., 2018) and BigNAS (Yu et al., 2020, section 3). A kernel is the centre
of the largest one.
"""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral
from typing import Any

import torch
from torch import Tensor, nn

from common.errors import UserError
from common.supernet.choice import Deciding
from common.supernet.open import Open, fmap

Region = tuple[slice, ...]


class Elastic(Deciding):
    """A layer of which a region of the weights is active; remembers the regions that training steps used."""

    seen: set[tuple[int, ...]]
    out: Any

    def reads(self, *values: Any) -> None:
        """The values among `values` that are open become the decisions of the layer; no region is used yet."""
        self.decisions = tuple(value for value in values if isinstance(value, Open))
        self.seen = set()

    def gates(self) -> tuple[Open, ...]:
        """The output width, where one decision sets it: see `gated`."""
        out = getattr(self, "out", None)
        return (out,) if isinstance(out, Open) and len(out.slots) == 1 else ()

    def gated(self, output: Tensor) -> Tensor:
        """`output` times the weight of the width that a sampled mixture takes: 1, through which that width's logits learn."""
        for width in self.gates():
            slot = width.slots[0]
            if slot.mixed is not None and slot.mixed.weights.requires_grad:
                output = slot.mixed.weights[slot.active] * output
        return output

    def note(self, region: tuple[int, ...]) -> None:
        """Remembers a region used by a forward pass that gradients will flow through."""
        if self.training and torch.is_grad_enabled():
            self.seen.add(region)

    def regions(self, name: str, region: tuple[int, ...]) -> Region:
        """The slices of parameter `name` that `region` stands for: the leading entries, unless a layer says otherwise."""
        return tuple(slice(n) for n in region)

    def plain(self) -> nn.Module:
        """Itself, where its state has the plain layer's entries: `extract` takes the leading slices."""
        return self


class Vectors(Elastic):
    """An elastic layer whose parameters have one number for each channel of its input, and which reads no decision."""

    def leading(self, n: int) -> tuple[Tensor | None, Tensor | None]:
        """The first `n` entries of weight and bias, which count as used."""
        self.note((n,))
        weight, bias = self._parameters["weight"], self._parameters["bias"]
        return None if weight is None else weight[:n], None if bias is None else bias[:n]


def widest(value: Any, name: str) -> int:
    """The largest option of a width, a kernel or a number of groups, or the fixed value itself.

    Args:
        value: fixed or open.
        name: what the layer calls the value, for the message.

    Raises:
        UserError: an option is no whole number of 1 or more.
    """
    options = value.meanings if isinstance(value, Open) else (value,)
    for option in options:
        if not isinstance(option, Integral) or option < 1:
            raise UserError(f"{named(value, name, option)}: give whole numbers of 1 or more, from fmap where they are computed")
    return max(options)


def divided(value: Any, groups: Any, name: str) -> Any:
    """The channels of a group, `value // groups`, open if one of the two is.

    Raises:
        UserError: a number of groups does not divide a width.
    """
    widest(value, name)
    widest(groups, "groups")

    def each(width: int, parts: int) -> int:
        if width % parts:
            raise UserError(
                f"{named(value, name, width)} is not a multiple of groups={parts}; give multiples alone, or compute the groups "
                "from the width, so that a group keeps its channels: groups=fmap(lambda width: width // 8, net.width)"
            )
        return width // parts

    return fmap(each, value, groups)


def named(value: Any, name: str, option: Any) -> str:
    """An option as messages name it: `c_out=6 of decision 'width'`."""
    return f"{name}={option!r}" + (f" of decision {' with '.join(map(repr, value.paths))}" if isinstance(value, Open) else "")


def elastic_layers(module: nn.Module) -> Iterator[Elastic]:
    """Every elastic layer in `module`."""
    yield from (m for m in module.modules() if isinstance(m, Elastic))
