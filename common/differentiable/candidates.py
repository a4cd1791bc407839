"""Candidates from what a differentiable search learnt: the strongest architecture, then draws by its probabilities."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from common.relax.sampling import sample_by_scores
from common.space import Arch
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
    """

    of: Named
    count: int
    before: Sequence[Arch] = ()

    def __call__(self, context: Context) -> list[Arch]:
        """Different feasible architectures: those given, what the search derived, then others in the order of their draws."""
        space = context.task.space
        found: dict[Arch, None] = dict.fromkeys(filter(context.feasible, self.before))
        found |= {context.found(self.of): None}
        strengths = json.loads((context.folder.path / "strengths.json").read_text(encoding="utf-8"))
        rng = stream(context.seed, "candidates")
        for arch in islice(sample_by_scores(space, strengths, rng), DRAWS * self.count):
            if len(found) == self.count:
                break
            if context.feasible(arch):
                found[arch] = None
        return list(found)
