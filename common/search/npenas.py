"""Evolution whose children are chosen by a predictor that is refitted in every generation."""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Literal

import numpy as np

from common.errors import UserError
from common.predict.base import Predictor
from common.search.base import Proposal, Trial
from common.search.generations import TRIES, GenerationSearcher
from common.space import mutate, sample
from common.streams import derive

Acquisition = Literal["mean", "thompson"]


@dataclass(slots=True, kw_only=True)
class NPENAS(GenerationSearcher):
    """Neural predictor guided evolution (Wei et al. 2020, https://arxiv.org/abs/2003.12857, algorithm 1).

    A random generation first. For each later one the predictor is fitted from scratch on all trials before it, the best
    architectures so far are mutated many times each, and of these candidates those that the predictor likes best are evaluated.
    What is predicted is the loss of the first objective. Parents take turns, the best first, until there are enough
    candidates: the paper's one-to-many mutation. A mutant changes one decision, and each other one with probability `rate`.
    No candidate was seen before, nor does it break the constraint; candidates that are not chosen may come again.

    Departures: the paper says how many decisions a mutation changes for NAS-Bench-101 only. Where mutants are rare, because
    most neighbours were seen, random architectures make up the number of candidates, of which the paper says nothing. With
    fewer than two good trials a generation is random.

    Attributes:
        predictor: Fitted on (architecture, loss). The paper's is a graph network (GIN); an ensemble gives an uncertainty.
        first: Random architectures at the beginning.
        later: Architectures evaluated per generation.
        candidates: Mutants that the predictor chooses from.
        parents: How many of the best architectures so far are mutated.
        rate: Probability that a mutation changes a decision beyond the first.
        acquisition: `mean` ranks by the prediction (NPENAS-NP); `thompson` by a draw from N(mean, std) (NPENAS-BO).
    """

    predictor: Predictor
    first: int = 10
    later: int = 10
    candidates: int = 100
    parents: int = 10
    rate: float = 0.0
    acquisition: Acquisition = "mean"

    def __post_init__(self) -> None:
        if min(self.first, self.later, self.parents) < 1 or self.candidates < self.later or not 0 <= self.rate <= 1:
            raise UserError(
                f"NPENAS: {self.first} first and {self.later} later trials, {self.candidates} candidates of {self.parents}"
                f" parents mutated at rate {self.rate}: needs counts >= 1, candidates >= later and a rate in 0..1"
            )
        if self.acquisition not in ("mean", "thompson"):
            raise UserError(f"NPENAS: acquisition {self.acquisition!r} is unknown: use 'mean' or 'thompson'")
        self._begin("npenas", self.first, self.later)

    def _make(self, start: int, n: int, rng: Random) -> list[Proposal]:
        unseen, good = self._generations.unseen, self._good(start)
        if len(good) < 2:
            return []
        pool = self._candidates(heapq.nsmallest(self.parents, good, key=self.order), rng)
        if not pool:
            return []
        losses = [float(self.order(trial)[0]) for trial in good]
        fitted = self.predictor.fit([trial.arch for trial in good], losses, derive(self.seed, "npenas", "predictor", start))
        prediction = fitted([proposal.arch for proposal in pool])
        values = prediction.mean
        if self.acquisition == "thompson":
            values = values + prediction.std * np.array([rng.gauss(0.0, 1.0) for _ in pool])
        if values.shape != (len(pool),) or not np.isfinite(values).all():
            raise UserError(f"NPENAS: {type(self.predictor).__name__} does not predict {len(pool)} numbers: check its settings")
        chosen = [pool[i] for i in np.argsort(values, kind="stable")[:n]]
        return [proposal for proposal in chosen if unseen.take(proposal.arch)]

    def _candidates(self, parents: list[Trial], rng: Random) -> list[Proposal]:
        """Up to `candidates` unseen feasible architectures, none twice and none marked as seen."""
        unseen = self._generations.unseen
        met: set[Hashable] = set()
        found: list[Proposal] = []
        for proposals in (self._mutants(parents, rng), self._random(rng)):
            for _ in range(TRIES * self.candidates):
                if len(found) == self.candidates or (proposal := next(proposals, None)) is None:
                    break
                arch = proposal.arch
                if (key := unseen.key(arch)) not in met:
                    met.add(key)
                    if unseen.admits(arch):
                        found.append(proposal)
        return found

    def _mutants(self, parents: list[Trial], rng: Random) -> Iterator[Proposal]:
        while True:
            for parent in parents:
                try:
                    arch = mutate(self.space, parent.arch, rng, self.rate)
                except UserError:  # nothing can change, or a `Where` rule is too narrow around this parent: random ones go on
                    return
                yield Proposal(arch=arch, parents=(parent.id,), origin="mutation")

    def _random(self, rng: Random) -> Iterator[Proposal]:
        while True:
            try:
                yield Proposal(arch=sample(self.space, rng))
            except UserError:  # a `Where` rule is too narrow to sample: what is left is enumerated later
                return
