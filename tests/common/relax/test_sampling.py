"""Architectures drawn in proportion to strengths."""

from itertools import islice
from random import Random

import pytest
import torch
from scipy.stats import chisquare

from common.errors import UserError
from common.relax.sampling import sample_by_scores
from common.space import ManyOf, OneOf, Where, decisions

SPACE = {"a": OneOf("x", "y"), "b": OneOf(("deep", OneOf(1, 2, 3)), "flat"), "lone": OneOf("only")}


def inner() -> str:
    """The path of the decision inside an option."""
    return next(path for path in decisions(SPACE) if path.startswith("b["))


def test_options_are_taken_as_often_as_they_are_strong():
    strengths = {"a": [0.25, 0.75], "b": torch.tensor([0.6, 0.4]), inner(): [0.0, 2.0, 2.0]}
    archs = list(islice(sample_by_scores(SPACE, strengths, Random(0)), 4000))
    ones = [sum(arch["a"] == i for arch in archs) for i in range(2)]
    assert chisquare(ones, [1000, 3000]).pvalue > 0.01
    deep = [arch for arch in archs if arch["b"] == 0]
    assert chisquare([len(deep), 4000 - len(deep)], [2400, 1600]).pvalue > 0.01
    assert all((inner() in arch) == (arch["b"] == 0) and arch["lone"] == 0 for arch in archs)
    assert {arch[inner()] for arch in deep} == {1, 2}, "no strength, never taken"


def test_the_generator_decides():
    strengths = {"a": [1, 1], "b": [1, 1], inner(): [1, 1, 1]}

    def first(seed):
        return list(islice(sample_by_scores(SPACE, strengths, Random(seed)), 10))

    assert first(3) == first(3) != first(4)


def test_rules_of_the_space_are_kept():
    space = Where((OneOf(1, 2, 3), OneOf(1, 2, 3)), lambda both: sum(both) < 4, "less than four in all")
    strengths = {"0": [1, 1, 1], "1": [1, 1, 1]}
    assert {tuple(arch.values()) for arch in islice(sample_by_scores(space, strengths, Random(0)), 60)} == {
        (0, 0),
        (0, 1),
        (1, 0),
    }
    with pytest.raises(UserError, match=r"none of 1,000 draws keeps a rule of the space \(less than four in all"):
        next(sample_by_scores(space, {"0": [0, 0, 1], "1": [0, 0, 1]}, Random(0)))


def test_a_thousand_draws_in_a_row_may_break_a_rule():
    asked = []

    def once(value):
        asked.append(value)
        return len(asked) in (3, 4)

    draws = sample_by_scores(Where(OneOf(1, 2), once, "now and then"), {"": [1, 1]}, Random(0))
    assert [next(draws), next(draws)] and len(asked) == 4
    with pytest.raises(UserError, match="none of 1,000 draws"):
        next(draws)
    assert len(asked) == 4 + 1000
    asked = [None] * 4
    with pytest.raises(UserError, match="none of 1,000 draws"):
        next(sample_by_scores(Where(OneOf(1, 2), once, "never again"), {"": [1, 1]}, Random(0)))
    assert len(asked) == 4 + 1000


@pytest.mark.parametrize(
    ("space", "strengths", "message"),
    [
        (ManyOf((1, 2), 1, 2), {"": [1, 1]}, "is a ManyOf: only options of a OneOf can be drawn"),
        ((OneOf(1, 2), OneOf(1, 2)), {"0": [1, 1]}, "'1' has no strengths to draw its options by; give 2 numbers"),
    ],
)
def test_what_cannot_be_drawn(space, strengths, message):
    with pytest.raises(UserError, match=message):
        next(sample_by_scores(space, strengths, Random(0)))
