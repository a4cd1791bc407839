"""Which parameters a module slices itself: nothing guards the idle parts of those that no elastic layer owns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

_SLICES = {
    *(Tensor.__getitem__, Tensor.narrow, Tensor.select, Tensor.index_select, Tensor.split, Tensor.chunk),
    *(torch.narrow, torch.select, torch.index_select, torch.split, torch.chunk),
}


class Slices(TorchFunctionMode):
    """While it is on, the sizes of the parts that are taken of some parameters are recorded.

    Args:
        parameters: name -> parameter to look at.

    Attributes:
        taken: name -> the sizes of its parts, those of the whole parameter apart; since `taken` was emptied last.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter]) -> None:
        super().__init__()
        self._names = {id(parameter): name for name, parameter in parameters.items()}
        self.taken: dict[str, set[torch.Size]] = {}

    def __torch_function__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        """Runs `func` and records what it takes of a parameter."""
        out = func(*args, **(kwargs or {}))
        if func in _SLICES and args and (name := self._names.get(id(args[0]))) is not None:
            parts = [out] if isinstance(out, Tensor) else [*out]
            self.taken.setdefault(name, set()).update(part.shape for part in parts if part.shape != args[0].shape)
        return out
