"""The decisions that each dimension of a tensor depends on, and how they pass through an operation.

The output of a convolution does not depend on the width of its input, nor does a product of matrices on the dimension it sums
over. In one set for the whole tensor, every shape after twenty residual blocks of elastic inner width would depend on all twenty
widths, and a table of prices would have an entry for each combination.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from common.cost.conventions import argument
from common.cost.presence import NONE, Paths
from common.cost.shapes import NORMS, tensors_in

Dims = tuple[Paths, ...]
"""Dimension -> the decisions that its size depends on."""

_DEPENDS = "_depends_on"
_RANK = "_rank_depends_on"
_SQUEEZES = {torch.squeeze, torch.Tensor.squeeze, torch.Tensor.squeeze_}
"""Operations whose result has fewer dimensions where a size is 1."""


def depends(tensor: Tensor) -> Dims:
    """What each dimension of a tensor depends on."""
    known: Dims | None = getattr(tensor, _DEPENDS, None)
    return (NONE,) * tensor.dim() if known is None else known


def mark(tensor: Tensor, dims: Dims) -> None:
    """Records what each dimension of a tensor depends on."""
    setattr(tensor, _DEPENDS, dims)


def rank_depends(tensors: Iterable[Tensor]) -> Paths:
    """The decisions that the number of dimensions of any of the tensors depends on.

    A vector that is squeezed has no dimension at width 1, so that no dimension could say what its shape depends on.
    """
    found = NONE
    for tensor in tensors:
        found |= getattr(tensor, _RANK, NONE)
    return found


def mark_rank(tensor: Tensor, paths: Paths) -> None:
    """Records what the number of dimensions of a tensor depends on."""
    setattr(tensor, _RANK, paths)


def changes_rank(function: Any) -> bool:
    """Whether the number of dimensions of an operation's result depends on the sizes of its arguments."""
    return function in _SQUEEZES


def everything(tensors: Iterable[Tensor]) -> Paths:
    """The decisions that any dimension of any of the tensors depends on, or the number of their dimensions."""
    found = NONE
    for tensor in tensors:
        if known := getattr(tensor, _DEPENDS, None):
            found = found.union(*known)
        if (rank := getattr(tensor, _RANK, None)) is not None:
            found |= rank
    return found


def plus(dims: Dims, paths: Paths) -> Dims:
    """The same with further decisions for every dimension."""
    return tuple([paths | own for own in dims]) if paths else dims


def aligned(several: Iterable[Dims], rank: int) -> Dims | None:
    """The union, dimension by dimension, counted from the last one as in broadcasting; None where that does not fit."""
    found = [NONE] * rank
    for dims in several:
        if len(dims) > rank:
            return None
        for i, paths in enumerate(dims, rank - len(dims)):
            found[i] |= paths
    return tuple(found)


def through(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any], out: Tensor, all_paths: Paths) -> Dims:
    """What the dimensions of a result depend on.

    Args:
        function: the operation.
        args: its arguments.
        kwargs: its keyword arguments.
        out: its result, or one of its results.
        all_paths: what any dimension of any argument depends on.
    """
    rank = out.dim()
    if not all_paths:
        return (NONE,) * rank
    rule = _RULES.get(function)
    found = None if rule is None else rule(args, kwargs, out)
    return (all_paths,) * rank if found is None or len(found) != rank else found


Passing = Callable[[Sequence[Any], Mapping[str, Any], Tensor], Dims | None]
"""(arguments, keyword arguments, result) -> what its dimensions depend on; None where the rule does not apply."""


def _elementwise(args: Sequence[Any], kwargs: Mapping[str, Any], out: Tensor) -> Dims | None:
    return aligned(map(depends, tensors_in((args, kwargs))), out.dim())


def _convolution(args: Sequence[Any], kwargs: Mapping[str, Any], out: Tensor) -> Dims | None:
    x, weight = argument(args, kwargs, 0, "input"), argument(args, kwargs, 1, "weight")
    if x.dim() != weight.dim():
        return None
    of_weight = everything([weight])
    first, _, *space = depends(x)
    return first, of_weight, *[paths | of_weight for paths in space]


