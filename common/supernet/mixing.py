"""Weighted sums of modules, and their recomputation: at any time the backward pass holds what one module has saved.

Checkpointing as in Chen et al. 2016 (https://arxiv.org/abs/1604.06174), one segment for each option of a decision.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from common.supernet.recalibrate import batch_norms
from common.trace import slots_of


def weighted_sum(terms: Sequence[tuple[Tensor, Callable[..., Any]]], inputs: Sequence[Any], recompute: bool) -> Tensor:
    """The sum over (weight, module) of `weight * module(*inputs)`, added in order.

    Modules that give zeros (their attribute `zeros` is true) are left out, unless there is nothing else. Where a module ends with
    a normalisation without weights, in training, its weight in the sum takes the place of those.

    Args:
        terms: at least one; weights are scalars.
        inputs: what every module is given; tensors, or lists and tuples of them.
        recompute: keep of each term its inputs alone, and run its module again in the backward pass. Values and gradients are the
            same bit for bit on one device; BatchNorm statistics are updated by the first run alone, and dropout repeats.
    """
    again = recompute and torch.is_grad_enabled()
    total: Tensor | None = None
    for weight, module in [term for term in terms if not getattr(term[1], "zeros", False)] or terms[:1]:
        run = _recomputed if again and isinstance(module, nn.Module) else weighted
        term = run(weight, module, inputs)
        total = term if total is None else total + term
    assert total is not None, "nothing to sum"
    return total


def weighted(weight: Tensor, module: Any, inputs: Sequence[Any]) -> Tensor:
    """`weight * module(*inputs)`, with the weight in the place of those that a last normalisation does not have."""
    parts = list(module) if isinstance(module, nn.Sequential) and type(module) is nn.Sequential else []
    norm = parts[-1] if len(parts) > 1 else None
    if not _free(norm) or not module.training or module._forward_hooks:
        return weight * module(*inputs)
    assert isinstance(norm, nn.BatchNorm2d)
    (x,) = inputs
    for part in parts[:-1]:
        x = part(x)
    if norm.num_batches_tracked is not None:
        norm.num_batches_tracked.add_(1)
    scale = weight.expand(norm.num_features).contiguous()
    return F.batch_norm(x, norm.running_mean, norm.running_var, scale, None, True, norm.momentum or 0.0, norm.eps)


def _free(norm: object) -> bool:
    """Whether a module is a plain BatchNorm without weights, which nobody watches."""
    if type(norm) is not nn.BatchNorm2d or norm.affine or norm.momentum is None:
        return False
    return not norm._forward_hooks and not norm._forward_pre_hooks


def _recomputed(weight: Tensor, module: Any, inputs: Sequence[Any]) -> Tensor:
    second = _SecondRun(module)

    def contexts() -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
        return nullcontext(), second

    def term(weight: Tensor, *inputs: Any) -> Tensor:
        return weighted(weight, module, inputs)  # the product too: its backward pass needs the module's output

    kept = [list(value) if isinstance(value, list) else value for value in inputs]  # a caller may append to its list of states
    return checkpoint(term, weight, *kept, use_reentrant=False, context_fn=contexts)


class _SecondRun:
    """Around a module's second run: decisions are as in the first, BatchNorm statistics and decisions afterwards as before.

    Statistics are kept by lending the norms copies, not by writing the old values back, which autograd would take for a change
    of what it has saved. A backward pass over a retained graph enters once more.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.first = [(slot, _setting(slot)) for slot in slots_of(module).values()]
        self.undo: list[list[Callable[[], None]]] = []

    def __enter__(self) -> None:
        undo: list[Callable[[], None]] = []
        for slot, setting in self.first:
            undo.append(_setter(slot, _setting(slot)))
            _setter(slot, setting)()
        for norm in batch_norms(self.module):
            for name, buffer in list(norm.named_buffers(recurse=False)):
                undo.append(_lent(norm, name, buffer))
        self.undo.append(undo)

    def __exit__(self, *_: object) -> None:
        for back in self.undo.pop():
            back()


def _setting(slot: Any) -> tuple[Any, ...]:
    return slot.active, slot.mixed, slot.recompute


def _setter(slot: Any, setting: tuple[Any, ...]) -> Callable[[], None]:
    def put() -> None:
        slot.active, slot.mixed, slot.recompute = setting

    return put


def _lent(norm: nn.Module, name: str, buffer: Tensor) -> Callable[[], None]:
    norm._buffers[name] = buffer.clone()

    def put() -> None:
        norm._buffers[name] = buffer

    return put
