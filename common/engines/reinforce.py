"""REINFORCE as an engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from common.deferred import Deferred
from common.engines.base import Plain, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Reinforce(Plain):
    """A policy over architectures that is trained by policy gradient; see `common.search.reinforce`."""

    title: ClassVar[str] = "REINFORCE"
    paper: ClassVar[str] = "arXiv:1611.01578"
    searching: ClassVar[Deferred] = Deferred("common.search.reinforce", "Reinforce")

    name: Literal["reinforce"] = "reinforce"
    policy: Literal["lstm", "independent"] = "lstm"
    """An LSTM that reads the options taken so far, or one softmax for each decision."""
    children: int = 2
    """New architectures for each update of the policy, evaluated together."""
    rate: float = 3.5e-4
    """Learning rate of the policy, GraphNAS's (1904.09981) by default, for thousands of trials; 60 want 0.01 (LSTM) or 0.3."""
    entropy: float = 0.0
    """Weight of the policy's mean entropy in its objective."""
    baseline: float | None = 0.9
    """Decay of the average of rewards that a reward is compared with; none compares with 0."""
    clip: float | None = None
    """PPO (1707.06347): the ratio of new and old probabilities is clipped at 1 - clip and 1 + clip; none: the plain gradient."""
    epochs: int = 1
    """Steps for each update of the policy; more than 1 with PPO alone."""

    def parameters(self, problem: Problem) -> dict[str, Any]:
        """See `Plain.parameters`."""
        from common.search.policy import Independent
        from common.search.policy_lstm import LSTM

        return {**Plain.parameters(self, problem), "policy": LSTM() if self.policy == "lstm" else Independent()}