def _linear(args: Sequence[Any], kwargs: Mapping[str, Any], out: Tensor) -> Dims | None:
    x, weight = argument(args, kwargs, 0, "input"), argument(args, kwargs, 1, "weight")
    return (*depends(x)[:-1], depends(weight)[0])


def _matmul(args: Sequence[Any], kwargs: Mapping[str, Any], out: Tensor) -> Dims | None:
    left, right = map(depends, tensors_in((args, kwargs))[:2])
    if len(left) < 2 or len(right) < 2:
        return None
    batch = aligned((left[:-2], right[:-2]), out.dim() - 2)
    return None if batch is None else (*batch, left[-2], right[-1])


def _attention(args: Sequence[Any], kwargs: Mapping[str, Any], out: Tensor) -> Dims | None:
    query, key, value = (depends(argument(args, kwargs, i, name)) for i, name in enumerate(("query", "key", "value")))
    batch = aligned((query[:-2], key[:-2], value[:-2]), out.dim() - 2)
    return None if batch is None else (*batch, query[-2], value[-1])


def _einsum(args: Sequence[Any], kwargs: Mapping[str, Any], out: Tensor) -> Dims | None:
    if not isinstance(args[0], str) or "->" not in args[0] or "." in args[0]:
        return None
    letters, result = args[0].replace(" ", "").split("->")
    by_letter: dict[str, Paths] = {}
    for names, tensor in zip(letters.split(","), tensors_in(args[1:]), strict=True):
        for name, paths in zip(names, depends(tensor), strict=True):
            by_letter[name] = by_letter.get(name, NONE) | paths
    return tuple(by_letter[name] for name in result)


def _transpose(args: Sequence[Any], kwargs: Mapping[str, Any], out: Tensor) -> Dims | None:
    dims = list(depends(args[0]))
    i, j = argument(args, kwargs, 1, "dim0"), argument(args, kwargs, 2, "dim1")
    dims[i], dims[j] = dims[j], dims[i]
    return tuple(dims)


def _permute(args: Sequence[Any], kwargs: Mapping[str, Any], out: Tensor) -> Dims | None:
    order = argument(args, kwargs, 1, "dims")
    dims = depends(args[0])
    return tuple(dims[i] for i in (args[1:] if isinstance(order, int) else order))


def _turned(args: Sequence[Any], kwargs: Mapping[str, Any], out: Tensor) -> Dims | None:
    *batch, rows, columns = depends(args[0])
    return (*batch, columns, rows)


def _reshape(args: Sequence[Any], kwargs: Mapping[str, Any], out: Tensor) -> Dims | None:
    """A size that is given as a number depends on what the module has read; one of -1 depends on every dimension."""
    x, sizes = args[0], args[1:] or tuple(kwargs.values())
    if len(sizes) == 1 and isinstance(sizes[0], tuple | list):
        sizes = tuple(sizes[0])
    if not all(type(size) is int for size in sizes):
        return None
    whole = everything([x])
    return tuple([whole if size == -1 else NONE for size in sizes])


def _flatten(args: Sequence[Any], kwargs: Mapping[str, Any], out: Tensor) -> Dims | None:
    dims = depends(args[0])
    first = (args[1] if len(args) > 1 else kwargs.get("start_dim", 0)) % len(dims)
    last = (args[2] if len(args) > 2 else kwargs.get("end_dim", -1)) % len(dims)
    return (*dims[:first], NONE.union(*dims[first : last + 1]), *dims[last + 1 :])


def _unflatten(args: Sequence[Any], kwargs: Mapping[str, Any], out: Tensor) -> Dims | None:
    dims, sizes = depends(args[0]), argument(args, kwargs, 2, "sizes")
    place = argument(args, kwargs, 1, "dim") % len(dims)
    return (*dims[:place], *[dims[place] if size == -1 else NONE for size in sizes], *dims[place + 1 :])


