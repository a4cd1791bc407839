"""Gradient ascent in the space of codes that an encoder and a decoder of architectures learn."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from random import Random

from common.errors import UserError
from common.predict.nao_model import NAOModel
from common.search.base import Proposal
from common.search.generations import GenerationSearcher
from common.streams import derive


@dataclass(slots=True, kw_only=True)
class NAO(GenerationSearcher):
    """Neural architecture optimisation (Luo et al. 2018, https://arxiv.org/abs/1808.07233, algorithm 1).

    A random generation first. For each later one the model is trained on all trials before it; the codes of the best
    architectures are moved along the gradient of the predicted score and decoded. All of them take a step of 1, then of 2 from
    where they began, and so on until there are enough new architectures. Only the first objective counts.

    The paper evaluates 600 architectures first and 300 in each later generation, with 100 seeds and steps up to 50; the defaults
    are for budgets of a few hundred.

    Departures: the model is trained from scratch and on all trials, not on from the one before and on a pool that loses its
    worst. What the steps do not bring is drawn at random; with fewer than two good trials all is.

    Attributes:
        model: Encoder, predictor and decoder, of the same space.
        first: Random architectures at the beginning.
        later: Architectures per later generation.
        seeds: How many of the best architectures so far are moved.
        ascents: The longest step.
    """

    model: NAOModel
    first: int = 50
    later: int = 25
    seeds: int = 20
    ascents: int = 50

    def __post_init__(self) -> None:
        if min(self.first, self.later, self.seeds, self.ascents) < 1:
            raise UserError(
                f"NAO: {self.first} first and {self.later} later trials, {self.seeds} seeds, {self.ascents} ascents: all must"
                " be at least 1"
            )
        if self.model.space != self.space:
            raise UserError("NAO: its model is of another space: give both the same")
        self._begin("nao", self.first, self.later)

    def _make(self, start: int, n: int, rng: Random) -> list[Proposal]:
        unseen, good = self._generations.unseen, self._good(start)
        if len(good) < 2:
            return []
        scores = [-float(self.order(trial)[0]) for trial in good]
        fitted = self.model.fit([trial.arch for trial in good], scores, derive(self.seed, "nao", "model", start))
        best = heapq.nsmallest(self.seeds, good, key=self.order)
        code = fitted.encode([trial.arch for trial in best])
        made: list[Proposal] = []
        for step in range(1, self.ascents + 1):
            for trial, arch in zip(best, fitted.decode(fitted.uphill(code, step)), strict=True):
                if arch is not None and unseen.take(arch):
                    made.append(Proposal(arch=arch, parents=(trial.id,), origin="ascent"))
                    if len(made) == n:
                        return made
        return made
