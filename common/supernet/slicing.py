"""Which parameters a module slices itself: nothing guards the idle parts of those that no elastic layer owns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

_SLICES = {
    *(Tensor.__getitem__, Tensor.narrow, Tensor.select, Tensor.index_select, Tensor.split, Tensor.chunk),
    *(torch.narrow, torch.select, torch.index_select, torch.split, torch.chunk, torch.functional.split),
    *(torch.hsplit, torch.vsplit, torch.dsplit, Tensor.hsplit, Tensor.vsplit, Tensor.dsplit),
    *(
        Tensor.unbind,
        Tensor.__iter__,
        Tensor.tensor_split,
        Tensor.split_with_sizes,
        Tensor.gather,
        Tensor.take,
        Tensor.as_strided,
    ),
    *(torch.tensor_split, torch.split_with_sizes, torch.gather, torch.take, torch.as_strided, torch.masked_select),
    *(Tensor.masked_select, Tensor.unfold, Tensor.take_along_dim, torch.take_along_dim, Tensor.narrow_copy, torch.narrow_copy),
}


class Slices(TorchFunctionMode):
    """While it is on, the sizes of the parts that are taken of some parameters, or of views of them, are recorded.

    Args:
        parameters: name -> parameter to look at.

    Attributes:
        taken: name -> the sizes of its parts, those of the whole parameter apart; since `taken` was emptied last.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter]) -> None:
        super().__init__()
        self._names = {storage: name for name, parameter in parameters.items() if (storage := _storage(parameter))}
        self.taken: dict[str, set[torch.Size]] = {}

    def __torch_function__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        """Runs `func` and records what it takes of a parameter."""
        out = func(*args, **(kwargs or {}))
        if func in _SLICES and args and isinstance(args[0], Tensor) and (name := self._names.get(_storage(args[0]))) is not None:
            parts = [out] if isinstance(out, Tensor) else [*out]
            self.taken.setdefault(name, set()).update(part.shape for part in parts if part.shape != args[0].shape)
        return out


def _storage(tensor: Tensor) -> int:
    """Where the memory of a tensor begins, which its views share; 0 where it has none."""
    return tensor.untyped_storage().data_ptr() if tensor.layout is torch.strided and not tensor.is_meta else 0
