"""The search protocol. A searcher proposes architectures (`ask`) and learns from evaluated trials (`tell`).

A searcher never proposes an architecture twice while unseen ones remain. Its whole state is the list of trials it was told.
The proposals of a generation are a pure function of the settings, the seed and the trials of the generations before. A batch is
a slice of a generation, so the batch size does not change the proposals. To resume a search, even in mid-generation, create a
new searcher and `tell` it the trials in the log.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal, Protocol, runtime_checkable

from common.errors import UserError
from common.objective import Objective
from common.space import Arch, enumerate_all, sample, size

Status = Literal["ok", "failed"]
Number = float | int
Feasible = Callable[[Arch], bool]
Canonical = Callable[[Arch], Hashable]
"""A key that is equal for architectures of the same network, e.g. the canonical form of their cell."""

ENUMERABLE = 200_000
"""Largest number of architectures in a space that `Unseen` enumerates when random samples find nothing new."""
DRAWS = 100
"""Number of random samples in a row without a new architecture, after which an enumerable space is enumerated."""
MOST_DRAWS = 20_000
"""Number of random samples in a row without a new architecture, after which a larger space counts as exhausted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One evaluated architecture.

    Attributes:
        id: Position in the run, from 0.
        arch: The architecture.
        scores: Metric -> value; empty for a failed trial.
        cost: Metric -> value, known without evaluation (params, MACs, ...).
        status: `ok` or `failed`.
        fidelity: Fidelity of the evaluation, e.g. `full`.
        seconds: Wall-clock time of the evaluation.
        parents: Ids of the trials that the architecture was made from.
        origin: Operation that made the architecture, e.g. `random`, `mutation`, `crossover`.
        error: Reason of a failure; empty otherwise.
    """

    id: int
    arch: Arch
    scores: Mapping[str, Number] = field(default_factory=dict)
    cost: Mapping[str, Number] = field(default_factory=dict)
    status: Status = "ok"
    fidelity: str = ""
    seconds: float = 0.0
    parents: tuple[int, ...] = ()
    origin: str = "random"
    error: str = ""

    def value(self, objective: Objective) -> Number:
        """Returns the objective's value from the scores, or from the costs if no score has its name.

        Raises:
            UserError: Neither the scores nor the costs have the objective.
        """
        if objective.name in self.scores:
            return self.scores[objective.name]
        if objective.name in self.cost:
            return self.cost[objective.name]
        known = ", ".join(sorted({*self.scores, *self.cost})) or "nothing"
        raise UserError(f"trial {self.id} has no {objective.name!r}, only {known}: name an objective that is measured")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """An architecture to evaluate.

    Attributes:
        arch: The architecture.
        parents: Ids of the trials that the architecture was made from.
        origin: Operation that made the architecture, as in `Trial`.
        fidelity: Fidelity of the evaluation; empty for the fidelity of the whole search.
    """

    arch: Arch
    parents: tuple[int, ...] = ()
    origin: str = "random"
    fidelity: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """The result of one architecture's evaluation.

    Attributes:
        values: Metric -> value; empty if the evaluation failed.
        status: `ok` or `failed`.
        seconds: Wall-clock time of the evaluation.
        error: Reason of a failure; empty otherwise.
    """

    values: Mapping[str, Number] = field(default_factory=dict)
    status: Status = "ok"
    seconds: float = 0.0
    error: str = ""


Evaluator = Callable[[Sequence[Arch], str], list[Scores]]
"""Evaluates architectures at a fidelity. Returns one result per architecture, in their order; a failure is a failed `Scores`."""


@runtime_checkable
class Searcher(Protocol):
    """The interface of every search algorithm; `common.search.driver.search` calls it."""

    @property
    def objectives(self) -> Sequence[Objective]:
        """The objectives of the search."""
        ...

    def ask(self, n: int) -> list[Proposal]:
        """Returns the next 1 to `n` proposals, fewer at the end of a generation.

        No proposal repeats an architecture at a fidelity. The result is empty while a generation waits for proposed trials that
        the searcher has not been told. An empty result with no such trial means that the space is exhausted.

        Raises:
            UserError: No feasible architecture can be found.
        """
        ...

    def tell(self, trials: Sequence[Trial]) -> None:
        """Adds evaluated trials, failed ones included, in the order of their ids."""
        ...


@dataclass(slots=True)
class Unseen:
    """The architectures proposed or told so far; samples new ones.

    Attributes:
        space: The description with open decisions.
        feasible: The hard constraint; None if there is none.
        rule: The constraint in words, for the error when no architecture satisfies it.
        canonical: Key of an architecture; architectures with equal keys count as one. None: each architecture is its own key.
    """

    space: Any
    feasible: Feasible | None = None
    rule: str = ""
    canonical: Canonical | None = None
    _seen: set[Hashable] = field(default_factory=set, init=False)
    _left: list[Arch] | None = field(default=None, init=False)
    _small: bool | None = field(default=None, init=False)

    def __contains__(self, arch: Arch) -> bool:
        return self.key(arch) in self._seen

    def __len__(self) -> int:
        return len(self._seen)

    def add(self, arch: Arch) -> None:
        """Marks `arch` as seen."""
        self._seen.add(self.key(arch))

    def forget(self, arch: Arch) -> None:
        """Undoes `add`, for an architecture that is not proposed after all."""
        self._seen.discard(self.key(arch))
        self._left = None

    def take(self, arch: Arch) -> bool:
        """Marks `arch` as seen if it is new and feasible. Returns whether it was both."""
        admitted = self.admits(arch)
        if admitted:
            self.add(arch)
        return admitted

    def admits(self, arch: Arch) -> bool:
        """Whether `arch` is new and feasible, so that `take` would return True. Marks nothing."""
        return arch not in self and (self.feasible is None or self.feasible(arch))

    def key(self, arch: Arch) -> Hashable:
        """The key under which `arch` is marked: its canonical form, or `arch` itself."""
        return arch if self.canonical is None else self.canonical(arch)

    def sample(self, rng: Random) -> Arch | None:
        """Samples a new feasible architecture and marks it as seen. Returns None if none is left.

        The result is a function of the seen architectures and of `rng` alone. After `DRAWS` random samples without a new
        architecture, a space of up to `ENUMERABLE` architectures is enumerated, and one of those left is sampled uniformly. A
        larger space counts as exhausted after `MOST_DRAWS` random samples without a new architecture.

        Raises:
            UserError: No architecture was ever seen, and no feasible one is found; or random samples cannot satisfy a `Where`
                rule of a space too large to enumerate.
        """
        for i in range(MOST_DRAWS):
            if i == DRAWS and self._enumerable():
                break
            try:
                arch = sample(self.space, rng)
            except UserError:  # random samples break a narrow `Where` rule; enumeration still satisfies it
                if self._enumerable():
                    break
                raise
            if self.take(arch):
                return arch
        if self._enumerable():
            return self._draw_from_what_is_left(rng)
        if self._seen:
            return None
        raise UserError(f"{self._rule()} by none of {MOST_DRAWS:,} random architectures: loosen it")

    def left(self, most: int, rng: Random) -> int:
        """Returns the number of new feasible architectures, counted up to `most`. Marks nothing.

        Raises:
            UserError: As `sample`.
        """
        found: list[Arch] = []
        while len(found) < most and (arch := self.sample(rng)) is not None:
            found.append(arch)
        for arch in found:
            self.forget(arch)
        return len(found)

    def _draw_from_what_is_left(self, rng: Random) -> Arch | None:
        if self._left is None:
            self._left = [a for a in enumerate_all(self.space) if self.feasible is None or self.feasible(a)]
        self._left = [arch for arch in self._left if arch not in self]
        if self._left:
            arch = self._left[rng.randrange(len(self._left))]
            self.add(arch)
            return arch
        if self._seen:
            return None
        raise UserError(f"{self._rule()} by no architecture of the space: loosen it")

    def _enumerable(self) -> bool:
        if self._small is None:
            try:
                self._small = size(self.space, ENUMERABLE) <= ENUMERABLE
            except UserError:  # too many to count
                self._small = False
        return self._small

    def _rule(self) -> str:
        return f"the constraint {self.rule!r} is kept" if self.rule else "the hard constraint is kept"


@dataclass(slots=True)
class SpaceSearcher:
    """The settings that all searchers of a space share.

    Attributes:
        space: The description with open decisions.
        objectives: Objectives that compare trials, the most important first.
        seed: Seed of all random streams.
        feasible: The hard constraint; None if there is none.
        rule: The constraint in words, for errors.
        canonical: Key of an architecture; architectures with equal keys count as one and are evaluated once.
    """

    space: Any
    objectives: Sequence[Objective]
    seed: int = field(default=0, kw_only=True)
    feasible: Feasible | None = field(default=None, kw_only=True)
    rule: str = field(default="", kw_only=True)
    canonical: Canonical | None = field(default=None, kw_only=True)

    def unseen(self) -> Unseen:
        """Returns an empty `Unseen` with the searcher's space, constraint and canonical form."""
        return Unseen(self.space, self.feasible, self.rule, self.canonical)

    def order(self, trial: Trial) -> tuple[Number, int]:
        """Sort key of a trial that did not fail: the best by the first objective comes first, and of equal trials the earlier.

        Raises:
            UserError: The trial lacks the first objective, or its value is NaN.
        """
        objective = self.objectives[0]
        return objective.loss(trial.value(objective)), trial.id
