"""Architectures drawn from what a differentiable search learnt, in the place of its strongest one alone."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from common.errors import UserError
from common.relax.scores import OptionScores
from common.space import Arch, Decision, Invalid, OneOf, record

TRIES = 1000
"""Draws in a row that may break a rule of the space."""


def sample_by_scores(space: Any, strengths: OptionScores, rng: Random) -> Iterator[Arch]:
    """Endlessly architectures of `space`, each decision in proportion to the strengths of its options; some may be alike.

    Args:
        space: the description with open decisions, each a `OneOf`.
        strengths: path -> shape (n,), at least 0, one for each option; not needed where there is one option.
        rng: of the draws.

    Raises:
        UserError: a decision is no `OneOf`, or has no strengths; a rule of the space is broken by all of many draws.
    """

    def option(path: str, decision: Decision) -> int:
        if not isinstance(decision, OneOf):
            raise UserError(f"decision {path!r} is a {type(decision).__name__}: only options of a OneOf can be drawn")
        n = len(decision.options)
        if n == 1:
            return 0
        if path not in strengths:
            raise UserError(f"decision {path!r} has no strengths to draw its options by; give {n} numbers")
        return rng.choices(range(n), [float(value) for value in strengths[path]])[0]

    broken, why = 0, ""
    while broken < TRIES:
        try:
            arch = record(space, option)
        except Invalid as rule:
            broken, why = broken + 1, str(rule)
        else:
            broken = 0
            yield arch
    raise UserError(f"none of {TRIES:,} draws keeps a rule of the space ({why}); derive the strongest architecture alone")
