"""What every searcher shares: trials, proposals, the protocol, and the promise never to propose a thing twice.

A searcher's whole state is the list of trials it was told. It proposes in generations: what generation g holds is a pure
function of the settings, the seed and the trials of the generations before it. A batch is a slice of a generation, so neither
the batch size nor a kill in the middle of one changes what is proposed: tell a fresh searcher the trials so far and go on.
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
"""What architectures that stand for the same network have in common, e.g. the canonical form of their cell."""

ENUMERABLE = 200_000
"""Spaces up to this size are enumerated once random draws keep hitting what was seen."""
DRAWS = 100
"""Random draws in a row without anything new before an enumerable space is enumerated."""
MOST_DRAWS = 20_000
"""Random draws in a row without anything new before a larger space is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One evaluated architecture.

    Attributes:
        id: Position in the run, from 0.
        arch: The architecture.
        scores: Metric -> value; empty for a failed trial.
        cost: Metric -> value, known without evaluation (params, MACs, ...).
        status: `ok` or `failed`.
        fidelity: What the evaluator was asked for, e.g. `full`.
        seconds: Wall-clock time of the evaluation.
        parents: Ids of the trials it was made from.
        origin: How it was made, e.g. `random`, `mutation`, `crossover`.
        error: Why it failed; empty otherwise.
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
        """The objective's value among the scores, else among the costs.

        Raises:
            UserError: Neither holds it.
        """
        if objective.name in self.scores:
            return self.scores[objective.name]
        if objective.name in self.cost:
            return self.cost[objective.name]
        known = ", ".join(sorted({*self.scores, *self.cost})) or "nothing"
        raise UserError(f"trial {self.id} has no {objective.name!r}, only {known}: name an objective that is measured")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """An architecture to evaluate, the ids of the trials it was made from, and how.

    Attributes:
        arch: The architecture.
        parents: Ids of the trials it was made from.
        origin: How it was made.
        fidelity: What the evaluator is asked for; empty for the fidelity of the whole search.
    """

    arch: Arch
    parents: tuple[int, ...] = ()
    origin: str = "random"
    fidelity: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """What became of one architecture's evaluation.

    Attributes:
        values: Metric -> value; empty if it failed.
        status: `ok` or `failed`.
        seconds: Wall-clock time spent on it.
        error: Why it failed; empty otherwise.
    """

    values: Mapping[str, Number] = field(default_factory=dict)
    status: Status = "ok"
    seconds: float = 0.0
    error: str = ""


Evaluator = Callable[[Sequence[Arch], str], list[Scores]]
"""Scores architectures at a fidelity, one result each, in their order; a candidate that fails is a failed `Scores`."""


@runtime_checkable
class Searcher(Protocol):
    """What `search` drives."""

    @property
    def objectives(self) -> Sequence[Objective]:
        """What is searched for."""
        ...

    def ask(self, n: int) -> list[Proposal]:
        """The next 1 to `n` proposals, none of them seen before at its fidelity; fewer at the end of a generation.

        Empty while a generation waits for trials that were asked for and not yet told; empty with nothing pending means that
        the space is exhausted.

        Raises:
            UserError: No feasible architecture can be found.
        """
        ...

    def tell(self, trials: Sequence[Trial]) -> None:
        """Adds evaluated trials, failed ones included, in the order of their ids."""
        ...


@dataclass(slots=True)
class Unseen:
    """Every architecture proposed or told so far, and draws of new ones.

    Attributes:
        space: The description with open decisions.
        feasible: The hard constraint; None if there is none.
        rule: The constraint in words, for the error when nothing keeps it.
        canonical: Architectures for which this is equal count as one; None where each is a network of its own.
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
        """Takes back `add`, for a proposal that was not made after all."""
        self._seen.discard(self.key(arch))
        self._left = None

    def take(self, arch: Arch) -> bool:
        """Marks `arch` as seen and returns True, if it is new and feasible."""
        admitted = self.admits(arch)
        if admitted:
            self.add(arch)
        return admitted

    def admits(self, arch: Arch) -> bool:
        """Whether `take` would return True; marks nothing."""
        return arch not in self and (self.feasible is None or self.feasible(arch))

    def key(self, arch: Arch) -> Hashable:
        """What architectures that count as one have in common."""
        return arch if self.canonical is None else self.canonical(arch)

    def sample(self, rng: Random) -> Arch | None:
        """Takes a random new feasible architecture; None when there is none left.

        The result is a function of what was seen and of `rng` alone. In a space of more than `ENUMERABLE` architectures none
        counts as left after `MOST_DRAWS` draws in a row without a new one.

        Raises:
            UserError: Nothing feasible was found now or before.
        """
        for i in range(MOST_DRAWS):
            if i == DRAWS and self._enumerable():
                break
            try:
                arch = sample(self.space, rng)
            except UserError:  # a `Where` rule is too narrow to sample; enumeration can still meet it
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
        """How many new feasible architectures there are, counted up to `most`; none is taken."""
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
    """What every searcher is told of its space.

    Attributes:
        space: The description with open decisions.
        objectives: What the trials are compared by.
        seed: Of all draws.
        feasible: The hard constraint.
        rule: The constraint in words, for errors.
        canonical: Architectures for which this is equal count as one and are evaluated once.
    """

    space: Any
    objectives: Sequence[Objective]
    seed: int = field(default=0, kw_only=True)
    feasible: Feasible | None = field(default=None, kw_only=True)
    rule: str = field(default="", kw_only=True)
    canonical: Canonical | None = field(default=None, kw_only=True)

    def unseen(self) -> Unseen:
        """A fresh record of what was seen, under the constraint."""
        return Unseen(self.space, self.feasible, self.rule, self.canonical)

    def order(self, trial: Trial) -> tuple[Number, int]:
        """Sorts trials that did not fail: the best by the first objective first, the earlier one of equals."""
        objective = self.objectives[0]
        return objective.loss(trial.value(objective)), trial.id
