"""Participants of trainings for tests: what acts is a plain function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

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
