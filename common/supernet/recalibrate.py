"""BatchNorm statistics of one path: re-estimated before it is judged, restored after, so that candidates never leak."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def batch_norms(module: nn.Module) -> list[_BatchNorm]:
    """Every batch normalisation in `module` that keeps running statistics."""
    return [m for m in module.modules() if isinstance(m, _BatchNorm) and m.running_mean is not None]


@contextmanager
def kept_statistics(module: nn.Module) -> Iterator[None]:
    """Whatever happens to BatchNorm statistics inside, they are as before at the end."""
    saved = [(buffer, buffer.clone()) for norm in batch_norms(module) for buffer in norm.buffers()]
    try:
        yield
    finally:
        for buffer, old in saved:
            buffer.copy_(old)


@torch.no_grad()
def recalibrate(module: nn.Module, batches: Iterable[Any], forward: Callable[[nn.Module, Any], object]) -> None:
    """Re-estimates the statistics of the active path: zero them, then average those of `batches` (each weighs the same).

    Only normalisations are put into training mode, so dropout stays off; every module's mode is as before at the end. SPOS and
    DetNAS (official code) do the same with 200 to 500 batches; a cumulative average needs fewer than their exponential one.

    Args:
        module: the (super)network, with the path to be judged active.
        batches: calibration data.
        forward: runs the module on a batch, as far as its normalisations go.
    """
    norms = batch_norms(module)
    modes = [(part, part.training) for part in module.modules()]  # not one mode for all: parts may be frozen
    momenta = [norm.momentum for norm in norms]
    module.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # torch's spelling of a cumulative average
        norm.train()
    try:
        for batch in batches:
            forward(module, batch)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for part, training in modes:
            part.training = training
