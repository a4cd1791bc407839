"""What the neural predictors share: layers drawn from a generator, targets in a unit of their own, one training loop.

Predictors are fitted again after every few queries, on a hundred points or so: what counts is the time of one small step. So
parameters are plain tensors, a batch is the whole training set, and the optimiser is one fused call.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from common.errors import UserError


@dataclass(frozen=True, slots=True)
class Scale:
    """Scores in units of their own spread.

    Attributes:
        centre: Mean of the scores fitted.
        spread: Their standard deviation, 1.0 where all are equal.
        constant: Whether all scores fitted are equal: then there is nothing to learn and `centre` is the prediction.
    """

    centre: float
    spread: float
    constant: bool

    @classmethod
    def of(cls, scores: Sequence[float]) -> Scale:
        """The scale of finite scores."""
        array = np.asarray(scores, dtype=np.float64)
        constant = bool(np.ptp(array) == 0.0)
        return cls(float(array[0]) if constant else float(array.mean()), 1.0 if constant else float(array.std()), constant)

    def standard(self, scores: Sequence[float]) -> Tensor:
        """Scores with mean 0 and standard deviation 1; shape (n,)."""
        array = (np.asarray(scores, dtype=np.float64) - self.centre) / self.spread
        return torch.from_numpy(array.astype(np.float32))

    def original(self, standard: Tensor) -> NDArray[np.float64]:
        """The inverse of `standard`."""
        return standard.double().numpy() * self.spread + self.centre


def dense(rng: torch.Generator, inputs: int, outputs: int) -> list[Tensor]:
    """Weight (outputs, inputs) and bias (outputs,) of a linear layer, uniform within 1/sqrt(inputs) as in `nn.Linear`."""
    bound = 1 / math.sqrt(inputs)
    return [torch.empty(*shape).uniform_(-bound, bound, generator=rng) for shape in ((outputs, inputs), (outputs,))]


def descend(parameters: Sequence[Tensor], loss: Callable[[int], Tensor], steps: int, rate: float, decay: float) -> None:
    """Minimises `loss(step)` over the parameters, in place, with AdamW.

    The rate falls from `rate` to 0 along a cosine and is bounded by a line from 0 to `rate` over the first fifth of the steps.
    Without that slow beginning some graph networks never recover from their first steps at full rate.
    """
    for parameter in parameters:
        parameter.requires_grad_(True)
    optimizer = torch.optim.AdamW(parameters, lr=rate, weight_decay=decay, fused=True)
    with torch.enable_grad():
        for step in range(steps):
            fall = 0.5 * (1 + math.cos(math.pi * step / steps))
            optimizer.param_groups[0]["lr"] = rate * min(fall, (step + 1) / (steps / 5 + 1))
            optimizer.zero_grad()
            loss(step).backward()
            optimizer.step()
    for parameter in parameters:
        parameter.requires_grad_(False)


def check_training(what: str, steps: int, rate: float, decay: float) -> None:
    """Refuses settings that `descend` cannot use.

    Raises:
        UserError: Fewer than one step, a rate that is not positive, or a negative decay.
    """
    if steps < 1:
        raise UserError(f"{what}: steps is {steps}: it must be at least 1")
    if not rate > 0:
        raise UserError(f"{what}: rate is {rate}: it must be above 0")
    if not decay >= 0:
        raise UserError(f"{what}: decay is {decay}: it must not be negative")
