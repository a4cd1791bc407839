"""Peak memory of a step, measured: what its tensors hold at most at one time."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import UntypedStorage
from torch.utils._python_dispatch import TorchDispatchMode

from common.cost.shapes import tensors_in


def peak_memory(step: Callable[[], object], device: torch.device | str = "cpu") -> int:
    """The most bytes that tensors made during `step` hold at one time.

    Counted: outputs of every operation, forward and backward, while anything keeps them alive (autograd included), and gradients
    that the step makes; shared storage counts once. Not counted: what was there before (weights, inputs, old gradients) and
    scratch space inside a kernel on the CPU. On CUDA it is the allocator's own figure, `max_memory_allocated` above what was
    allocated at the start, scratch space of kernels included. Run the step once before: the first one makes lasting buffers.

    Args:
        step: what is measured; run once, in this thread.
        device: where its tensors are; on any but CUDA storages are followed one by one.
    """
    gc.collect()  # garbage of before must not be freed in between
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        step()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    with _Storages() as storages:
        step()
    return storages.peak


class _Storages(TorchDispatchMode):
    """Follows every storage that an operation makes until it is freed."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.peak = 0
        self.sizes: dict[int, int] = {}  # by the storage's address; it is reused only after the storage is gone

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Runs `func`; new storages of its outputs count from here on."""
        given = {_key(tensor) for tensor in tensors_in([args, kwargs])}
        out = func(*args, **(kwargs or {}))
        for tensor in tensors_in(out):
            if _key(tensor) not in given:
                self._follow(tensor.untyped_storage())
        return out

    def _follow(self, storage: UntypedStorage) -> None:
        key = storage._cdata
        if key not in self.sizes:
            self.sizes[key] = storage.nbytes()
            weakref.finalize(storage, self._freed, key).atexit = False
            self.now += self.sizes[key]
            self.peak = max(self.peak, self.now)

    def _freed(self, key: int) -> None:
        self.now -= self.sizes.pop(key)


def _key(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage()._cdata
