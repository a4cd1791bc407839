"""What an operation contains: the contractions and other work inside of it, as torch's own kernels report them.

`torch.einsum` is a batched matrix product after some permutations, `F.multi_head_attention_forward` is four products with weights
and two between activations. Instead of a formula for each such function, the function is run on the meta device once for each set
of shapes, and its kernels are counted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Literal, NamedTuple

import torch
from torch import nn
from torch.overrides import resolve_name
from torch.utils._python_dispatch import TorchDispatchMode

from common.cost.shapes import outline, tensors_in

_LEFT = {
    **dict.fromkeys(("mm", "bmm", "mv", "dot", "vdot", "_int_mm", "_scaled_mm"), 0),
    **dict.fromkeys(("addmm", "addbmm", "baddbmm", "addmv", "_addmm_activation"), 1),
}
"""Kernels of products -> position of the left factor, after which the right one comes."""
_FREE = re.compile(
    r"((nan)?(sum|median)|mean|amax|amin|max|min|aminmax|argmax|argmin|std|std_mean|var|var_mean|logsumexp|prod|any|all|equal|"
    r"cumsum|cumprod|cummax|cummin|trace|histc|sort|topk|kthvalue|bucketize|searchsorted|nonzero|item|local_scalar_dense|"
    r"cat|stack|block_diag|where|repeat|repeat_interleave|roll|flip|rot90|tril|triu|diag_embed|take|one_hot|unsafe_view|squeeze|"
    r"transpose|im2col|col2im|unsafe_split|complex|polar|linalg_cross|promote_types|scalar_tensor|fill|zero|empty|zeros|ones|full|"
    r"arange|bernoulli|uniform|normal|rand|randn|exponential|multinomial)"
    r"|.*(norm|pool|_pad|upsample|softmax|embedding|copy|dropout|_like|new_|index|scatter|gather|grid_sampler|shuffle|relu|glu|loss).*"
)
"""Kernels without contractions: reductions, norms, pooling, interpolation, lookups, and what moves numbers or makes them."""
_HEAVY = re.compile(r".*(attention|attn|fft|linalg|dist(_|$)|conv_|convolution|lstm|gru|rnn|mm(_|$)|solve|cholesky).*")
"""Kernels whose work grows faster than their tensors."""

Kind = Literal["product", "convolution", "free", "heavy", "other"]


class Found(NamedTuple):
    """What an operation contains.

    Attributes:
        macs: Multiply-adds of its contractions.
        heavy: Whether it has another kernel that does more than one multiply-add or so for each number.
        odd: Whether it has a kernel of which nothing is known.
    """

    macs: int
    heavy: bool
    odd: bool


class _Inside(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.macs = 0
        self.kinds: set[Kind] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kind = _kind(func)
        if kind in ("heavy", "other"):  # what torch composes of other kernels, in inference mode
            with self:
                out = func.decompose(*args, **(kwargs or {}))
            if out is not NotImplemented:
                return out
        out = func(*args, **(kwargs or {}))
        self.kinds.add(kind)
        if kind == "product":
            left, right = args[_LEFT[_name(func)] :][:2]
            self.macs += left.numel() * (right.shape[-1] if right.dim() > 1 else 1)
        elif kind == "convolution":
            self.macs += (args[0] if args[6] else out).numel() * args[1].shape[1:].numel()
        return out


def _name(kernel: Any) -> str:
    return kernel._opname.removesuffix("_")


@cache
def _kind(kernel: Any) -> Kind:
    name = _name(kernel)
    if kernel.namespace == "aten":
        if name in _LEFT:
            return "product"
        if name == "convolution":
            return "convolution"
        if kernel.is_view or torch.Tag.pointwise in kernel.tags or _FREE.fullmatch(name.removeprefix("_")):
            return "free"
    return "heavy" if _HEAVY.fullmatch(name) else "other"


_MOST = 50_000
_known: dict[Any, Found] = {}


def look(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, Found]:
    """Runs a function and looks inside, once for each set of shapes.

    Returns:
        Its result, and what it contains.
    """
    key = function, outline(args), outline(kwargs)
    try:
        known = _known.get(key)
    except TypeError:  # an argument that is no key
        key, known = None, None
    if known is not None:
        return function(*args, **kwargs), known
    with _Inside() as inside:
        out = function(*args, **kwargs)
    found = Found(inside.macs, "heavy" in inside.kinds, "other" in inside.kinds)
    if key is not None:
        if len(_known) >= _MOST:
            _known.clear()
        _known[key] = found
    return out, found


def learns(args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    """Whether a parameter, or a part of one, is among the arguments."""
    return any(isinstance(x, nn.Parameter) or isinstance(x._base, nn.Parameter) for x in tensors_in((args, kwargs)))


def name_of(function: Any) -> str:
    """The name of an operation as one types it."""
    return resolve_name(function) or f"{function.__module__}.{function.__qualname__}"
