"""A policy over the paths of a supernet that learns while the weights do, as a participant of their training."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from common.expression import Expression, ExpressionFailed
from common.search.policy import Policy
from common.space import Arch
from common.streams import derive, seed_layers, stream
from common.supernet import Supernet, kept_statistics
from common.supernet.elastic import elastic_layers
from common.train.fit import TrainingDiverged, move_batch, total_loss
from common.train.step import Losses, Participant, Path, Step

if TYPE_CHECKING:
    from common.engines.controller import Controller


@dataclass(slots=True, kw_only=True)
class PolicyPaths(Participant):
    """The paths of the weights' steps, sampled from a policy, and the steps of that policy between them (ENAS, 1802.03268, 2.2).

    A step of the policy samples a path, scores it on a batch of its own with the weights as they are, and ascends

        (R - b) * gradient of log P(path) + entropy * gradient of H

    with R the reward and b a moving average of rewards into which R is averaged first. Normalisation layers use the batch's own
    statistics, as in a step of the weights, and their running statistics stay as they are.

    Attributes:
        settings: of the search.
        policy: what is learned.
        reward: the expression of the settings.
        supernet: whose paths they are.
        model: the network with the losses that the policy learns from.
        batch: step of the policy, counted from 0 -> batch that it learns from.
        costs: architecture -> costs by name.
        weights: the weights' optimiser.
        seed: of what is sampled.
        observed: what the policy's latest turn brought: means of rewards, their average, the policy's entropy.
    """

    name: ClassVar[str] = "policy"
    settings: Controller
    policy: Policy
    reward: Expression
    supernet: Supernet
    model: Losses
    batch: Callable[[int], Any]
    costs: Callable[[Arch], Mapping[str, float]]
    weights: Optimizer
    seed: int
    observed: dict[str, float] = field(init=False, default_factory=dict)
    _average: float | None = field(init=False, default=None)
    _adam: torch.optim.Adam = field(init=False)

    def __post_init__(self) -> None:
        s = self.settings.arch
        first, second = map(float, s.betas)  # JSON has whole numbers, which torch refuses beside others
        self._adam = torch.optim.Adam(self.policy.parameters, lr=s.lr, betas=(first, second), weight_decay=s.weight_decay)

    def before(self, step: Step) -> Sequence[Path]:
        """A path that is sampled from the policy."""
        arch = self.policy.sample(stream(self.seed, "paths", step.number)).arch
        return [Path(partial(self.supernet.activate, arch), arch)]

    def stepping(self) -> AbstractContextManager[object]:
        """Keeps what was not used as it is."""
        return self.supernet.idle_protected(self.weights, self.model.network)

    def after(self, step: Step, values: Mapping[str, float]) -> None:
        """The policy's turn, where it is due."""
        if not self.settings.due(step.number, step.progress):
            return
        if self.settings.restart:
            self._average = None
        for group in self._adam.param_groups:
            group["lr"] = self.settings.rate(step.progress)
        turn = (step.number + 1) // self.settings.arch.every - 1
        seen = [self._learn(step, turn * self.settings.burst + i) for i in range(self.settings.burst)]
        self.observed = {name: sum(one[name] for one in seen) / len(seen) for name in seen[0]}
        for layer in elastic_layers(self.model.network):
            layer.seen.clear()  # no weights were stepped on

    def tensors(self) -> Mapping[str, Tensor]:
        """What the policy learned, for a checkpoint."""
        return {str(i): parameter.detach() for i, parameter in enumerate(self.policy.parameters)}

    def state(self) -> Mapping[str, Any]:
        """The state of its optimiser and the average of rewards."""
        return {"adam": self._adam.state_dict(), "average": self._average}

    def load(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Goes on from a checkpoint."""
        with torch.no_grad():
            for i, parameter in enumerate(self.policy.parameters):
                parameter.copy_(tensors[str(i)])
        self.policy.moved()
        self._adam.load_state_dict(state["adam"])
        self._average = state["average"]

    def _learn(self, step: Step, number: int) -> dict[str, float]:
        """One step of the policy, the `number`-th of the training."""
        drawn = self.policy.sample(stream(self.seed, "policy", number))
        reward = self._rewarded(drawn.arch, step, number)
        decay = self.settings.decay
        self._average = reward if self._average is None else decay * self._average + (1 - decay) * reward
        advantage = np.array([reward - self._average])
        gradients = self.policy.gradient([drawn.arch], advantage, self.settings.entropy)
        for parameter, gradient in zip(self.policy.parameters, gradients, strict=True):
            parameter.grad = -gradient
        norm = float(torch.nn.utils.clip_grad_norm_(self.policy.parameters, self.settings.arch.clip or math.inf))
        if not math.isfinite(norm):
            raise TrainingDiverged(f"the policy's gradient is {norm} at step {step.number}; give it a lower learning rate")
        self._adam.step()
        self.policy.moved()
        return {"reward": reward, "reward_average": self._average, "policy_entropy": drawn.entropy}

    @torch.no_grad()
    def _rewarded(self, arch: Arch, step: Step, number: int) -> float:
        """The reward of a path on a batch.

        Raises:
            TrainingDiverged: it is no finite number.
        """
        device = self.weights.param_groups[0]["params"][0].device
        batch = move_batch(self.batch(number), device)
        self.supernet.activate(arch)
        with kept_statistics(self.model), torch.random.fork_rng([device] if device.type == "cuda" else []):
            seed_layers(derive(self.seed, "policy step", number), device)
            terms = self.model(batch, replace(step, path=arch))
        values = {**{name: float(value) for name, value in terms.items()}, "loss": float(total_loss(terms))}
        try:
            return self.reward({**self.costs(arch), **values})
        except ExpressionFailed as error:
            raise TrainingDiverged(f"search.engine.reward at step {step.number}: {error}; give another reward") from error
