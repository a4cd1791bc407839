"""Weights and architecture trained in turn: what differentiable search adds to `fit`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from common.relax.hypergradient import Inner, Rule, arch_gradient, inner_of
from common.relax.relaxation import Relaxation
from common.relax.score_function import ScoreFunction
from common.streams import derive, seed_layers
from common.supernet import kept_statistics
from common.train.fit import TrainingDiverged, move_batch, total_loss
from common.train.optim import ArchSettings

Penalty = Callable[[Mapping[str, Tensor], float], Mapping[str, Tensor]]
"""(probabilities, progress) -> named scalars that are added to the architecture's loss."""


@dataclass(slots=True, kw_only=True)
class Alternation:
    """The architecture's part of a search; `fit` trains the weights.

    Give `fit` its `before_step` and itself as `side`. Before a step of the weights the logits take one of their own; then the
    mixture is set for the weights' step, without gradients to the logits.

    Attributes:
        relaxation: Of the supernet that is trained.
        model: What `loss` runs: the supernet's module, or that with a head for the training.
        loss: (model, batch) -> named terms, as in `fit`.
        train_batch: Step -> batch that the weights' step sees.
        search_batch: Step -> batch that the architecture learns from.
        rule: Which gradient it follows, through the mixture.
        score: Gives the gradient instead, from the reward of the network drawn, in eval mode, on the batches it learns from.
        settings: How it steps.
        weights: The weights' optimiser; its present rate is the look-ahead's.
        steps: Steps in all.
        seed: Of what layers draw in an architecture step.
        penalty: What is added to the architecture's loss.
        after: Called after each of its steps with the step's number: dual ascent, say.
        observed: Losses and penalties of the latest architecture step.
    """

    relaxation: Relaxation
    model: nn.Module
    loss: Callable[[nn.Module, Any], Mapping[str, Tensor]]
    train_batch: Callable[[int], Any]
    search_batch: Callable[[int], Any]
    rule: Rule
    settings: ArchSettings
    weights: Optimizer
    steps: int
    seed: int
    penalty: Penalty | None = None
    after: Callable[[int], None] | None = None
    score: ScoreFunction | None = None
    observed: dict[str, float] = field(init=False, default_factory=dict)
    _adam: torch.optim.Adam = field(init=False)

    def __post_init__(self) -> None:
        s = self.settings
        if self.score is not None:
            self.score.check(self.relaxation)
        values = list(self.relaxation.logits.values.values())
        self._adam = torch.optim.Adam(values, lr=s.lr, betas=s.betas, weight_decay=s.weight_decay)

    def before_step(self, step: int) -> list[Callable[[], object]]:
        """For `fit`: the architecture's step, if it is due, and the mixture that the weights' step runs."""
        progress = step / self.steps
        if progress >= self.settings.begin and step % self.settings.every == 0:
            self._learn(step, progress)
        return [lambda: self.relaxation.mix(step, progress, frozen=True)]

    def tensors(self) -> Mapping[str, Tensor]:
        """The logits, for a checkpoint."""
        return self.relaxation.logits.tensors()

    def state(self) -> Mapping[str, Any]:
        """The state of their optimiser."""
        scored = {} if self.score is None else {"score": self.score.state()}
        return {"adam": self._adam.state_dict(), **scored}

    def load(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Goes on from a checkpoint."""
        self.relaxation.logits.load(tensors)
        self._adam.load_state_dict(state["adam"])
        if self.score is not None:
            self.score.load(state["score"])

    def _learn(self, step: int, progress: float) -> None:
        logits = list(self.relaxation.logits.values.values())
        find = self._through_the_mixture if self.score is None else self._from_rewards
        gradients, observed = find(step, progress, logits)
        if self.penalty is not None:
            terms = self.penalty(self.relaxation.probabilities(), progress)
            observed |= {name: float(value.detach()) for name, value in terms.items()}
            of_penalty = torch.autograd.grad(torch.stack([*terms.values()]).sum(), logits, allow_unused=True)
            gradients = [g if p is None else p if g is None else g + p for g, p in zip(gradients, of_penalty, strict=True)]
        for value, gradient in zip(logits, gradients, strict=True):
            value.grad = None if gradient is None else gradient.to(value.dtype)
        observed["arch_grad_norm"] = norm = float(nn.utils.clip_grad_norm_(logits, self.settings.clip or math.inf))
        if not math.isfinite(norm):
            raise TrainingDiverged(
                f"the architecture's gradient is {norm} at step {step} of {self.steps}; give a lower learning rate to "
                "the weights, or a higher temperature"
            )
        before = self.relaxation.logits.tensors()
        self._adam.step()
        self._adam.zero_grad()
        self.relaxation.after_step(before)
        self.relaxation.supernet.forget()  # no weights were stepped on
        self.observed = observed
        if self.after is not None:
            self.after(step)

    def _from_rewards(self, step: int, progress: float, logits: list[Tensor]) -> tuple[list[Tensor | None], dict[str, float]]:
        assert self.score is not None
        batch = move_batch(self.search_batch(step), self.weights.param_groups[0]["params"][0].device)
        self.relaxation.mix(step, progress, frozen=True)
        training = self.model.training
        self.model.eval()
        with torch.no_grad():
            terms = self.loss(self.model, batch)
        self.model.train(training)
        told = {**{name: float(value) for name, value in terms.items()}, "loss": float(total_loss(terms))}
        return self.score.gradients(self.relaxation, told), {f"arch_{name}": value for name, value in told.items()}

    def _through_the_mixture(
        self, step: int, progress: float, logits: list[Tensor]
    ) -> tuple[list[Tensor | None], dict[str, float]]:
        weights = [p for group in self.weights.param_groups for p in group["params"] if p.requires_grad]
        device = weights[0].device
        train_batch, search_batch = (move_batch(of(step), device) for of in (self.train_batch, self.search_batch))

        def closure(batch: Any) -> Callable[[], Tensor]:
            def loss() -> Tensor:
                seed_layers(derive(self.seed, "architecture step", step), device)  # the same draws in every pass
                self.relaxation.mix(step, progress)
                return total_loss(self.loss(self.model, batch))

            return loss

        several = self.rule.lookahead > 0 or self.rule.amended > 0
        inner: Inner | None = inner_of(self.weights, weights) if self.rule.lookahead else None
        kept: AbstractContextManager[None] = kept_statistics(self.model) if several else nullcontext()
        with torch.random.fork_rng([device] if device.type == "cuda" else []), kept:
            found = arch_gradient(self.rule, closure(train_batch), closure(search_batch), weights, logits, inner)
        observed = {
            f"arch_{name}": float(value) for name, value in (("train", found.train), ("val", found.val)) if value is not None
        }
        return list(found.gradients), observed
