"""What the tracer found of modules that it has run on inputs of the same shapes before.

A trace runs a module that reads decisions under every option, to compare the outputs. The comparison depends on the shapes of
the inputs alone, on the decisions behind them and on the options of the decisions inside the module. A later trace therefore runs
the active option only: 50 decisions of 50 options need 50 runs of each option, not 2,500.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from common.cost.dims import Dims, depends, mark, mark_rank, rank_depends
from common.cost.presence import Paths

_PLAIN = (int, float, str, bytes, type(None), torch.dtype, torch.device, frozenset)
_MOST = 100_000


class Known(NamedTuple):
    """What running all options of a module, or all members of a subset, has shown.

    Attributes:
        outputs: option numbers -> output of that option. An option that cannot take the inputs is not among them.
        seen: decisions behind the shapes that the options have read.
        dims: for each tensor of the output, the decisions that its dimensions depend on.
        rank: decisions that the number of dimensions depends on.
    """

    outputs: dict[tuple[int, ...], Any]
    seen: Paths
    dims: list[Dims]
    rank: Paths

    def marked(self) -> Callable[[Tensor], Tensor]:
        """Returns a function that copies the tensors of an output, given in order, and marks them with their decisions."""
        dims = iter(self.dims)

        def copied(tensor: Tensor) -> Tensor:
            twin = tensor.detach()  # an option that returns its input must not change what the input depends on
            mark(twin, next(dims))
            if self.rank:
                mark_rank(twin, self.rank)
            return twin

        return copied


class KnownRuns:
    """What is known of modules. It is emptied when it holds many outputs."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, Hashable], Known] = {}
        self._outputs = 0

    def get(self, module: nn.Module, key: Hashable) -> Known | None:
        """What is known of a module on inputs of these shapes; None if nothing is."""
        return None if key is None else self._known.get((id(module), key))

    def keep(self, module: nn.Module, key: Hashable, known: Known) -> None:
        """Keeps what was found. A `key` of None is not kept."""
        if key is None:
            return
        self._outputs += len(known.outputs)
        if self._outputs > _MOST:
            self._known.clear()
            self._outputs = len(known.outputs)
        self._known[id(module), key] = known


def described(value: Any) -> Hashable:
    """Everything that the shapes of a module's output can depend on, of its inputs; None where a part of it is not known."""
    try:
        return _described(value)
    except TypeError:
        return None


def _described(value: Any) -> Hashable:
    if isinstance(value, Tensor):
        return value.shape, value.dtype, depends(value), rank_depends([value])
    if isinstance(value, tuple | list):
        return type(value), tuple([_described(part) for part in value])
    if isinstance(value, dict):
        return tuple([(key, _described(part)) for key, part in value.items()])
    if isinstance(value, _PLAIN):
        return type(value), value
    raise TypeError(f"{type(value).__name__} is no value whose parts are known")
