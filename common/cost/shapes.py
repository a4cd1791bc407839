"""Tensor operations on the meta device: shapes only, no arithmetic, and remembered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from common.cost.conventions import argument
from common.cost.infer import inferred

NORMS = {F.batch_norm, F.instance_norm}
_LAYERS = {F.conv1d, F.conv2d, F.conv3d, F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d, F.linear}
_ELEMENTWISE = {
    *(F.relu, F.relu6, F.leaky_relu, F.elu, F.gelu, F.silu, F.mish, F.hardtanh, F.hardswish, F.hardsigmoid),
    *(F.dropout, F.max_pool2d, F.avg_pool2d, F.adaptive_avg_pool2d, F.interpolate, F.sigmoid, F.pad),
    *(torch.relu, torch.sigmoid, torch.tanh, torch.add, torch.mul, torch.cat),
    *(torch.Tensor.relu, torch.Tensor.sigmoid, torch.Tensor.add, torch.Tensor.__add__, torch.Tensor.__radd__),
    *(torch.Tensor.mul, torch.Tensor.__mul__, torch.Tensor.__rmul__),
}
_PRODUCTS = {
    *(torch.matmul, torch.bmm, torch.Tensor.matmul, F.scaled_dot_product_attention),
    *(torch.lstm, torch.gru, torch.rnn_tanh, torch.rnn_relu),
}
_BY_SHAPE = _LAYERS | _ELEMENTWISE | _PRODUCTS
"""Operations that give new tensors, one or a tuple, whose shapes and types follow from the arguments' and from their numbers."""
_READS: Sequence[Any] = [
    *(torch.Tensor.shape, torch.Tensor.dtype, torch.Tensor.device, torch.Tensor.ndim, torch.Tensor.layout),
    *(torch.Tensor.requires_grad, torch.Tensor.is_nested, torch.Tensor.is_cuda, torch.Tensor.is_meta, torch.Tensor.grad_fn),
]
FREE = {
    *(_ELEMENTWISE | NORMS),
    *(read.__get__ for read in _READS),
    *(torch.Tensor.size, torch.Tensor.dim, torch.Tensor.numel, torch.Tensor.__getitem__, torch.Tensor.__iadd__),
    *(torch.Tensor.sub, torch.Tensor.__sub__, torch.Tensor.div, torch.Tensor.__truediv__, torch.Tensor.mean, torch.mean),
    *(torch.Tensor.view, torch.Tensor.reshape, torch.Tensor.flatten, torch.flatten, torch.Tensor.unflatten, torch.Tensor.chunk),
    *(torch.Tensor.transpose, torch.Tensor.permute, torch.Tensor.contiguous, torch.Tensor.expand, torch.Tensor.split),
    *(F.layer_norm, F.group_norm, F.softmax, F.embedding, torch.stack, torch.chunk, torch.split, torch.permute),
}
"""Operations that contain no contraction, so that nobody has to look into them."""
_MOST = 50_000
_Made = tuple[torch.Size, torch.dtype]
_shapes: dict[Any, _Made | list[_Made]] = {}  # what operations of `_BY_SHAPE` gave


def perform(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """`function(*args, **kwargs)` on the meta device.

    Shapes are remembered: an operation there is decomposed in Python and takes ten times as long as making its result, and
    networks repeat themselves.
    """
    if function in NORMS:
        like = argument(args, kwargs, 0, "input")
        return torch.empty(like.shape, dtype=like.dtype, device="meta")
    if function not in _BY_SHAPE:
        return function(*args, **kwargs)
    if (made := inferred(function, args, kwargs)) is not None:
        return torch.empty(made[0], dtype=made[1], device="meta")
    key = function, outline(args), outline(kwargs)
    try:
        known = _shapes.get(key)
    except TypeError:  # an argument that is no key
        return function(*args, **kwargs)
    if known is None:
        out = function(*args, **kwargs)
        if len(_shapes) >= _MOST:
            _shapes.clear()
        several = not isinstance(out, Tensor)
        _shapes[key] = [(part.shape, part.dtype) for part in out] if several else (out.shape, out.dtype)
        return out
    if isinstance(known, list):
        return tuple([torch.empty(shape, dtype=dtype, device="meta") for shape, dtype in known])
    return torch.empty(known[0], dtype=known[1], device="meta")


def outline(value: Any) -> Any:
    """What the shape of a result can depend on."""
    if isinstance(value, Tensor):
        return Tensor, value.shape, value.dtype
    if isinstance(value, tuple | list):
        return tuple([outline(part) for part in value])
    if isinstance(value, dict):
        return tuple([(key, outline(part)) for key, part in value.items()])
    return type(value), value


def tensors_in(value: Any) -> list[Tensor]:
    """Returns the tensors in nested tuples, lists and dicts, in order."""
    found: list[Tensor] = []
    _collect((value,), found)
    return found


def _collect(values: Any, found: list[Tensor]) -> None:
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, tuple | list):
            _collect(value, found)
        elif isinstance(value, dict):
            _collect(value.values(), found)
