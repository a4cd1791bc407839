"""Participants of trainings for tests: what acts is a plain function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

import torch
from torch import nn

from common.streams import torch_stream
from common.train.step import Losses, Participant, Path, Step


class Acts(Participant):
    """Calls `before` with the number of the step, whose functions are paths, and `stepping` around the optimiser."""

    name: ClassVar[str] = "acts"

    def __init__(
        self,
        before: Callable[[int], Sequence[Callable[[], object]] | None] = lambda step: None,
        stepping: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._before, self._stepping = before, stepping

    def before(self, step: Step) -> Sequence[Path] | None:
        return [Path(activate) for activate in self._before(step.number) or ()]

    def stepping(self) -> AbstractContextManager[object]:
        return self._stepping()


def plain(model: Any, loss: Callable[[Any, Any], Any]) -> Losses:
    """A network with a loss that needs no step."""
    return Losses(model, lambda network, batch, step: loss(network, batch))


class Option(nn.Module):
    """`good` can learn the target; `useless` gives 0; `noise` does not see its input."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind, self.linear, self.drop = kind, nn.Linear(4, 4), nn.Dropout(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return {"good": self.linear(x), "useless": x * 0, "noise": self.drop(torch.ones_like(x)) - 1}[self.kind]


def batch(kind: str) -> Callable[[int], tuple[torch.Tensor, torch.Tensor]]:
    """Step -> 16 rows of four numbers and their sums, other ones for each kind."""

    def at(step: int) -> tuple[torch.Tensor, torch.Tensor]:
        g = torch_stream(3, kind, step)
        x = torch.randn(16, 4, generator=g)
        return x, x.sum(1, keepdim=True)

    return at
