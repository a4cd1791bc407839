"""The shapes of the results of frequent operations, by formula.

The first operation on the meta device imports hundreds of torch's modules, which takes longer than most traces, and each later
one takes ten times as long as making its result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

Made = tuple[Sequence[int], torch.dtype]


def inferred(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Made | None:
    """Shape and type of the result of an operation; None where no formula holds, errors included: run the operation then."""
    rule = _RULES.get(function)
    if rule is None or "out" in kwargs or not all(tensor.is_meta for tensor in _operands(args)):
        return None
    return rule(args, kwargs)


def _operands(args: Sequence[Any]) -> Iterator[Tensor]:
    for value in args:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, tuple | list):
            yield from (part for part in value if isinstance(part, Tensor))


def _same(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Made | None:
    if not args or not isinstance(x := args[0], Tensor) or not x.is_floating_point():
        return None
    return x.shape, x.dtype


def _both(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Made | None:
    if len(args) != 2 or kwargs:
        return None
    one, other = args
    if isinstance(one, Tensor) and type(other) in (int, float) and one.is_floating_point():
        return one.shape, one.dtype
    if not (isinstance(one, Tensor) and isinstance(other, Tensor)) or one.dtype is not other.dtype:
        return None
    if one.shape == other.shape:
        return one.shape, one.dtype
    if len(one.shape) < len(other.shape):
        one, other = other, one
    sizes, missing = list(one.shape), len(one.shape) - len(other.shape)
    for i, n in enumerate(other.shape, missing):
        if sizes[i] != n:
            if n != 1 and sizes[i] != 1:
                return None
            sizes[i] = n if sizes[i] == 1 else sizes[i]
    return sizes, one.dtype


def _linear(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Made | None:
    if kwargs or not 2 <= len(args) <= 3:
        return None
    x, weight, bias = args[0], args[1], args[2] if len(args) > 2 else None
    if x.layout is not torch.strided or not x.is_floating_point() or x.dtype is not weight.dtype:
        return None
    if weight.dim() != 2 or not x.dim() or x.shape[-1] != weight.shape[1] or not _fits(bias, weight):
        return None
    return (*x.shape[:-1], weight.shape[0]), x.dtype


def _convolution(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Made | None:
    if kwargs or len(args) != 7:
        return None
    x, weight, bias, stride, padding, dilation, groups = args
    dims = weight.dim() - 2
    if x.dim() != weight.dim() or x.dtype is not weight.dtype or not _fits(bias, weight) or isinstance(padding, str):
        return None
    if weight.shape[1] * groups != x.shape[1] or weight.shape[0] % groups:
        return None
    sizes = [x.shape[0], weight.shape[0]]
    for i, (s, p, d) in enumerate(zip(*(_tuple(value, dims) for value in (stride, padding, dilation)), strict=True), 2):
        sizes.append((x.shape[i] + 2 * p - d * (weight.shape[i] - 1) - 1) // s + 1)
    return (sizes, x.dtype) if min(sizes) > 0 else None


def _fits(bias: Tensor | None, weight: Tensor) -> bool:
    return bias is None or (bias.dtype is weight.dtype and tuple(bias.shape) == (weight.shape[0],))


def _tuple(value: Any, dims: int) -> Sequence[int]:
    return (value,) * dims if isinstance(value, int) else value


def _cat(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Made | None:
    if kwargs or not 1 <= len(args) <= 2 or not isinstance(args[0], tuple | list) or not args[0]:
        return None
    tensors, first = args[0], args[0][0]
    rank, at = first.dim(), args[1] if len(args) > 1 else 0
    if type(at) is not int or not -rank <= at < rank:
        return None
    at %= rank
    for tensor in tensors:
        if tensor.dtype is not first.dtype or tensor.dim() != rank:
            return None
        if any(n != m for i, (n, m) in enumerate(zip(tensor.shape, first.shape, strict=True)) if i != at):
            return None
    sizes = list(first.shape)
    sizes[at] = sum(tensor.shape[at] for tensor in tensors)
    return sizes, first.dtype


_T = torch.Tensor
_RULES: dict[Any, Callable[[Sequence[Any], Mapping[str, Any]], Made | None]] = {
    **dict.fromkeys(
        (
            *(F.relu, F.relu6, F.leaky_relu, F.elu, F.gelu, F.silu, F.mish, F.hardtanh, F.hardswish, F.hardsigmoid),
            *(F.dropout, F.sigmoid, torch.relu, torch.sigmoid, torch.tanh, _T.relu, _T.sigmoid, _T.tanh),
        ),
        _same,
    ),
    **dict.fromkeys((torch.add, torch.mul, _T.add, _T.__add__, _T.__radd__, _T.mul, _T.__mul__, _T.__rmul__), _both),
    **dict.fromkeys((F.conv1d, F.conv2d, F.conv3d), _convolution),
    **{F.linear: _linear, torch.cat: _cat},
}
