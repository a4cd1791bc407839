"""A moving average of the weights, as a participant of a training: the network ends with the average."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from common.train.step import Participant, Step


def averaged(module: nn.Module, decay: float) -> AveragedModel:
    """An exponential moving average of the weights of `module`. Its `.module` is the averaged network.

    After n updates the next one keeps min(`decay`, (1 + n) / (10 + n)) of the average, so that a short training is not an average
    of initial weights (TensorFlow's `ExponentialMovingAverage` with `num_updates`, as in the official code of EfficientDet).
    Buffers are copied, not averaged: BatchNorm statistics are moving averages already.
    """

    def blend(averages: Any, weights: Any, updates: Any) -> None:
        n = int(updates)
        get_ema_multi_avg_fn(min(decay, (1 + n) / (10 + n)))(averages, weights, updates)

    return AveragedModel(module, multi_avg_fn=blend)


@dataclass(slots=True, kw_only=True)
class Averaging(Participant):
    """Averages the weights of one training.

    Attributes:
        network: what is trained.
        decay: what the average keeps at a step, in (0, 1).
    """

    name: ClassVar[str] = "ema"
    network: nn.Module
    decay: float
    _average: AveragedModel = field(init=False)

    def __post_init__(self) -> None:
        self._average = averaged(self.network, self.decay)

    def after(self, step: Step, values: Mapping[str, float]) -> None:
        """Takes the new weights in."""
        self._average.update_parameters(self.network)

    def apply(self) -> None:
        """Gives the network the average."""
        self.network.load_state_dict(self._average.module.state_dict())

    def tensors(self) -> Mapping[str, Tensor]:
        """The average, and the number of its updates."""
        return self._average.state_dict()

    def load(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Goes on from a checkpoint."""
        self._average.load_state_dict(tensors)