def _reduce(args: Sequence[Any], kwargs: Mapping[str, Any], out: Tensor) -> Dims | None:
    dims = depends(args[0])
    over = args[1] if len(args) > 1 else kwargs.get("dim")
    if over is None:
        return None
    gone = {i % len(dims) for i in ([over] if isinstance(over, int) else over)}
    kept = len(dims) == out.dim()
    return tuple(NONE if i in gone else paths for i, paths in enumerate(dims) if kept or i not in gone)


def _unsqueeze(args: Sequence[Any], kwargs: Mapping[str, Any], out: Tensor) -> Dims | None:
    dims, i = depends(args[0]), argument(args, kwargs, 1, "dim") % out.dim()
    return (*dims[:i], NONE, *dims[i:])


def _index(args: Sequence[Any], kwargs: Mapping[str, Any], out: Tensor) -> Dims | None:
    dims, given = list(depends(args[0])), args[1] if isinstance(args[1], tuple) else (args[1],)
    found: list[Paths] = []
    for i, part in enumerate(given):
        if part is None:
            found.append(NONE)
        elif isinstance(part, slice):
            found.append(dims.pop(0))
        elif part is Ellipsis:
            rest = sum(p is not None for p in given[i + 1 :])
            found += dims[: len(dims) - rest]
            del dims[: len(dims) - rest]
        elif type(part) is int:
            dims.pop(0)
        else:
            return None
    return (*found, *dims)


_T = torch.Tensor
_RULES: dict[Any, Passing] = {
    **dict.fromkeys(
        (
            *(F.relu, F.relu6, F.leaky_relu, F.elu, F.gelu, F.silu, F.mish, F.hardtanh, F.hardswish, F.hardsigmoid, F.prelu),
            *(*NORMS, F.group_norm, F.layer_norm, F.rms_norm, F.softmax, torch.softmax, _T.softmax, F.dropout, F.sigmoid, F.pad),
            *(F.max_pool2d, F.avg_pool2d, F.adaptive_avg_pool2d, F.interpolate, torch.cat, torch.relu, torch.relu_),
            *(torch.sigmoid, torch.tanh, torch.add, torch.mul, torch.sub, torch.div, torch.chunk, torch.split, torch.where),
            *(_T.relu, _T.sigmoid, _T.tanh, _T.add, _T.add_, _T.__add__, _T.__radd__, _T.__iadd__, _T.mul, _T.mul_, _T.__mul__),
            *(_T.__rmul__, _T.__imul__, _T.sub, _T.__sub__, _T.__rsub__, _T.div, _T.__truediv__, _T.contiguous, _T.detach),
            *(
                _T.clone,
                _T.expand,
                _T.expand_as,
                _T.chunk,
                _T.split,
                _T.roll,
                torch.roll,
                _T.flip,
                _T.masked_fill,
                _T.to,
                _T.float,
            ),
        ),
        _elementwise,
    ),
    **dict.fromkeys((F.conv1d, F.conv2d, F.conv3d), _convolution),
    **dict.fromkeys((F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d), _convolution),
    **dict.fromkeys((torch.matmul, torch.bmm, torch.mm, _T.matmul, _T.__matmul__, _T.bmm, _T.mm), _matmul),
    **dict.fromkeys((torch.transpose, _T.transpose), _transpose),
    **dict.fromkeys((torch.permute, _T.permute), _permute),
    **dict.fromkeys((_T.mT.__get__, _T.T.__get__, torch.t, _T.t), _turned),  # pyright: ignore[reportAttributeAccessIssue]
    **dict.fromkeys((_T.view, _T.reshape, torch.reshape), _reshape),
    **dict.fromkeys((_T.flatten, torch.flatten), _flatten),
    **dict.fromkeys((_T.unflatten, torch.unflatten), _unflatten),
    **dict.fromkeys((torch.mean, _T.mean, torch.sum, _T.sum, torch.amax, _T.amax), _reduce),
    **dict.fromkeys((torch.unsqueeze, _T.unsqueeze), _unsqueeze),
    **{F.linear: _linear, F.scaled_dot_product_attention: _attention, torch.einsum: _einsum, _T.__getitem__: _index},
}
"""Operations that keep dimensions apart. Of any other, every dimension depends on all that its arguments depend on."""
