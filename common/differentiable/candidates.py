"""Candidates from what a differentiable search learnt: the strongest architecture, then draws by its probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from math import inf
from pathlib import Path
from typing import Any

from common.errors import UserError, shown
from common.relax.sampling import sample_by_scores
from common.run.files import read_json
from common.space import Arch, decisions
from common.stages.context import Context, Named
from common.streams import stream

DRAWS = 50
"""Draws for each candidate wanted, after which what differs is enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """For a search that compares candidates by training them alone (`common.stages.scratch`).

    Attributes:
        of: the stage that learnt.
        count: how many, at most; fewer where the draws do not differ.
        before: architectures that come first, feasible ones alone: a warm start.
        forbidden: labels of options that are never drawn.
    """

    of: Named
    count: int
    before: Sequence[Arch] = ()
    forbidden: Sequence[str] = ()

    def __call__(self, context: Context) -> list[Arch]:
        """Different feasible architectures: those given, what the search derived, then others in the order of their draws."""
        space = context.task.space
        found: dict[Arch, None] = dict.fromkeys(filter(context.feasible, self.before))
        found |= {context.found(self.of): None}
        strengths = strengths_of(space, context.folder.path / "strengths.json")
        for path, decision in decisions(space).items():
            if path in strengths:
                named = zip(decision.labels, strengths[path], strict=True)
                strengths[path] = [0.0 if label in self.forbidden else value for label, value in named]
        rng = stream(context.seed, "candidates")
        for arch in islice(sample_by_scores(space, strengths, rng), DRAWS * self.count):
            if len(found) == self.count:
                break
            if context.feasible(arch):
                found[arch] = None
        return list(found)


def strengths_of(space: Any, path: Path) -> dict[str, list[float]]:
    """The strengths that a search left, a number from 0 for each option.

    Raises:
        UserError: the file is damaged, or of another space.
    """
    strengths = read_json(path)
    for name, decision in decisions(space).items():
        values = strengths.get(name)
        if values is None:  # of a decision with one option
            continue
        good = isinstance(values, list) and all(isinstance(value, int | float) and 0 <= value < inf for value in values)
        if not good or len(values) != len(decision) or not sum(values):
            raise UserError(f"{path}: {name!r} is {shown(values)}, not {len(decision)} numbers from 0; restore the file")
    return strengths
