"""Weights and architecture trained in turn: what differentiable search adds to `fit`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from common.relax.hypergradient import ONE_LEVEL, Inner, Rule, arch_gradient, inner_of
from common.relax.relaxation import Relaxation
from common.relax.score_function import ScoreFunction
from common.streams import derive, seed_layers
from common.supernet import kept_statistics
from common.train.fit import TrainingDiverged, move_batch, total_loss
from common.train.optim import ArchSettings
from common.train.step import Losses, Participant, Path, Step

Penalty = Callable[[Mapping[str, Tensor], float], Mapping[str, Tensor]]
"""(probabilities, progress) -> named scalars that are added to the architecture's loss."""


@dataclass(slots=True, kw_only=True)
class Alternation(Participant):
    """The architecture's part of a search; `fit` trains the weights.

    Before a step of the weights the logits take one of their own; then the mixture is set for the weights' step, without
    gradients to the logits. Where both learn from the training loss at the same weights (`ONE_LEVEL`) they share the mixture,
    its samples and its backward pass, as in SNAS (1812.09926) and GOLD-NAS (2007.03331): the logits step after the weights.

    Attributes:
        relaxation: Of the supernet that is trained.
        model: The network with the architecture's losses.
        train_batch: Step -> batch that the weights' step sees.
        search_batch: Step -> batch that the architecture learns from.
        rule: Which gradient it follows, through the mixture. None: it follows none, and another participant chooses what each
            step runs.
        score: Gives the gradient instead, from the reward of the network drawn, in eval mode, on the batches it learns from.
        settings: How it steps.
        weights: The weights' optimiser; its present rate is the look-ahead's.
        steps: Steps in all.
        seed: Of what layers draw in an architecture step.
        penalty: What is added to the architecture's loss.
        after_step: Called after each of its steps with the step's number: dual ascent, say.
        observed: Losses and penalties of the latest architecture step.
    """

    name: ClassVar[str] = "architecture"
    relaxation: Relaxation
    model: Losses
    train_batch: Callable[[int], Any]
    search_batch: Callable[[int], Any]
    rule: Rule | None
    settings: ArchSettings
    weights: Optimizer
    steps: int
    seed: int
    penalty: Penalty | None = None
    after_step: Callable[[int], None] | None = None
    score: ScoreFunction | None = None
    observed: dict[str, float] = field(init=False, default_factory=dict)
    _adam: torch.optim.Adam = field(init=False)

    def __post_init__(self) -> None:
        s = self.settings
        if self.score is not None:
            self.score.check(self.relaxation)
        first, second = map(float, s.betas)  # JSON has whole numbers, which torch refuses beside others
        self._adam = torch.optim.Adam(self._logits(), lr=s.lr, betas=(first, second), weight_decay=s.weight_decay)

    def before(self, step: Step) -> Sequence[Path] | None:
        """The architecture's step, if it is due on its own, and the mixture that the weights' step runs."""
        if self.rule is None:
            return None
        if not self.due(step):
            return [Path(partial(self.relaxation.mix, step.number, step.progress, frozen=True))]
        if self._shared():
            return [Path(partial(self.relaxation.mix, step.number, step.progress))]
        find = self._through_the_mixture if self.score is None else self._from_rewards
        gradients, observed = find(step)
        self._learn(step, gradients, observed)
        self.relaxation.supernet.forget()  # no weights were stepped on
        return [Path(partial(self.relaxation.mix, step.number, step.progress, frozen=True))]

    def after(self, step: Step, values: Mapping[str, float]) -> None:
        """The architecture's step, from the gradients that the weights' step left, where they are shared."""
        if self._shared() and self.due(step):
            self._learn(step, [value.grad for value in self._logits()], {})

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

    def _logits(self) -> list[Tensor]:
        return list(self.relaxation.logits.values.values())

    def due(self, step: Step) -> bool:
        """Whether the architecture learns in a step."""
        return self.rule is not None and step.progress >= self.settings.begin and step.number % self.settings.every == 0

    def _shared(self) -> bool:
        return self.score is None and self.rule == ONE_LEVEL

    def _learn(self, step: Step, gradients: Sequence[Tensor | None], observed: dict[str, float]) -> None:
        """One step of the logits."""
        logits = self._logits()
        if self.penalty is not None:
            terms = self.penalty(self.relaxation.probabilities(), step.progress)
            observed |= {name: float(value.detach()) for name, value in terms.items()}
            of_penalty = torch.autograd.grad(torch.stack([*terms.values()]).sum(), logits, allow_unused=True)
            gradients = [g if p is None else p if g is None else g + p for g, p in zip(gradients, of_penalty, strict=True)]
        for value, gradient in zip(logits, gradients, strict=True):
            value.grad = None if gradient is None else gradient.to(value.dtype)
        observed["arch_grad_norm"] = norm = float(nn.utils.clip_grad_norm_(logits, self.settings.clip or math.inf))
        if not math.isfinite(norm):
            raise TrainingDiverged(
                f"the architecture's gradient is {norm} at step {step.number} of {self.steps}; give a lower learning rate to "
                "the weights, or a higher temperature"
            )
        before = self.relaxation.logits.tensors()
        self._adam.step()
        self._adam.zero_grad()
        self.relaxation.after_step(before)
        self.observed = observed
        if self.after_step is not None:
            self.after_step(step.number)

    def _from_rewards(self, step: Step) -> tuple[list[Tensor | None], dict[str, float]]:
        assert self.score is not None
        batch = move_batch(self.search_batch(step.number), self._device())
        self.relaxation.mix(step.number, step.progress, frozen=True)
        training = self.model.training
        self.model.eval()
        with torch.no_grad():
            terms = self.model(batch, step)
        self.model.train(training)
        told = {**{name: float(value) for name, value in terms.items()}, "loss": float(total_loss(terms))}
        return self.score.gradients(self.relaxation, told), {f"arch_{name}": value for name, value in told.items()}

    def _through_the_mixture(self, step: Step) -> tuple[list[Tensor | None], dict[str, float]]:
        assert self.rule is not None
        weights = [p for group in self.weights.param_groups for p in group["params"] if p.requires_grad]
        device = self._device()
        train_batch, search_batch = (move_batch(of(step.number), device) for of in (self.train_batch, self.search_batch))

        def closure(batch: Any) -> Callable[[], Tensor]:
            def loss() -> Tensor:
                seed_layers(derive(self.seed, "architecture step", step.number), device)  # the same draws in every pass
                self.relaxation.mix(step.number, step.progress)
                return total_loss(self.model(batch, step))

            return loss

        several = self.rule.lookahead > 0 or self.rule.amended > 0
        inner: Inner | None = inner_of(self.weights, weights) if self.rule.lookahead else None
        kept: AbstractContextManager[None] = kept_statistics(self.model) if several else nullcontext()
        with torch.random.fork_rng([device] if device.type == "cuda" else []), kept:
            found = arch_gradient(self.rule, closure(train_batch), closure(search_batch), weights, self._logits(), inner)
        observed = {
            f"arch_{name}": float(value) for name, value in (("train", found.train), ("val", found.val)) if value is not None
        }
        return list(found.gradients), observed

    def _device(self) -> torch.device:
        return self.weights.param_groups[0]["params"][0].device
