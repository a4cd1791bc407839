"""EcoNAS: evolution in tiers of fidelity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from common.errors import UserError
from common.search.base import Proposal, Trial
from common.search.generations import GenerationSearcher, breed
from common.space import mutate
from common.streams import stream


@dataclass(frozen=True, slots=True)
class _Member:
    trial: Trial  # at the highest fidelity that the architecture was evaluated at
    cycle: int  # in which that was


@dataclass(slots=True)
class EcoNAS(GenerationSearcher):
    """Evolution with a hierarchical proxy (Zhou et al. 2020, https://arxiv.org/abs/2001.01233, section 4.2).

    Everybody is evaluated cheaply, the promising ones again at a higher fidelity. A tier holds the architectures whose highest
    fidelity is the same, best first by their score there: scores of different fidelities are never compared. A cycle is one
    generation: the best `continued` of each tier but the last move on to the next fidelity, and winners of tournaments in each
    tier get a mutant each, evaluated at the lowest. A tournament takes |tier| // 4 + 1 members with replacement; architectures
    that were not evaluated for `patience` cycles are dropped. The defaults are those of the paper's search for 20, 40 and 60
    epochs. To continue a training instead of repeating it is up to the evaluator.

    An empty tier has no parents, so the first cycles are smaller, as in the authors' code. A random architecture takes the
    place of a mutant where ten of them were all seen before or infeasible; a generation of `initial` random ones follows if
    nobody is alive. A cycle holds no more new architectures than the space has left, and the search ends when it has none and
    nobody can be continued. Departures: the authors' code ranks a tier by the best score of any fidelity; failed trials leave
    the population, also those that failed when they were continued; the random start counts as a cycle of its own, so that
    its members are dropped one cycle earlier. Only the first objective counts.

    Attributes:
        fidelities: From the cheapest on.
        initial: Random architectures in the first generation.
        continued: How many of each tier but the last are evaluated at the next fidelity in a cycle.
        parents: How many mutants each tier gets in a cycle.
        patience: Cycles without an evaluation after which an architecture is dropped.
    """

    fidelities: tuple[str, ...] = field(default=("20", "40", "60"), kw_only=True)
    initial: int = field(default=16, kw_only=True)
    continued: tuple[int, ...] = field(default=(8, 4), kw_only=True)
    parents: tuple[int, ...] = field(default=(6, 5, 5), kw_only=True)
    patience: int = field(default=10, kw_only=True)
    _tiers: list[list[_Member]] = field(init=False)  # best first
    _cycle: int = field(default=-1, init=False)  # that starts at `_folded`; the random start is 0
    _folded: int = field(default=-1, init=False)  # trials that the state is a fold of
    _new: int = field(default=0, init=False)  # new architectures in the cycle
    _exhausted: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        tiers = len(self.fidelities)
        if tiers < 1 or len(set(self.fidelities)) < tiers or not all(self.fidelities):
            raise UserError(f"EcoNAS: fidelities {self.fidelities}: name one or more, each once")
        if len(self.continued) != tiers - 1 or len(self.parents) != tiers:
            raise UserError(
                f"EcoNAS: {tiers} fidelities with continued={self.continued} and parents={self.parents}:"
                f" give {tiers - 1} and {tiers} numbers"
            )
        if min(self.initial, self.patience, *self.continued, *self.parents) < 1:
            raise UserError(
                f"EcoNAS: initial={self.initial}, continued={self.continued}, parents={self.parents}, patience={self.patience}:"
                " each needs to be at least 1"
            )
        self._tiers = [[] for _ in self.fidelities]
        self._begin_with("econas", self._size)

    @property
    def tiers(self) -> tuple[tuple[Trial, ...], ...]:
        """The population of the cycle in progress: one tier per fidelity, each with its best first."""
        return tuple(tuple(member.trial for member in tier) for tier in self._tiers)

    def best(self, trials: Sequence[Trial]) -> Trial | None:
        """The best of the trials at the highest fidelity that any of them succeeded at; None if none did.

        Trials at fidelities other than `fidelities` are passed over.
        """
        for fidelity in reversed(self.fidelities):
            if at := [trial for trial in trials if trial.status == "ok" and trial.fidelity == fidelity]:
                return min(at, key=self.order)
        return None

    def _make(self, start: int, n: int, rng: Random) -> list[Proposal]:
        unseen, lowest = self._generations.unseen, self.fidelities[0]
        made = self._continuations()
        wanted = len(made) + self._new
        for tier, count in zip(self._tiers, self.parents, strict=True):
            if tier:

                def mutant(tier: list[_Member] = tier) -> Proposal:
                    ranks = [rng.randrange(len(tier)) for _ in range(len(tier) // 4 + 1)]
                    parent = tier[min(ranks)].trial
                    arch = mutate(self.space, parent.arch, rng, rate=0.0)
                    return Proposal(arch=arch, parents=(parent.id,), origin="mutation", fidelity=lowest)

                made += breed(unseen, min(count, wanted - len(made)), mutant)
        while len(made) < wanted and (arch := unseen.sample(rng)) is not None:
            made.append(Proposal(arch=arch, fidelity=lowest))
        return made

    def _continuations(self) -> list[Proposal]:
        return [
            Proposal(arch=member.trial.arch, parents=(member.trial.id,), origin="continued", fidelity=fidelity)
            for tier, count, fidelity in zip(self._tiers, self.continued, self.fidelities[1:], strict=False)
            for member in tier[:count]
        ]

    def _size(self, start: int) -> int:
        """How many trials come after the first `start`; called at the start of every generation, in their order."""
        if start != self._folded:
            born = self._generations.told[max(self._folded, 0) : start]
            for trial in born:
                self._generations.unseen.add(trial.arch)
                self._join(trial)
            self._folded = start
            self._cycle += 1
            for i, tier in enumerate(self._tiers):
                alive = [member for member in tier if self._cycle - member.cycle < self.patience]
                self._tiers[i] = sorted(alive, key=lambda member: self.order(member.trial))
            children = sum(count for tier, count in zip(self._tiers, self.parents, strict=True) if tier)
            self._new = self._left(children or self.initial, stream(self.seed, "econas left", start))
        return max(1, len(self._continuations()) + self._new)  # one that cannot be made ends the search

    def _join(self, trial: Trial) -> None:
        """Puts a trial of cycle `_cycle` into its tier, out of the one below."""
        if trial.fidelity not in self.fidelities:
            return  # of a history from elsewhere
        tier = self.fidelities.index(trial.fidelity)
        if tier:
            below = self._tiers[tier - 1]
            below[:] = [member for member in below if member.trial.id not in trial.parents]
        if trial.status == "ok":
            self._tiers[tier].append(_Member(trial, self._cycle))

    def _left(self, most: int, rng: Random) -> int:
        """How many new architectures there are, counted up to `most`: a size must not promise more than can be made."""
        found = 0 if self._exhausted else self._generations.unseen.left(most, rng)
        self._exhausted = not found
        return found
