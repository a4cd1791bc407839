"""The architecture's gradient from the scores of what is drawn, in the place of a gradient through the mixture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from common.errors import UserError
from common.relax.relaxation import Relaxation
from common.relax.sampled import Sampling
from common.space import ManyOf, record


@dataclass(slots=True, kw_only=True)
class ScoreFunction:
    """REINFORCE (Williams 1992) for the probabilities of a relaxation whose weighting draws one option at a time.

    With R the reward of the network drawn, b a moving average of rewards and p the probabilities that options are drawn by,

        gradient = -(R - b) * sum over the decisions that the network has of grad log p(option drawn)

    so that descent raises the expected reward, whatever the scale of what an option puts out. A gradient through weights of 1
    (straight-through) cannot do that: it tells how the loss would change if the output of the option drawn were larger, which
    says nothing of the options not drawn, and rewards those whose outputs are small while networks are overconfident. ENAS
    (1802.03268, section 2.2) learns its controller so, on shared weights. Exact for noise of full strength; where the noise of
    `AnnealedGumbel` fades, draws are sharper than p.

    Attributes:
        reward: name of a term of the loss function's output: a loss is made small, anything else (an accuracy) large; `loss` is
            the sum of all losses.
        decay: of the moving average, per step, in [0, 1).
    """

    reward: str = "loss"
    decay: float = 0.95
    _average: float | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if not 0 <= self.decay < 1:
            raise UserError(f"decay={self.decay}: the moving average of rewards takes a number from 0 to below 1")

    def check(self, relaxation: Relaxation) -> None:
        """Refuses a relaxation that mixes.

        Raises:
            UserError: its options are not drawn one at a time, or members have probabilities.
        """
        if not isinstance(relaxation.options, Sampling):
            raise UserError("rewards are of single networks: give search.engine.options a weighting that draws one option")
        if any(isinstance(relaxation.decision(path), ManyOf) for path in relaxation.logits.values):
            raise UserError("rewards are of single networks: members of a subset are mixed; sum them, search.engine.members=null")

    def gradients(self, relaxation: Relaxation, terms: Mapping[str, float]) -> list[Tensor | None]:
        """One gradient for each vector of logits, None for decisions that the network drawn does not have.

        Args:
            relaxation: as it was mixed for the network that was scored.
            terms: what the loss function gave, as numbers, with the sum of losses as `loss`.

        Raises:
            UserError: the reward is none of the terms.
        """
        if self.reward not in terms:
            raise UserError(f"search.engine.reward={self.reward}: training tells {', '.join(terms)}; name one of them")
        value = terms[self.reward]
        reward = -value if "loss" in self.reward else value
        advantage = 0.0 if self._average is None else reward - self._average
        self._average = reward if self._average is None else self.decay * self._average + (1 - self.decay) * reward
        slots = relaxation.supernet.slots
        drawn = record(relaxation.supernet.space, lambda path, _: slots[path].active if path in slots else 0)
        probabilities = relaxation.probabilities()
        score = torch.stack([p[drawn[path]].log() for path, p in probabilities.items() if path in drawn]).sum()
        return list(torch.autograd.grad(-advantage * score, list(relaxation.logits.values.values()), allow_unused=True))

    def state(self) -> dict[str, float | None]:
        """The moving average."""
        return {"average": self._average}

    def load(self, state: Mapping[str, float | None]) -> None:
        """Goes on from a checkpoint."""
        self._average = state["average"]
