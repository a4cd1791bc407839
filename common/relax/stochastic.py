"""Weightings with other gradients through random weights than those of `weightings` and `sampled`: DrNAS and ReinMax."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Dirichlet
from torch.nn import functional as F

from common.errors import UserError
from common.relax.weightings import Weighting, check_logits, gumbel, ones_at, straight_through
from common.supernet.open import Mixed


@dataclass(frozen=True, slots=True, kw_only=True)
class DirichletWeights(Weighting):
    """Weights drawn from a Dirichlet distribution of concentrations elu(logits) + 1: DrNAS (2006.10355, section 3.2).

    Gradients go through the sample to the concentrations (implicit reparametrisation, as `torch.distributions` has it). At logits
    of 0 the distribution is uniform. Departures: the distance penalty that keeps concentrations near 1 is left to the decay of
    the logits, and the channels are not widened in stages.
    """

    def weigh(self, logits: Tensor, rng: torch.Generator, progress: float) -> Mixed:
        """A draw."""
        check_logits(logits)
        seed = int(torch.randint(2**62, (1,), generator=rng, device=rng.device))
        with torch.random.fork_rng([]):  # the distribution draws from the global generator alone
            torch.default_generator.manual_seed(seed)
            return Mixed(Dirichlet(F.elu(logits.cpu()) + 1).rsample().to(logits.device))

    def probabilities(self, logits: Tensor) -> Tensor:
        """The mean weights."""
        check_logits(logits)
        concentration = F.elu(logits) + 1
        return concentration / concentration.sum()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReinMax(Weighting):
    """One-hot at an option drawn with probability p = softmax(logits), all computed, gradient of second order: ReinMax.

    Liu et al. 2023 (2304.08612, algorithm 2). With D the draw and q = softmax(logits / temperature), the gradient is that of
    2 p' - p / 2, p' being the softmax of the logits shifted so that its value is (D + q) / 2. For a quadratic loss of two
    options it is exact in expectation; straight-through, of first order, is not.

    Attributes:
        temperature: of q, at least 1.

    Raises:
        UserError: a temperature below 1.
    """

    temperature: float = 1.0

    def __post_init__(self) -> None:
        if not self.temperature >= 1:
            raise UserError(f"temperature={self.temperature}: ReinMax takes 1 or more")

    def weigh(self, logits: Tensor, rng: torch.Generator, progress: float) -> Mixed:
        """The draw, with the gradient of second order."""
        check_logits(logits)
        taken = int((logits.detach() + gumbel(logits, rng)).argmax())
        p = logits.softmax(0)
        hard = ones_at((taken,), logits.detach())
        between = (hard + (logits / self.temperature).softmax(0)) / 2
        shifted = ((between.log() - logits).detach() + logits).softmax(0)
        return Mixed(straight_through(hard, 2 * shifted - p / 2))

    def weigh_frozen(self, logits: Tensor, rng: torch.Generator, progress: float) -> Mixed:
        """The draw, which alone is computed."""
        check_logits(logits)
        taken = int((logits.detach() + gumbel(logits, rng)).argmax())
        return Mixed(ones_at((taken,), logits.detach()), (taken,))

    def probabilities(self, logits: Tensor) -> Tensor:
        """softmax(logits)."""
        check_logits(logits)
        return logits.softmax(0)
