"""Evaluators around evaluators: from one candidate to a batch, a cache, a constraint."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from common.errors import UserError
from common.evaluate.base import Evaluator, Scores
from common.space import Arch

Score = Callable[[Arch, str], Mapping[str, float | int]]
"""`score(arch, fidelity)`: the metrics of one architecture; it may raise."""


@dataclass(frozen=True, slots=True)
class Each:
    """An evaluator that calls `score` for one architecture after the other, timed.

    An exception in one candidate is a failed `Scores` with its text. `UserError` is passed on: bad input ends the run, and so
    does Ctrl-C.
    """

    score: Score

    def __call__(self, archs: Sequence[Arch], fidelity: str) -> list[Scores]:
        return [self._one(arch, fidelity) for arch in archs]

    def _one(self, arch: Arch, fidelity: str) -> Scores:
        start = time.perf_counter()
        try:
            values = self.score(arch, fidelity)
        except UserError:
            raise
        except Exception as error:  # whatever a candidate network does wrong must not end the search
            return failed(error, time.perf_counter() - start)
        return Scores(values=values, seconds=time.perf_counter() - start)


def failed(error: Exception, seconds: float = 0.0) -> Scores:
    """The `Scores` of a candidate that raised `error`."""
    text = " ".join(str(error).split())
    return Scores(status="failed", seconds=seconds, error=f"{type(error).__name__}: {text}" if text else type(error).__name__)


@dataclass(frozen=True, slots=True)
class Cached:
    """Evaluates an architecture once per fidelity; failures are tried again. A hit costs 0 seconds."""

    evaluator: Evaluator
    _known: dict[tuple[Arch, str], Scores] = field(default_factory=dict, init=False)

    def __call__(self, archs: Sequence[Arch], fidelity: str) -> list[Scores]:
        missing = [arch for arch in dict.fromkeys(archs) if (arch, fidelity) not in self._known]
        fresh = dict(zip(missing, self.evaluator(missing, fidelity), strict=True)) if missing else {}
        hits = [fresh.get(arch) or replace(self._known[arch, fidelity], seconds=0.0) for arch in archs]
        self._known.update({(arch, fidelity): scores for arch, scores in fresh.items() if scores.status == "ok"})
        return hits


@dataclass(frozen=True, slots=True)
class Constrained:
    """Evaluates feasible architectures only; the others fail at no cost, with the rule they break."""

    evaluator: Evaluator
    feasible: Callable[[Arch], bool]
    rule: str

    def __call__(self, archs: Sequence[Arch], fidelity: str) -> list[Scores]:
        holds = [self.feasible(arch) for arch in archs]
        kept = [arch for arch, ok in zip(archs, holds, strict=True) if ok]
        results = iter(self.evaluator(kept, fidelity) if kept else [])
        broken = Scores(status="failed", error=f"breaks the constraint {self.rule}")
        return [next(results) if ok else broken for ok in holds]
