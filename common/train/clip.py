"""Scaling gradients down that are too large."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """The largest norm of a gradient.

    Attributes:
        norm: of all parameters' gradients together, or of each one's.
        each: whether every tensor is clipped on its own, as `tf.clip_by_norm` does; else all keep their proportions.
    """

    norm: float
    each: bool = False

    def apply(self, parameters: Iterable[nn.Parameter]) -> float:
        """Scales gradients down in place; gives the norm of all together before."""
        trained = [p for p in parameters if p.grad is not None]
        if not self.each:
            return float(nn.utils.clip_grad_norm_(trained, self.norm))
        total = float(nn.utils.get_total_norm([p.grad for p in trained if p.grad is not None]))
        with torch.no_grad():
            for parameter in trained:
                nn.utils.clip_grad_norm_([parameter], self.norm)
        return total
