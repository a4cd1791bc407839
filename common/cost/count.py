"""Parameters and multiply-adds (MACs) of any module, from one forward pass on the meta device: shapes only, no arithmetic.

Papers count differently, so a count names its convention. A convention is a function of one tensor operation.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

Convention = Callable[[Any, Sequence[Any], Mapping[str, Any], Any], int]
"""The multiply-adds of `function(*args, **kwargs) = out`."""

Forward = Callable[..., Any]
"""How to run a module: `forward(module, *inputs)`, for modules whose `__call__` is not the pass to count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a network costs.

    Attributes:
        params: learnable numbers, frozen ones and the affine weights of norms included; buffers are not.
        macs: multiply-adds of one pass over the whole batch given.
        convention: name of the function that counted `macs`.
    """

    params: int
    macs: int
    convention: str


def _argument(args: Sequence[Any], kwargs: Mapping[str, Any], position: int, name: str) -> Any:
    return args[position] if position < len(args) else kwargs[name]


_CONVOLUTIONS = {F.conv1d, F.conv2d, F.conv3d}
_TRANSPOSED = {F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d}


def conv_linear(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any], out: Any) -> int:
    """Convolutions and linear layers only; no bias, norm, activation, pooling or interpolation.

    What most papers on searched networks print, often under the name "FLOPs". The projections of an attention layer are linear
    layers and count; the products of its queries, keys and values do not.
    """
    if function in _CONVOLUTIONS:
        return out.numel() * _argument(args, kwargs, 1, "weight").shape[1:].numel()
    if function in _TRANSPOSED:
        return _argument(args, kwargs, 0, "input").numel() * _argument(args, kwargs, 1, "weight").shape[1:].numel()
    if function is F.linear:
        return out.numel() * _argument(args, kwargs, 1, "weight").shape[-1]
    if function is F.multi_head_attention_forward:
        query, key, value = (_argument(args, kwargs, i, name) for i, name in enumerate(("query", "key", "value")))
        return query.shape[-1] * (2 * query.numel() + key.numel() + value.numel())
    return 0


NORMS = {F.batch_norm, F.instance_norm}


def output_elements(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any], out: Any) -> int:
    """Every convolution by its output, transposed ones as well, and one for each output element of a batch or instance norm.

    What GAN Compression prints (Li et al. 2020, 2003.08936): a transposed convolution of stride 2 counts four times what it
    computes. Linear layers count as in `conv_linear`.
    """
    if function in NORMS:
        return out.numel()
    if function in _TRANSPOSED:
        weight = _argument(args, kwargs, 1, "weight")
        groups = args[6] if len(args) > 6 else kwargs.get("groups", 1)
        return out.numel() * (weight.shape[0] // groups) * weight.shape[2:].numel()
    return conv_linear(function, args, kwargs, out)


_BY_SHAPE = {
    *_CONVOLUTIONS,
    *_TRANSPOSED,
    *(F.linear, F.relu, F.relu6, F.leaky_relu, F.elu, F.gelu, F.silu, F.mish, F.hardtanh, F.hardswish, F.hardsigmoid),
    *(F.dropout, F.max_pool2d, F.avg_pool2d, F.adaptive_avg_pool2d, F.interpolate, F.sigmoid, F.pad),
    *(F.layer_norm, F.group_norm, F.embedding, F.scaled_dot_product_attention),
    *(torch.relu, torch.sigmoid, torch.tanh, torch.add, torch.mul, torch.cat),
    *(torch.Tensor.relu, torch.Tensor.sigmoid, torch.Tensor.add, torch.Tensor.__add__, torch.Tensor.__radd__),
    *(torch.Tensor.mul, torch.Tensor.__mul__, torch.Tensor.__rmul__),
}
"""Operations that give one new tensor, whose shape and type follow from the arguments' and from their numbers."""
_MOST = 50_000
_shapes: dict[Any, tuple[torch.Size, torch.dtype]] = {}  # what operations of `_BY_SHAPE` gave


def perform(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """`function(*args, **kwargs)` on the meta device.

    Shapes are remembered: an operation there is decomposed in Python and takes ten times as long as making its result, and
    networks repeat themselves.
    """
    if function in NORMS:
        like = _argument(args, kwargs, 0, "input")
        return torch.empty(like.shape, dtype=like.dtype, device="meta")
    if function not in _BY_SHAPE:
        return function(*args, **kwargs)
    key = function, _outline(args), _outline(kwargs)
    try:
        known = _shapes.get(key)
    except TypeError:  # an argument that is no key
        return function(*args, **kwargs)
    if known is None:
        out = function(*args, **kwargs)
        if len(_shapes) >= _MOST:
            _shapes.clear()
        _shapes[key] = out.shape, out.dtype
        return out
    return torch.empty(known[0], dtype=known[1], device="meta")


def _outline(value: Any) -> Any:
    """What the shape of a result can depend on."""
    if isinstance(value, Tensor):
        return Tensor, value.shape, value.dtype
    if isinstance(value, tuple | list):
        return tuple([_outline(part) for part in value])
    if isinstance(value, dict):
        return tuple([(key, _outline(part)) for key, part in value.items()])
    return type(value), value


class Meter(TorchFunctionMode):
    """Adds up the multiply-adds of every tensor operation while it is on."""

    def __init__(self, convention: Convention) -> None:
        super().__init__()
        self.convention = convention
        self.macs = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Runs `func` and counts it."""
        kwargs = kwargs or {}
        out = perform(func, args, kwargs)
        self.macs += self.convention(func, args, kwargs, out)
        return out


def on_meta(module: nn.Module) -> nn.Module:
    """A copy of `module` in eval mode whose parameters and buffers have shapes but no data."""
    memo: dict[int, Any] = {}
    for parameter in module.parameters():
        empty = torch.empty_like(parameter, device="meta")
        memo[id(parameter)] = nn.Parameter(empty, requires_grad=parameter.requires_grad)
    for buffer in module.buffers():
        memo[id(buffer)] = torch.empty_like(buffer, device="meta")
    return copy.deepcopy(module, memo).eval()


def run(module: nn.Module, inputs: Iterable[Tensor], forward: Forward | None, mode: TorchFunctionMode) -> Any:
    """A pass of `module`, itself on the meta device, under `mode`."""
    empty = [x.to("meta") for x in inputs]
    with torch.no_grad(), mode, torch.device("meta"):  # in this order what `mode` does itself is not looked at by the other
        return module(*empty) if forward is None else forward(module, *empty)


def count(
    module: nn.Module, inputs: Sequence[Tensor], *, forward: Forward | None = None, convention: Convention = conv_linear
) -> Cost:
    """Counts parameters and multiply-adds without computing anything.

    Args:
        module: any module, on any device; it is not changed. A shared parameter counts once.
        inputs: example inputs, one image usually; only shapes and types matter.
        forward: how to run it, where that is not `module(*inputs)`; a detector's raw outputs, for example.
        convention: what counts as a multiply-add.
    """
    meter = Meter(convention)
    run(on_meta(module), inputs, forward, meter)
    return Cost(
        params=sum(p.numel() for p in module.parameters()),
        macs=meter.macs,
        convention=getattr(convention, "__name__", type(convention).__name__),
    )
