"""Architectures that are evaluated because somebody names them: candidates that a predictor puts first, say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from common.objective import Objective
from common.search.base import Proposal, Trial
from common.space import Arch


@dataclass(slots=True)
class Given:
    """Proposes given architectures in their order, without those that were told at their fidelity.

    Attributes:
        archs: architectures to evaluate, each once.
        objectives: what trials are compared by.
        origin: what their trials say of how they were made.
    """

    archs: Sequence[Arch]
    objectives: Sequence[Objective]
    origin: str = "given"
    _left: list[Arch] = field(init=False)

    def __post_init__(self) -> None:
        self._left = list(dict.fromkeys(self.archs))

    def ask(self, n: int) -> list[Proposal]:
        """See `Searcher.ask`."""
        batch, self._left = self._left[:n], self._left[n:]
        return [Proposal(arch=arch, origin=self.origin) for arch in batch]

    def tell(self, trials: Sequence[Trial]) -> None:
        """See `Searcher.tell`."""
        told = {trial.arch for trial in trials}
        self._left = [arch for arch in self._left if arch not in told]
