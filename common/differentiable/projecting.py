"""Decisions that are settled one after the other by what their options are worth: DARTS-PT (Wang et al., ICLR 2021).

How strong an option is says little of how much it contributes (arXiv 2108.04392, section 4). So the search network is scored on
validation items without each option in turn; the option without which the score is worst is what the decision keeps, and the
search goes on before the next decision is settled. With three options of which the network scores 60, 40 and 55 % without the
first, the second and the third, the second is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from common.differentiable.dropping import Dropping
from common.engines.dropping import ProjectSettings
from common.space import ManyOf
from common.streams import stream
from common.train.step import Step


@dataclass(slots=True, kw_only=True)
class Projecting(Dropping):
    """Settles decisions from a share of the search on, at equal distances (algorithm 1): first options, then inputs of nodes.

    Decisions of each kind come in random order. Of the members of a `ManyOf` as many are kept as it allows. Departures: steps
    between decisions are planned and do not wait for convergence; the architecture goes on to learn as in the released code.

    Attributes:
        settings: when it begins, and on how many items options are compared.
        score: scores the search network as it is now; lower is better.
        seed: of the order.
        forbidden: labels of options that are never kept.
        settled: decisions that are settled, in their order.
    """

    settings: ProjectSettings
    score: Callable[[], float]
    seed: int
    forbidden: Sequence[str] = ()
    settled: list[str] = field(default_factory=list)
    _order: list[str] = field(init=False)

    def __post_init__(self) -> None:
        rng = stream(self.seed, "projection")
        known = {path: self.relaxation.decision(path) for path in self.relaxation.paths()}
        many = [path for path, decision in known.items() if isinstance(decision, ManyOf)]
        one = [path for path in known if path not in many]
        self._order = [path for paths in (one, many) for path in rng.sample(paths, len(paths))]

    def after(self, step: Step, values: Mapping[str, float]) -> None:
        """Settles a decision, if it is time."""
        for path in self._order[len(self.settled) : self.due(step.number + 1)]:
            self._settle(path)
            self.settled.append(path)

    def due(self, step: int) -> int:
        """Decisions that are settled after so many steps: one at the beginning of each of as many equal parts."""
        first = round(self.settings.begin * self.steps)
        each = (self.steps - first) / len(self._order)
        return min(len(self._order), int((step - first) // each) + 1) if step >= first else 0

    def scorings(self) -> int:
        """How often the search network is scored until all decisions are settled, before the first is."""
        allowed = {path: [i for i in self.relaxation.live(path) if self._allowed(path, i)] for path in self._order}
        return sum(len(options) for path, options in allowed.items() if len(options) > self._kept(path))

    def finished(self) -> bool:
        """Whether all decisions are settled."""
        return len(self.settled) == len(self._order)

    def _settle(self, path: str) -> None:
        relaxation = self.relaxation
        live, keep = relaxation.live(path), self._kept(path)
        allowed = [i for i in live if self._allowed(path, i)]
        if len(allowed) > keep:
            before = relaxation.dropped.get(path, frozenset())
            without: dict[int, float] = {}
            for i in allowed:
                relaxation.drop(path, (i,))
                without[i] = self.score()
                relaxation.dropped[path] = before
            allowed = sorted(allowed, key=lambda i: (-without[i], i))[:keep]
        relaxation.drop(path, set(live) - set(allowed))

    def _kept(self, path: str) -> int:
        decision = self.relaxation.decision(path)
        return min(decision.high, len(self.relaxation.live(path))) if isinstance(decision, ManyOf) else 1

    def _allowed(self, path: str, option: int) -> bool:
        return self.relaxation.decision(path).labels[option] not in self.forbidden

    def state(self) -> Mapping[str, Any]:
        """What is dropped, and which decisions are settled."""
        return {**Dropping.state(self), "settled": self.settled}

    def load(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Goes on from a checkpoint."""
        Dropping.load(self, tensors, state)
        self.settled = list(state["settled"])
