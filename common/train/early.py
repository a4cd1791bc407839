"""Early stopping: training ends when a validation score has not improved for long, and keeps the best weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isnan
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from common.errors import UserError
from common.train.step import Participant, Step

if TYPE_CHECKING:
    from common.stages.settings import StopSettings


@dataclass(slots=True, kw_only=True)
class EarlyStop(Participant):
    """Watches one training, as a participant of it.

    Attributes:
        network: what is trained and measured.
        measure: gives named validation scores of the network, in eval mode.
        settings: which score, and how patient.
    """

    name: ClassVar[str] = "stop"
    network: nn.Module
    measure: Callable[[], Mapping[str, float]]
    settings: StopSettings
    _best: float | None = field(default=None, init=False)
    _best_step: int = field(default=-1, init=False)
    _last: int = field(default=-1, init=False)
    _kept: dict[str, Tensor] = field(default_factory=dict, init=False)

    def after(self, step: Step, values: Mapping[str, float]) -> None:
        """Measures, if it is due, and keeps the weights if none were better; a score that is nan is no score.

        Raises:
            UserError: the score is not among what `measure` gives.
        """
        s = self.settings
        if (step.number + 1) % s.every:
            return
        self.network.eval()
        with torch.no_grad():
            scores = self.measure()
        self.network.train()
        if s.metric not in scores:
            raise UserError(f"stop.metric={s.metric}: the task measures {', '.join(scores)}; name one of them")
        value = scores[s.metric] if s.highest else -scores[s.metric]
        self._last = step.number
        if not isnan(value) and (self._best is None or value > self._best):
            self._best, self._best_step = value, step.number
            self._kept = {name: tensor.detach().clone() for name, tensor in self.network.state_dict().items()}

    def ended(self) -> bool:
        """Whether the best score is `patience` steps old."""
        return self._last - self._best_step >= self.settings.patience

    def restore(self) -> None:
        """Puts the best weights back, if there was a look."""
        if self._kept:
            self.network.load_state_dict(self._kept)

    def tensors(self) -> Mapping[str, Tensor]:
        """The best weights."""
        return self._kept

    def state(self) -> Mapping[str, Any]:
        """The best score and when it was reached."""
        return {"best": self._best, "best_step": self._best_step, "last": self._last}

    def load(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Goes on from a checkpoint."""
        self._kept = {name: tensor.clone() for name, tensor in tensors.items()}
        self._best, self._best_step, self._last = state["best"], state["best_step"], state["last"]
