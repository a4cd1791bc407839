"""What counts as a multiply-add. Papers differ, so a count names its convention.

A convention is a table: tensor operation -> rule. Operations without a rule are looked into (`common.cost.inside`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

Rule = Callable[[Sequence[Any], Mapping[str, Any], Any], int]
"""The multiply-adds of an operation, from its arguments, its keyword arguments and its result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Convention:
    """What counts as a multiply-add.

    Attributes:
        name: What `Cost.convention` calls it.
        rules: Operation -> its rule. An operation that is left out on purpose has the rule `nothing`; one that has no rule and
            contains contractions, or takes weights, is reported as uncounted.
        inside: Whether the contractions inside of operations without a rule count.
        partly: Operations of which the rule counts a part. They are reported as uncounted too.
    """

    name: str
    rules: Mapping[Any, Rule]
    inside: bool = False
    partly: frozenset[Any] = frozenset()

    def extended(self, name: str, rules: Mapping[Any, Rule]) -> Convention:
        """A convention with further rules, or other ones.

        >>> contractions.extended("with_fft", {torch.fft.fft: lambda args, kwargs, out: 5 * out.numel()}).name
        'with_fft'
        """
        every = {**self.rules, **rules}
        return Convention(name=name, rules=every, inside=self.inside, partly=self.partly.difference(rules))


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
