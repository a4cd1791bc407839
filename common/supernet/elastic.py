"""What every elastic layer shares: the active part is the leading slices of the widest layer's tensors.

A constructor (`linear`, `conv2d`, ...) takes fixed numbers or `Open` decisions; with nothing open it returns the plain torch
layer. An elastic layer reads its *input* width from the tensor it is given, so a network passes widths on without saying so
twice. Leading slices as in Slimmable Networks (Yu et al., 2018) and BigNAS (Yu et al., 2020, section 3). A kernel is the centre
of the largest one.
"""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from common.errors import UserError
from common.space import ManyOf, OneOf, Repeat
from common.supernet.choice import Deciding
from common.supernet.open import Open, current, fmap, largest, meanings

Region = tuple[slice, ...]


class Elastic(Deciding):
    """A layer of which a region of the weights is active; remembers the regions that training steps used."""

    feature_axis: ClassVar[int] = 1
    """The dimension of its input whose width it slices its weights by; see `common.trace.feature_axis`."""
    sets_width: bool = False
    """Whether the width of its output is its own; see `common.trace.sets_width`."""
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

    def shaped_by(self) -> tuple[Open, ...] | None:
        """The decisions that set the width of the output; see `common.trace.shaped_by`."""
        return None

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
    if isinstance(value, OneOf | ManyOf | Repeat):
        raise UserError(f"{name} is a decision, {value!s:.80}; build the supernet of opened(space), a network of fixed values")
    for option in meanings(value):
        if not isinstance(option, Integral) or option < 1:
            raise UserError(f"{named(value, name, option)}: give whole numbers of 1 or more, from fmap where they are computed")
    return largest(value)


def pairs(width: Any, groups: Any, name: str) -> Any:
    """The widths with their numbers of groups, an open tuple if one of the two is open.

    Args:
        width: fixed or open.
        groups: fixed or open.
        name: what the layer calls the width.

    Raises:
        UserError: a number of groups does not divide a width, or a number is not a whole one of 1 or more.
    """
    widest(width, name)
    widest(groups, "groups")

    def pair(channels: int, parts: int) -> tuple[int, int]:
        if channels % parts:
            raise UserError(
                f"{named(width, name, channels)} is not a multiple of groups={parts}; give multiples alone, or compute the "
                "groups from the width, so that a group keeps its channels: groups=fmap(lambda width: width // 8, net.width)"
            )
        return channels, parts

    return fmap(pair, width, groups)


Groups = int | dict[int, int] | Open
"""A number of groups: fixed, by the width of the input, or a decision of its own."""


def grouped(width: Any, groups: Any, name: str) -> Groups:
    """The number of groups of a layer whose input has a width; arguments and errors as in `pairs`.

    A number that follows from the width is looked up by the width, not by the decisions behind it: a layer can then run with any
    of its widths, whatever the decisions are set to.

    Raises:
        UserError: the number follows from the width and from other decisions as well.
    """
    both = pairs(width, groups, name)
    if not isinstance(groups, Open):
        return groups
    table = dict(both.meanings)
    if set(table.items()) == set(both.meanings):
        return table
    if isinstance(width, Open) and any(slot in width.slots for slot in groups.slots):
        raise UserError(
            f"groups of decisions {' with '.join(map(repr, groups.paths))} are no function of {name}; give a number, compute it "
            "from the width alone, or give a decision of its own"
        )
    return groups


def number(groups: Groups, width: int) -> int:
    """The number of groups of an input.

    Raises:
        ValueError: the layer was not made for inputs of this width.
    """
    if not isinstance(groups, dict):
        return current(groups)
    if width not in groups:
        raise ValueError(f"expected an input of {' or '.join(map(str, groups))} channels, got {width}")
    return groups[width]


def named(value: Any, name: str, option: Any) -> str:
    """An option as messages name it: `c_out=6 of decision 'width'`."""
    return f"{name}={option!r}" + (f" of decision {' with '.join(map(repr, value.paths))}" if isinstance(value, Open) else "")


def elastic_layers(module: nn.Module) -> Iterator[Elastic]:
    """Every elastic layer in `module`."""
    yield from (m for m in module.modules() if isinstance(m, Elastic))
