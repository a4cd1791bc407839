"""The source of a supernet's paths, as a participant of its training."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from torch import nn
from torch.optim import Optimizer

from common.supernet import Supernet
from common.supernet.paths import Policy
from common.train.step import Participant, Path, Step


@dataclass(slots=True, kw_only=True)
class SampledPaths(Participant):
    """Trains the paths that a policy names; what they do not use stays bit for bit as it is.

    Attributes:
        supernet: whose paths they are.
        policy: step -> paths; None leaves the supernet as it is.
        optimizer: of the weights.
        model: what is trained: the supernet's module, or that with a head for the training.
    """

    name: ClassVar[str] = "paths"
    supernet: Supernet
    policy: Policy | None
    optimizer: Optimizer
    model: nn.Module

    def before(self, step: Step) -> Sequence[Path] | None:
        """The paths of the step."""
        if self.policy is None:
            return None
        return [Path(partial(self.supernet.activate, arch), arch) for arch in self.policy(step.number)]

    def stepping(self) -> AbstractContextManager[object]:
        """Keeps what was not used as it is."""
        return self.supernet.idle_protected(self.optimizer, self.model)
