"""Progressive search with a predictor."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, product
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.errors import UserError
from common.predict.base import Predictor
from common.search.base import Proposal, Trial
from common.search.generations import GenerationSearcher
from common.space import Arch, alone, decisions, decode, enumerate_all
from common.streams import derive

CHUNK = 4096
"""Candidates whose scores are predicted at once: what bounds the memory."""

Losses = Callable[[Sequence[Arch]], NDArray[np.float64]]
"""What ranks candidates: smaller is better; shape (n,)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """From simple architectures to complex ones.

    Attributes:
        count: How many levels there are.
        first: The architectures of level 1, each once.
        expand: `expand(arch, level)`: what `arch` becomes by settling anew what `level` (1 to `count`) decides, all else being
            kept; nothing where `arch` is too simple for that. An architecture of the level before is thereby expanded; of a
            later one, changed.
    """

    count: int
    first: Callable[[], Iterator[Arch]]
    expand: Callable[[Arch, int], Iterator[Arch]]


def by_decisions(space: Any, groups: Sequence[Sequence[str]], filler: Arch) -> Levels:
    """Levels for spaces whose architectures are all equally complex: level l opens the l-th group of decisions.

    A reconstruction: PNAS has cells of fewer blocks, which such spaces lack. Here the decisions of later groups stay as they are
    in `filler`; what comes alive without being there takes its first option. Choose a filler that leaves the network usable,
    e.g. convolutions on all edges of a cell: what is cut by it looks equally bad whatever the open decisions are. Both
    matter: the search is greedy, and with a poor choice it stays in the filler's neighbourhood.

    Args:
        space: The description with open decisions.
        groups: Paths of the decisions that each level opens; those in no group are met by random architectures only.
        filler: A valid architecture.

    Raises:
        UserError: No groups; an empty group; a path that is unknown or in two groups; `filler` is not of this space.
    """
    known = decisions(space)
    if not groups or not all(groups):
        raise UserError(f"levels by decisions: {len(groups)} groups, some empty: name at least one decision for each")
    paths = [path for group in groups for path in group]
    for i, path in enumerate(paths):
        if path not in known:
            raise UserError(f"levels by decisions: the space has no decision {path!r}: name some of {', '.join(known)}")
        if path in paths[:i]:
            raise UserError(f"levels by decisions: {path!r} is in two groups: let one level open it")
    decode(space, filler)
    counts = alone(space)

    def expand(arch: Arch, level: int) -> Iterator[Arch]:
        group = groups[level - 1]
        if all(path in counts and path in arch for path in group):  # nothing else depends on them: no walk
            choices = product(*(range(counts[path]) for path in group))
            return (Arch({**arch, **dict(zip(group, choice, strict=True))}) for choice in choices)
        kept = {**filler, **arch}
        return enumerate_all(space, lambda path: None if path in group else kept.get(path, 0))

    return Levels(count=len(groups), first=lambda: expand(filler, 1), expand=expand)


@dataclass(slots=True)
class PNAS(GenerationSearcher):
    """Progressive search from simple to complex (Liu et al. 2018, https://arxiv.org/abs/1712.00559, Algorithm 1).

    Generation 0 is level 1: all of its architectures, or `first` random ones where there are more. For each further level every
    architecture that the generation before evaluated is expanded, a predictor fitted on all trials so far ranks the expansions,
    and the best `beam` of those not seen are evaluated. The paper ends there. Here the search goes on until the budget is spent:
    the best `beam` architectures of all take the place of the generation before, and levels 1, 2, ... are settled anew in turn,
    one in each generation. With fewer than two trials that did not fail, expansions are taken at random; where expansions run
    out, random architectures take their place. Being greedy, it can end in a local optimum of its levels: see `by_decisions`.

    Only the first objective counts. Departures: the predictor is fitted from scratch for each level, not trained further;
    among equal candidates (see `canonical`) the one predicted best counts, where the paper averages over symmetric cells.

    Attributes:
        levels: Levels of the space: `by_decisions`, or `pnas_space.Cells.levels`.
        predictor: Ranks expansions by its mean; the paper's is `Ensemble(LSTM(...), 5)` or an ensemble of MLPs.
        first: Trials of level 1, 136 in the paper, which are all; fewer where the level is smaller.
        beam: Trials of every further generation, 256 in the paper.
    """

    levels: Levels = field(kw_only=True)
    predictor: Predictor = field(kw_only=True)
    first: int = field(default=136, kw_only=True)
    beam: int = field(default=256, kw_only=True)
    _wide: int = field(init=False)  # trials of level 1

    def __post_init__(self) -> None:
        if self.first < 1 or self.beam < 1:
            raise UserError(f"PNAS: first is {self.first} and beam is {self.beam}: both must be at least 1")
        self._wide = max(1, self._simple())
        self._begin("pnas", self._wide, self.beam)

    def _simple(self) -> int:
        """How many different feasible architectures level 1 has, counted up to `first`."""
        unseen = self.unseen()
        for arch in self.levels.first():
            unseen.take(arch)
            if len(unseen) == self.first:
                break
        return len(unseen)

    def _make(self, start: int, n: int, rng: Random) -> list[Proposal]:
        def at_random(archs: Sequence[Arch]) -> NDArray[np.float64]:
            return np.array([rng.random() for _ in archs])

        if start == 0:
            found = self._best(((None, arch) for arch in self.levels.first()), n, at_random)
            return [Proposal(arch=arch) for _, arch in found]
        fine = self._good(start)
        losses = self._predicted(fine, start) if len(fine) > 1 else at_random
        found = self._best(self._expansions(fine, start), n, losses)
        return [Proposal(arch=arch, parents=(parent.id,), origin="expansion") for parent, arch in found if parent is not None]

    def _expansions(self, fine: Sequence[Trial], start: int) -> Iterator[tuple[Trial, Arch]]:
        generation = 1 + (start - self._wide) // self.beam
        before = start - self.beam if generation > 1 else 0
        parents = [trial for trial in fine if trial.id >= before] if generation < self.levels.count else []
        if not parents:  # the levels are done, or all of the last one failed
            parents = sorted(fine, key=self.order)[: self.beam]
        for parent in parents:
            for arch in self.levels.expand(parent.arch, 1 + generation % self.levels.count):
                yield parent, arch

    def _predicted(self, fine: Sequence[Trial], start: int) -> Losses:
        objective = self.objectives[0]
        scores = [float(trial.value(objective)) for trial in fine]
        fitted = self.predictor.fit([trial.arch for trial in fine], scores, derive(self.seed, "pnas predictor", start))
        sign = float(objective.loss(1.0))
        return lambda archs: sign * fitted(archs).mean

    def _best(self, candidates: Iterable[tuple[Trial | None, Arch]], n: int, losses: Losses) -> list[tuple[Trial | None, Arch]]:
        """Takes the up to `n` best new feasible candidates, the best one first; of equal ones the earlier."""
        unseen = self._generations.unseen
        new = (candidate for candidate in candidates if unseen.admits(candidate[1]))
        best: dict[Hashable, tuple[float, Trial | None, Arch]] = {}  # at most n between two chunks, in their order
        while chunk := list(islice(new, CHUNK)):
            ranked = zip(losses([arch for _, arch in chunk]).tolist(), *zip(*chunk, strict=True), strict=True)
            merged = sorted([*best.values(), *ranked], key=lambda entry: entry[0])
            best = {}
            for entry in merged:
                if len(best) == n:
                    break
                best.setdefault(unseen.key(entry[2]), entry)
        for _, _, arch in best.values():
            unseen.add(arch)
        return [(parent, arch) for _, parent, arch in best.values()]
