"""A reward computed from scores and costs, beside the scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from common.evaluate.base import Evaluator, Scores
from common.evaluate.wrappers import failed
from common.expression import Expression, ExpressionFailed
from common.space import Arch

REWARD = "reward"
"""Name of the score."""


@dataclass(frozen=True, slots=True)
class Rewarded:
    """An evaluator whose results have a further score, `reward`: the value of an expression over the others and the costs.

    A candidate for which the expression has no value, because of a division by zero say, is a failed `Scores`.

    Attributes:
        evaluator: evaluates the architectures.
        expression: see `common.expression`.
        costs: architecture -> costs by name.
    """

    evaluator: Evaluator
    expression: Expression
    costs: Callable[[Arch], Mapping[str, float]]

    def __call__(self, archs: Sequence[Arch], fidelity: str) -> list[Scores]:
        """One `Scores` per architecture, in order."""
        results = self.evaluator(archs, fidelity)
        return [self._rewarded(arch, scores) for arch, scores in zip(archs, results, strict=True)]

    def _rewarded(self, arch: Arch, scores: Scores) -> Scores:
        if scores.status != "ok":
            return scores
        try:
            value = self.expression({**self.costs(arch), **scores.values})
        except ExpressionFailed as error:
            return failed(error, scores.seconds)
        return Scores(values={**scores.values, REWARD: value}, seconds=scores.seconds)
