"""Weightings: how the logits of one decision become the weights that its options are mixed with.

All of them share one interface, `Weighting`; what differs is the forward value, the gradient and which options are computed.
Here are those whose weights follow smoothly from the logits, with and without noise. Weights 0 and 1 are given by
`common.relax.sampled`, where one option is computed alone, and by `common.relax.gates`.

DARTS itself has no weights on edges: the inputs of a node are summed, which is `Mixed(torch.ones(n))` without logits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from common.errors import UserError
from common.supernet.open import Mixed


class Weighting(Protocol):
    """What turns the logits of a decision, shape (n,), one per option (of a `ManyOf`: per member), into weights.

    `rng` may live on another device than the logits: noise is drawn where `rng` is, so that a seed means the same weights
    everywhere. Each method that takes it uses a number of draws that depends on n alone. `progress` in [0, 1] is the share of
    the search that is done. Logits that are not of shape (n,) with n >= 1 raise `UserError`.
    """

    __slots__ = ()

    def weigh(self, logits: Tensor, rng: torch.Generator, progress: float) -> Mixed:
        """The mixture of a step that learns the logits: differentiable in them."""
        ...

    def weigh_frozen(self, logits: Tensor, rng: torch.Generator, progress: float) -> Mixed:
        """The mixture of a step that learns the network's weights alone: no gradient reaches the logits.

        Options that only the gradient of the logits needs are not computed. Where there are none this is `weigh`.
        """
        with torch.no_grad():
            return self.weigh(logits, rng, progress)

    def after_step(self, logits: Tensor, before: Tensor) -> None:
        """Puts the logits, in place, where they may be, after an optimiser moved them from `before`; by default anywhere."""
        return None

    def probabilities(self, logits: Tensor) -> Tensor:
        """How strong each option is, shape (n,), within [0, 1], differentiable and without noise.

        For entropies, expected costs and discretisation. It sums to 1 unless the options do not compete (`Sigmoid`, `OneHot`).
        """
        ...


def check_logits(logits: Tensor) -> None:
    """Refuses what is not one logit per option."""
    if logits.dim() != 1 or not len(logits):
        raise UserError(f"logits of shape {tuple(logits.shape)}: a decision takes one logit per option, for at least one option")


def gumbel(like: Tensor, rng: torch.Generator) -> Tensor:
    """Standard Gumbel noise in the shape, type and place of `like`: -log(-log u), u uniform, made in double precision.

    (`torch.nn.functional.gumbel_softmax` and `torch.distributions` draw from the global generator only.)
    """
    uniform = torch.rand(like.shape, generator=rng, device=rng.device, dtype=torch.float64)
    return -torch.log(-torch.log(uniform.clamp_min(2.0**-54))).to(like)  # torch.rand gives multiples of 2^-53, 0 among them


def sample_options(logits: Tensor, count: int, rng: torch.Generator) -> tuple[int, ...]:
    """`count` different options, in ascending order: one after the other in proportion to softmax(logits), without return.

    They are the largest of logits + Gumbel noise (Gumbel-top-k, 1903.06059, section 3): n draws whatever `count` is.
    """
    with torch.no_grad():
        return largest(logits + gumbel(logits, rng), count)


def largest(values: Tensor, count: int) -> tuple[int, ...]:
    """The `count` largest values' positions, in ascending order; of equal values the first."""
    order: list[int] = torch.argsort(values.detach(), descending=True, stable=True)[:count].tolist()
    return tuple(sorted(order))


def ones_at(live: tuple[int, ...], like: Tensor) -> Tensor:
    """Ones at the positions `live`, zeros elsewhere, in the shape of `like`."""
    ones = torch.zeros_like(like)
    ones[list(live)] = 1
    return ones


def straight_through(hard: Tensor, soft: Tensor) -> Tensor:
    """The value of `hard`, exactly, with the gradient of `soft` (1308.3432)."""
    return hard + (soft - soft.detach())


