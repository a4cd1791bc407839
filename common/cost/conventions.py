"""What counts as a multiply-add. Papers differ, so a count names its convention.

A convention is a table: tensor operation -> rule. Operations without a rule are looked into (`common.cost.inside`). A convention
may count more than parameters and multiply-adds: operations on single bits, bits of weights, and sums of such amounts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import lcm
from operator import mul
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.errors import UserError

Rule = Callable[[Sequence[Any], Mapping[str, Any], Any], int]
"""The multiply-adds of an operation, or another amount, from its arguments, its keyword arguments and its result."""
Held = Callable[[nn.Module, str], int]
"""What one number of a parameter counts, from the module that has it and its name there."""
AMOUNTS = ("params", "macs")
"""What every convention counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Convention:
    """What counts as a multiply-add, and what else is counted: the costs of a network are a vector of named numbers.

    Attributes:
        name: What `Cost.convention` calls it.
        rules: Operation -> its rule. An operation that is left out on purpose has the rule `nothing`; one that has no rule and
            contains contractions, or takes weights, is reported as uncounted.
        inside: Whether the contractions inside of operations without a rule count.
        partly: Operations of which the rule counts a part. They are reported as uncounted too.
        beside: Further amounts that operations have: name -> operation -> rule; an operation without a rule has none of it.
        held: Further amounts that parameters have: name -> what one number of a parameter counts.
        sums: Further costs: name -> the weights of the amounts that they add up, by name.
        like: Operation of the project's own -> the torch operation that has the same arguments and gives results of the same
            shapes.
    """

    name: str
    rules: Mapping[Any, Rule]
    inside: bool = False
    partly: frozenset[Any] = frozenset()
    beside: Mapping[str, Mapping[Any, Rule]] = field(default_factory=dict)
    held: Mapping[str, Held] = field(default_factory=dict)
    sums: Mapping[str, Mapping[str, Fraction]] = field(default_factory=dict)
    like: Mapping[Any, Any] = field(default_factory=dict)

    def extended(self, name: str, rules: Mapping[Any, Rule]) -> Convention:
        """A convention with further rules, or other ones.

        >>> contractions.extended("with_fft", {torch.fft.fft: lambda args, kwargs, out: 5 * out.numel()}).name
        'with_fft'
        """
        every = {**self.rules, **rules}
        return replace(self, name=name, rules=every, partly=self.partly.difference(rules))

    @property
    def amounts(self) -> tuple[str, ...]:
        """What is counted, in order: parameters, multiply-adds, then amounts of parameters and of operations."""
        return (*AMOUNTS, *self.held, *self.beside)

    @property
    def costs(self) -> tuple[str, ...]:
        """The names of all costs: the amounts and their sums."""
        return (*self.amounts, *self.sums)

    def weights(self, cost: str) -> tuple[Fraction, ...]:
        """The weight of each amount in a cost.

        Raises:
            UserError: there is no such cost.
        """
        if cost not in self.costs:
            raise UserError(f"{self.name} does not count {cost!r}; it counts {', '.join(self.costs)}")
        by_name = self.sums.get(cost, {cost: Fraction(1)})
        return tuple(by_name.get(name, Fraction(0)) for name in self.amounts)

    def vector(self, amounts: Sequence[int]) -> dict[str, int]:
        """The costs by name; sums are rounded to the nearest whole number, halves upwards.

        Args:
            amounts: in the order of `amounts`.
        """
        found = dict(zip(self.amounts, amounts, strict=True))
        for name in self.sums:
            found[name] = rounded(amounts, *self.shares(name))
        return found

    def shares(self, cost: str) -> tuple[tuple[int, ...], int]:
        """The weights of `weights` as whole numbers, and what their sum is divided by."""
        weights = self.weights(cost)
        below = lcm(*(weight.denominator for weight in weights))
        return tuple(int(weight * below) for weight in weights), below


def rounded(amounts: Sequence[int], shares: Sequence[int], below: int) -> int:
    """The sum of amounts times shares over `below`, to the nearest whole number, halves upwards."""
    return (2 * sum(map(mul, amounts, shares)) + below) // (2 * below)


def argument(args: Sequence[Any], kwargs: Mapping[str, Any], position: int, name: str) -> Any:
    """An argument that is given by its position or by its name."""
    return args[position] if position < len(args) else kwargs[name]


def nothing(args: Sequence[Any], kwargs: Mapping[str, Any], out: Any) -> int:
    """The rule of operations that a convention leaves out on purpose."""
    return 0


def _convolution(args: Sequence[Any], kwargs: Mapping[str, Any], out: Tensor) -> int:
    return out.numel() * argument(args, kwargs, 1, "weight").shape[1:].numel()


