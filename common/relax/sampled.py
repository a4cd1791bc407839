"""Weightings that sample one option, compute it alone and let all logits learn through its weight: GDAS and PDNAS."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

import torch
from torch import Tensor

from common.errors import UserError
from common.relax.weightings import Temperature, Weighting, check_logits, gumbel, ones_at, straight_through
from common.supernet.open import Mixed


class Sampling(Weighting):
    """A weighting by which every mixture is one option of weight 1; decisions that set a width can be weighted by it as well."""

    __slots__ = ()

    def factor(self, progress: float) -> float:
        """The option taken is the largest of logits + factor * Gumbel noise, the share `progress` of the search being done."""
        raise AssertionError("abstract")

    def sample(self, logits: Sequence[Tensor], rng: torch.Generator, progress: float) -> list[int]:
        """An option for each of the vectors of logits, in one go: those of `weigh`, called in that order with the same `rng`."""
        for values in logits:
            check_logits(values)
        if not logits:
            return []
        with torch.no_grad():
            together = torch.cat(list(logits))
            noisy: list[float] = (together + self.factor(progress) * gumbel(together, rng)).tolist()
        ends = list(accumulate(map(len, logits)))
        own = [noisy[start:end] for start, end in zip([0, *ends], ends, strict=False)]
        return [values.index(max(values)) for values in own]  # of equals the first

    def weigh_frozen(self, logits: Tensor, rng: torch.Generator, progress: float) -> Mixed:
        """The same weights as those of `weigh`, without their gradient."""
        (taken,) = self.sample([logits], rng, progress)
        return Mixed(ones_at((taken,), logits.detach()), (taken,))

    def probabilities(self, logits: Tensor) -> Tensor:
        """softmax(logits): how often options are drawn while the factor of the noise is 1."""
        check_logits(logits)
        return logits.softmax(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class HardGumbel(Sampling):
    """The largest of logits + G, G Gumbel noise, has weight 1 and alone is computed: GDAS (1910.04465, section 3.2).

    With h = softmax((logits + G) / temperature) and k the option drawn, weight k is 1 + h_k - stop(h_k). Every logit learns
    from the one output that is computed: with g_k = dL/d(weight k),

        dL/d(logit i) = g_k h_k (1{i=k} - h_i) / temperature

    so the options not drawn all move against the one drawn, in proportion to h. Departure: the released code adds the other
    weights (value 0) to the output as bare numbers, so that option i also gets the gradient of the sum of the output's
    entries, which has nothing to do with option i. The paper's equations have no such term, and neither has this.

    Attributes:
        temperature: 10 to 0.1, linear, as in the paper.
    """

    temperature: Temperature = Temperature(start=10.0, end=0.1)

    def weigh(self, logits: Tensor, rng: torch.Generator, progress: float) -> Mixed:
        """One-hot at an option drawn with probability softmax(logits), with the gradient of the soft weights."""
        check_logits(logits)
        noisy = logits + gumbel(logits, rng)
        return _one(noisy, (noisy / self.temperature.at(progress)).softmax(0))

    def factor(self, progress: float) -> float:
        """1: the temperature is of the gradient alone."""
        return 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnealedGumbel(Sampling):
    """The largest of log softmax(logits) + a G, G Gumbel noise, has weight 1 and alone is computed: PDNAS (2003.09676).

    The noise fades as the search goes on: a falls from 1 to 0, so that options are drawn in proportion to softmax(logits) first
    and the strongest alone is taken at last. The gradient is that of p = softmax(logits) without noise: with k the option drawn
    and g_k = dL/d(weight k), dL/d(logit i) = g_k p_k (1{i=k} - p_i). Departure: the paper makes p by a small network over a
    trainable prior; here logits are learnt directly. That a falls over the whole search is a reconstruction.

    Attributes:
        noise: a at the beginning and at the end of the search, 0 or more; above 0 if it falls exponentially.
        shape: how it falls, `linear` or `exponential` (equal ratios).

    Raises:
        UserError: the noise is out of range, or the shape unknown.
    """

    noise: tuple[float, float] = (1.0, 0.0)
    shape: Literal["linear", "exponential"] = "linear"

    def __post_init__(self) -> None:
        if self.shape not in ("linear", "exponential"):
            raise UserError(f"noise shape={self.shape!r}: it changes 'linear' or 'exponential' in the progress")
        least = 0.0 if self.shape == "linear" else 1e-300
        if not all(least <= a < math.inf for a in self.noise):
            raise UserError(f"noise={self.noise}: give two numbers of 0 or more; above 0 if the noise falls exponentially")

    def factor(self, progress: float) -> float:
        """a when the share `progress` of the search is done; raises `UserError` outside [0, 1]."""
        if not 0 <= progress <= 1:
            raise UserError(f"progress={progress}: the share of the search that is done lies between 0 and 1")
        start, end = self.noise
        if self.shape == "linear":
            return start + (end - start) * progress
        return start * (end / start) ** progress

    def weigh(self, logits: Tensor, rng: torch.Generator, progress: float) -> Mixed:
        """One-hot at the option drawn, with the gradient of softmax(logits)."""
        check_logits(logits)
        return _one(logits + self.factor(progress) * gumbel(logits, rng), logits.softmax(0))  # a shift of all changes nothing


def _one(values: Tensor, soft: Tensor) -> Mixed:
    """Weight 1 for the first of the largest values, 0 for the others, with the gradient of `soft`."""
    taken = int(values.argmax())
    return Mixed(straight_through(ones_at((taken,), values.detach()), soft), (taken,))
