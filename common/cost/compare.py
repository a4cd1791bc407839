"""How the outputs of a module differ under the options of the decisions that it reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

from torch import Tensor

from common.cost.dims import Dims, aligned, depends, everything, mark, plus, rank_depends
from common.cost.presence import NONE, Paths
from common.cost.shapes import tensors_in
from common.trace import Reading


def shapes_of(value: Any) -> Any:
    """Everything that code after a module can read from the module's output without data: shapes and plain values."""
    if isinstance(value, Tensor):
        return value.shape
    if isinstance(value, tuple | list):
        return tuple(shapes_of(part) for part in value)
    if isinstance(value, dict):
        return tuple((key, shapes_of(part)) for key, part in value.items())
    return value if isinstance(value, int | float | str) else type(value)


def mapped(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """Returns nested tuples, lists and dicts with `change(tensor)` in the place of every tensor."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(mapped(part, change) for part in value))
    if isinstance(value, tuple | list):
        return type(value)(mapped(part, change) for part in value)
    return {key: mapped(part, change) for key, part in value.items()} if isinstance(value, dict) else value


def merged(
    outputs: dict[tuple[int, ...], Any], active: tuple[int, ...], paths: list[str], unknown: Paths
) -> tuple[list[Dims], Paths]:
    """The decisions that change the shape of the active output, and those that any option's output depends on.

    Returns:
        For each tensor of the active output what its dimensions depend on, and what the number of dimensions depends on.
    """
    shapes = {combination: shapes_of(value) for combination, value in outputs.items()}
    tensors = {combination: tensors_in(value) for combination, value in outputs.items()}
    sizes = {combination: tuple([tensor.shape for tensor in found]) for combination, found in tensors.items()}
    every = [tensor for found in tensors.values() for tensor in found]
    comparable = len({tuple(map(len, found)) for found in sizes.values()}) == 1
    differ = len(set(sizes.values())) > 1
    if not (differ and comparable):  # numbers, or the nesting of the output
        unknown |= mattering(paths, shapes)
    rank = rank_depends(every)
    if not comparable:
        unknown |= everything(every)
        rank |= unknown
    dims = []
    for i, tensor in enumerate(tensors[active]):
        theirs: Dims = (NONE,) * tensor.dim()
        if comparable:
            theirs = aligned([depends(found[i]) for found in tensors.values()], tensor.dim()) or theirs
        if differ and comparable:
            by_size = [{key: found[i][d] for key, found in sizes.items()} for d in range(tensor.dim())]
            theirs = tuple([own | mattering(paths, size) for own, size in zip(theirs, by_size, strict=True)])
        dims.append(plus(theirs, unknown))
    return dims, rank


def setting(readings: Sequence[Reading]) -> Paths:
    """The decisions of an elastic layer that change its output's width."""
    found = NONE
    for reading in readings:
        combinations = product(*(range(n) for n in reading.sizes))
        found |= mattering([slot.path for slot in reading.slots], dict(zip(combinations, reading.meanings, strict=True)))
    return found


def widened(out: Tensor, axis: int, width: Paths) -> Tensor:
    """The output of an elastic layer whose width depends on further decisions."""
    if width:
        at = axis % out.dim()
        mark(out, tuple([paths | width if i == at else paths for i, paths in enumerate(depends(out))]))
    return out


def mattering(paths: list[str], results: dict[tuple[int, ...], Any]) -> Paths:
    """The decisions that change the result when the other decisions keep their options."""
    found: set[str] = set()
    for position, path in enumerate(paths):
        apart: dict[tuple[int, ...], Any] = {}
        for combination, result in results.items():
            rest = (*combination[:position], *combination[position + 1 :])
            if apart.setdefault(rest, result) != result:
                found.add(path)
    return frozenset(found)