def _transposed(args: Sequence[Any], kwargs: Mapping[str, Any], out: Tensor) -> int:
    return argument(args, kwargs, 0, "input").numel() * argument(args, kwargs, 1, "weight").shape[1:].numel()


def _linear(args: Sequence[Any], kwargs: Mapping[str, Any], out: Tensor) -> int:
    return out.numel() * argument(args, kwargs, 1, "weight").shape[-1]


def _projections(args: Sequence[Any], kwargs: Mapping[str, Any], out: Any) -> int:
    query, key, value = (argument(args, kwargs, i, name) for i, name in enumerate(("query", "key", "value")))
    return query.shape[-1] * (2 * query.numel() + key.numel() + value.numel())


def _bilinear(args: Sequence[Any], kwargs: Mapping[str, Any], out: Tensor) -> int:
    return out.numel() * argument(args, kwargs, 2, "weight").shape[1:].numel()


def _attention(args: Sequence[Any], kwargs: Mapping[str, Any], out: Tensor) -> int:
    """Queries by keys, and scores by values. A mask saves nothing."""
    query, key = argument(args, kwargs, 0, "query"), argument(args, kwargs, 1, "key")
    grouped = kwargs.get("enable_gqa", False)  # several heads of queries share one of keys
    scores = torch.broadcast_shapes(query.shape[:-2], query.shape[:-2] if grouped else key.shape[:-2])
    by_keys = torch.Size(scores).numel() * query.shape[-2] * query.shape[-1]
    return key.shape[-2] * (by_keys + out.numel())


def _recurrent(args: Sequence[Any], kwargs: Mapping[str, Any], out: Any) -> int:
    """Each matrix of every layer and direction, once for each step of each sequence."""
    packed = isinstance(args[1], Tensor) and args[1].dim() == 1  # (data, batch sizes, ...)
    weights = args[3] if packed else args[2]
    return args[0].shape[:-1].numel() * sum(weight.numel() for weight in weights if weight.dim() == 2)


def _cell(args: Sequence[Any], kwargs: Mapping[str, Any], out: Any) -> int:
    return args[0].shape[:-1].numel() * (args[2].numel() + args[3].numel())


_TRANSPOSED = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)
_LAYERS: Mapping[Any, Rule] = {
    **dict.fromkeys((F.conv1d, F.conv2d, F.conv3d), _convolution),
    **dict.fromkeys(_TRANSPOSED, _transposed),
    F.linear: _linear,
}

conv_linear = Convention(
    name="conv_linear",
    rules={**_LAYERS, F.multi_head_attention_forward: _projections},
    partly=frozenset({F.multi_head_attention_forward}),
)
"""Convolutions and linear layers only; no bias, norm, activation, pooling or interpolation.

What most papers on searched networks print, often under the name "FLOPs". The projections of an attention layer are linear layers
and count; the products of its queries, keys and values do not.
"""

contractions = Convention(
    name="contractions",
    rules={
        **_LAYERS,
        **{F.bilinear: _bilinear, F.scaled_dot_product_attention: _attention},
        **dict.fromkeys((torch.lstm, torch.gru, torch.rnn_tanh, torch.rnn_relu), _recurrent),
        **dict.fromkeys((torch.lstm_cell, torch.gru_cell, torch.rnn_tanh_cell, torch.rnn_relu_cell), _cell),
    },
    inside=True,
)
"""Every tensor contraction, that is every sum of products over a shared index: convolutions, linear and bilinear layers, matrix
products however they are written, attention with its projections, recurrent layers.

The default. What `torch.utils.flop_counter` counts, halved (its FLOPs are two for each multiply-add), and beyond it products of a
vector and what torch does not look into. Biases, norms, activations, pooling, interpolation and lookups count 0. A sparse matrix
counts as a dense one, a masked score of attention as any other.
"""


def _by_output(args: Sequence[Any], kwargs: Mapping[str, Any], out: Tensor) -> int:
    weight = argument(args, kwargs, 1, "weight")
    groups = args[6] if len(args) > 6 else kwargs.get("groups", 1)
    return out.numel() * (weight.shape[0] // groups) * weight.shape[2:].numel()


def _elements(args: Sequence[Any], kwargs: Mapping[str, Any], out: Tensor) -> int:
    return out.numel()


output_elements = conv_linear.extended(
    "output_elements",
    {**dict.fromkeys((F.batch_norm, F.instance_norm), _elements), **dict.fromkeys(_TRANSPOSED, _by_output)},
)
"""Every convolution by its output, transposed ones as well, and one for each output element of a batch or instance norm.

What GAN Compression prints (Li et al. 2020, 2003.08936): a transposed convolution of stride 2 counts four times what it computes.
Linear layers count as in `conv_linear`.
"""