@dataclass(frozen=True, slots=True, kw_only=True)
class Temperature:
    """A temperature that goes from `start` to `end` as the search goes on.

    Attributes:
        start: Temperature at progress 0, above 0.
        end: Temperature at progress 1, above 0. Gradients grow like 1/temperature; SNAS found 0.03 the least that is usable.
        shape: `linear`, or `exponential` (equal ratios).

    Raises:
        UserError: a temperature is not a positive number, or the shape is unknown.
    """

    start: float
    end: float
    shape: Literal["linear", "exponential"] = "linear"

    def __post_init__(self) -> None:
        for name, value in (("start", self.start), ("end", self.end)):
            if not 0 < value < math.inf:
                raise UserError(f"temperature {name}={value}: temperatures are positive numbers")
        if self.shape not in ("linear", "exponential"):
            raise UserError(f"temperature shape={self.shape!r}: it changes 'linear' or 'exponential' in the progress")

    def at(self, progress: float) -> float:
        """The temperature when the share `progress` of the search is done; raises `UserError` outside [0, 1]."""
        if not 0 <= progress <= 1:
            raise UserError(f"progress={progress}: the share of the search that is done lies between 0 and 1")
        if self.shape == "linear":
            return self.start + (self.end - self.start) * progress
        return self.start * (self.end / self.start) ** progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Softmax(Weighting):
    """Weights softmax(logits / temperature): DARTS (1806.09055, section 2.2, equation 2), whose temperature is 1.

    BATS (2003.01711, section 3.2) has one below 1, so that a mixture is nearer to the one option that is derived from it.

    On the edges of a node, a `ManyOf`, this is the edge normalisation of PC-DARTS (1907.05737, section 3.3).

    With `keep` below 1 each draw computes a part of the options only, and softmax runs over the logits of those: path sampling
    of DCNAS (2003.11883), whose code is not public. A reconstruction: the share, how paths are drawn and that the weights are
    normalised over the kept ones are not taken from it.

    Attributes:
        keep: Share of the options that are computed, in (0, 1]: ceil(keep * n) of n, so at least one. At 1 nothing is drawn.
        drawn: `uniform`, or `proportional` to softmax(logits) (one after the other, without return).
        temperature: by which logits are divided; 1 throughout in DARTS.

    Raises:
        UserError: `keep` is outside (0, 1], or `drawn` is unknown.
    """

    keep: float = 1.0
    drawn: Literal["uniform", "proportional"] = "uniform"
    temperature: Temperature = Temperature(start=1.0, end=1.0)

    def __post_init__(self) -> None:
        if not 0 < self.keep <= 1:
            raise UserError(f"keep={self.keep}: the share of options computed is above 0 and at most 1")
        if self.drawn not in ("uniform", "proportional"):
            raise UserError(f"drawn={self.drawn!r}: options are drawn 'uniform' or 'proportional' to their probabilities")

    def weigh(self, logits: Tensor, rng: torch.Generator, progress: float) -> Mixed:
        """Softmax over the options kept; the others get weight 0 and no gradient."""
        check_logits(logits)
        sharp = logits / self.temperature.at(progress)
        if self.keep == 1:
            return Mixed(sharp.softmax(0))
        count = math.ceil(self.keep * len(logits) - 1e-9)  # 0.07 * 100 is a little above 7
        live = sample_options(logits if self.drawn == "proportional" else torch.zeros_like(logits), count, rng)
        return Mixed(scattered(sharp[list(live)].softmax(0), live, logits), live)

    def probabilities(self, logits: Tensor) -> Tensor:
        """Softmax over all options, at the temperature of the end: what is derived are the strongest options of that mixture."""
        check_logits(logits)
        return (logits / self.temperature.end).softmax(0)


def scattered(values: Tensor, live: tuple[int, ...], like: Tensor) -> Tensor:
    """`values` at the positions `live`, zeros elsewhere, in the shape of `like`; differentiable in `values`."""
    return torch.zeros_like(like).index_copy(0, torch.tensor(live, dtype=torch.long, device=like.device), values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sigmoid(Weighting):
    """Weights sigmoid(logits), each of its own: options cooperate. FairDARTS (1911.12126, section 4), GOLD-NAS (2007.03331)."""

    def weigh(self, logits: Tensor, rng: torch.Generator, progress: float) -> Mixed:
        """The gates."""
        return Mixed(self.probabilities(logits))

    def probabilities(self, logits: Tensor) -> Tensor:
        """The gates: they do not sum to 1."""
        check_logits(logits)
        return logits.sigmoid()


@dataclass(frozen=True, slots=True, kw_only=True)
class GumbelSoftmax(Weighting):
    """Weights softmax((logits + G) / temperature), G Gumbel noise: SNAS (1812.09926, section 2.2), the Concrete distribution.

    The logits are SNAS's log alpha, up to a constant that cancels. A draw is for one step; cells that share a decision share it.

    Attributes:
        temperature: 1 to 0.03, linear, as in SNAS's released code.
    """

    temperature: Temperature = Temperature(start=1.0, end=0.03)

    def weigh(self, logits: Tensor, rng: torch.Generator, progress: float) -> Mixed:
        """A draw of the Concrete distribution with its pathwise gradient."""
        check_logits(logits)
        return Mixed(((logits + gumbel(logits, rng)) / self.temperature.at(progress)).softmax(0))

    def probabilities(self, logits: Tensor) -> Tensor:
        """P(option has the largest weight) = softmax(logits) at every temperature; the mean weights are that at 0 alone."""
        check_logits(logits)
        return logits.softmax(0)
