"""Weightings whose weights are 0 and 1 in the forward pass: sampled binary gates (ProxylessNAS) and the proximal step (NASP).

Their gradients are those of a gate at a corner of the relaxation: dL/dg_j, which is the inner product of dL/d(output) with the
output of option j, so it takes the outputs of the options whose gate is closed as well. Steps that learn the network's weights
alone (`weigh_frozen`) leave those out.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from common.errors import UserError
from common.relax.weightings import Weighting, check_logits, largest, ones_at, sample_options, scattered, straight_through
from common.supernet.open import Mixed


@dataclass(frozen=True, slots=True, kw_only=True)
class OneGate(Weighting):
    """One option, drawn with probability p = softmax(logits), is open: ProxylessNAS (1812.00332, section 3.2, equations 3, 4).

    dL/d(logit i) = sum_j dL/dg_j p_j (1{i=j} - p_i), the sum over all options: all of them are computed when logits are learned
    (`full_v2` of the released code, which runs the closed ones without a graph; here `Supernet.relax(..., recompute=True)`
    keeps their memory at that of one option). The gradient of closed options' own weights is 0, not none: an optimiser of the
    network's weights must not step on it. Departure: the released code skips the step where the open option is the zero
    operation; here it gets the same gradient as the others.
    """

    def weigh(self, logits: Tensor, rng: torch.Generator, progress: float) -> Mixed:
        """One-hot at the option drawn; every option is computed."""
        check_logits(logits)
        return Mixed(straight_through(ones_at(sample_options(logits, 1, rng), logits), logits.softmax(0)))

    def weigh_frozen(self, logits: Tensor, rng: torch.Generator, progress: float) -> Mixed:
        """One-hot at the option drawn, which alone is computed."""
        return _one_path(logits, rng)

    def probabilities(self, logits: Tensor) -> Tensor:
        """The probabilities that options are drawn with: softmax(logits)."""
        check_logits(logits)
        return logits.softmax(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoGates(Weighting):
    """Two options are drawn, and one of the two is open: ProxylessNAS (1812.00332, section 3.2.1), the memory of two paths.

    The pair is drawn from p = softmax(logits) without return, the open one from q = p renormalised over the pair. The gradient
    is `OneGate`'s with q in the place of p and the sum over the pair; the other options are not computed and their logits get
    gradient 0. After the optimiser's step `after_step` shifts the logits that moved so that their total probability is as before.

    The optimiser must move the pair alone, as the paper's does: Adam with betas (0, 0.999) and no weight decay. With momentum
    or decay, or with a penalty on all probabilities, more logits move, and it is the total of those that is kept.
    """

    def weigh(self, logits: Tensor, rng: torch.Generator, progress: float) -> Mixed:
        """One-hot at the open option of a pair; the pair is computed."""
        check_logits(logits)
        pair = sample_options(logits, 2, rng)
        chosen = logits[list(pair)]
        gates = straight_through(ones_at(sample_options(chosen, 1, rng), chosen), chosen.softmax(0))
        return Mixed(scattered(gates, pair, logits), pair)

    def weigh_frozen(self, logits: Tensor, rng: torch.Generator, progress: float) -> Mixed:
        """One-hot at an option drawn from all, which alone is computed."""
        return _one_path(logits, rng)

    def after_step(self, logits: Tensor, before: Tensor) -> None:
        """Subtracts log(sum exp(new) / sum exp(old)), sums over the logits that moved, from those; leaves the others alone."""
        check_logits(logits)
        with torch.no_grad():
            moved = logits != before
            new, old = logits[moved].double(), before[moved].double()
            if len(new):
                logits[moved] = (new - (new.logsumexp(0) - old.logsumexp(0))).to(logits)

    def probabilities(self, logits: Tensor) -> Tensor:
        """The probabilities that an option is open alone in `weigh_frozen`: softmax(logits)."""
        check_logits(logits)
        return logits.softmax(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class OneHot(Weighting):
    """The `keep` largest values have weight 1, the rest 0, and all learn as if the weights were the values: NASP (1905.13577).

    The values ("logits" of the interface) are kept within the box [0, 1]; the paper starts them at 0.5. A step evaluates the
    gradient at their projection onto the corners, all options computed, takes it at the values themselves and clips those to
    the box (section 3): dL/d(value i) = dL/d(weight i), as in a plain weighted sum at the corner. Of equal values the first is
    taken: started at exactly 0.5, every decision takes its first option, so start them with a little noise.

    The weight of what is kept is 1, as in the released code; the paper's projection onto one non-zero entry leaves the value.

    Departure: NASP has no values on edges. It ranks the edges of a node by the largest value of their operations and keeps two.
    Here the edges of a node are a `ManyOf` with values of its own, of which `keep=2` does the same; and the operations on an
    edge that is not kept learn nothing in that step, the edge does.

    Attributes:
        keep: How many weights are 1: 1 for a `OneOf`, 2 for the inputs of a cell's node. All, where there are no more.

    Raises:
        UserError: `keep` is less than 1.
    """

    keep: int = 1

    def __post_init__(self) -> None:
        if self.keep < 1:
            raise UserError(f"keep={self.keep}: at least one option is kept")

    def weigh(self, logits: Tensor, rng: torch.Generator, progress: float) -> Mixed:
        """The corner with the gradient of the values; every option is computed."""
        check_logits(logits)
        return Mixed(straight_through(ones_at(largest(logits, self.keep), logits), logits))

    def weigh_frozen(self, logits: Tensor, rng: torch.Generator, progress: float) -> Mixed:
        """The corner; what is kept is all that is computed."""
        check_logits(logits)
        live = largest(logits, self.keep)
        return Mixed(ones_at(live, logits), live)

    def after_step(self, logits: Tensor, before: Tensor) -> None:
        """Clips the values to [0, 1]."""
        check_logits(logits)
        with torch.no_grad():
            logits.clamp_(0, 1)

    def probabilities(self, logits: Tensor) -> Tensor:
        """The values, within [0, 1]; they do not sum to 1."""
        check_logits(logits)
        return logits.clamp(0, 1)


def _one_path(logits: Tensor, rng: torch.Generator) -> Mixed:
    """One option drawn with probability softmax(logits), computed alone with weight 1."""
    check_logits(logits)
    live = sample_options(logits, 1, rng)
    return Mixed(ones_at(live, logits), live)
