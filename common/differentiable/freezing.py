"""Operations that stop learning where what helps on training data no longer helps on validation data: OLES (NeurIPS 2023).

Operations with weights overfit while a search goes on, so skip connections look better than they are. Each operation's gradient
on training data is therefore compared with its gradient on validation data; where they point in different directions over some
steps, the operation keeps its weights from then on (Jiang et al., "Operation-level early stopping for robustifying
differentiable NAS", section 4; interval and threshold as in the released code).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from common.engines.dropping import FreezeSettings
from common.supernet.choice import Choice
from common.train.step import Participant, Step


@dataclass(slots=True, kw_only=True)
class Freezing(Participant):
    """Freezes options whose training and validation gradients disagree, by the mean of their cosines over an interval.

    The gradient on training data is that of the step, before its weights moved; that on validation data is taken after it, as in
    the released code. Departure: the released code reuses the architecture's pass, here the gradient is a pass of its own.
    What several options share, the normalisation behind merged kernels say, belongs to none of them and goes on to learn.

    Attributes:
        settings: interval and threshold.
        supernet: module of the search network.
        loss: (step) -> loss of the mixture of a step on a batch of validation data.
        frozen: names of options that learn no longer, in the order in which they stopped.
    """

    name: ClassVar[str] = "freezing"
    settings: FreezeSettings
    supernet: nn.Module
    loss: Callable[[Step], Tensor]
    frozen: list[str] = field(default_factory=list)
    _sums: dict[str, float] = field(init=False, default_factory=dict)
    _counts: dict[str, int] = field(init=False, default_factory=dict)
    _own: dict[str, list[nn.Parameter]] = field(init=False, default_factory=dict)  # of no other option of the choice

    def __post_init__(self) -> None:
        for name, module in self.supernet.named_modules():
            if isinstance(module, Choice):
                users = Counter(p for option in module.options for p in option.parameters())
                for i, option in enumerate(module.options):
                    self._own[f"{name}.options.{i}"] = [p for p in option.parameters() if users[p] == 1]

    def after(self, step: Step, values: Mapping[str, float]) -> None:
        """Compares the gradients of every option that was trained, and freezes those that disagree."""
        for name, pairs in self.gradients(step).items():
            cosines = [_cosine(p.grad, g) for p, g in pairs if p.grad is not None and g is not None]
            if not cosines:
                continue
            self._sums[name] = self._sums.get(name, 0.0) + float(torch.stack(cosines).mean())
            self._counts[name] = self._counts.get(name, 0) + 1
            if self._counts[name] == self.settings.every:
                if self._sums[name] / self.settings.every < self.settings.threshold:
                    self._freeze(name)
                self._sums[name], self._counts[name] = 0.0, 0

    def gradients(self, step: Step) -> dict[str, list[tuple[nn.Parameter, Tensor | None]]]:
        """The parameters of every option that was trained, each with its gradient of the loss: None where the loss has none."""
        seen = {name: [p for p in ps if p.grad is not None] for name, ps in self._learning().items()}
        flat = [p for parameters in seen.values() for p in parameters]
        if not flat:
            return {}
        found = dict(zip(flat, torch.autograd.grad(self.loss(step), flat, allow_unused=True), strict=True))
        return {name: [(p, found[p]) for p in parameters] for name, parameters in seen.items() if parameters}

    def state(self) -> Mapping[str, Any]:
        """What is frozen, and the means so far."""
        return {"frozen": self.frozen, "sums": self._sums, "counts": self._counts}

    def load(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Goes on from a checkpoint."""
        self._sums, self._counts = dict(state["sums"]), dict(state["counts"])
        for name in state["frozen"]:
            self._freeze(name)

    def _freeze(self, name: str) -> None:
        for parameter in self._own[name]:
            parameter.requires_grad_(False)
        self.frozen.append(name)

    def _learning(self) -> dict[str, list[nn.Parameter]]:
        """Parameters of every option of every choice that has some and is not frozen, by the name of the option's module."""
        return {name: parameters for name, parameters in self._own.items() if parameters and name not in self.frozen}


def _cosine(one: Tensor, other: Tensor) -> Tensor:
    """Mean over the columns of the cosine along the first dimension, as in the released code."""
    return torch.cosine_similarity(one, other, dim=0).mean()
