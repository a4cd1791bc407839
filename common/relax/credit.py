"""What the scores of sub-networks say of the options in them: means, running values and their bounds of confidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, inf, log, sqrt
from random import Random


@dataclass(slots=True, kw_only=True)
class Credit:
    """The scores that the options of one decision were credited with.

    Attributes:
        values: for each option the mean of its scores, or their running value; 0 without a score.
        times: for each option the number of its scores.
    """

    values: list[float]
    times: list[int]

    def add(self, option: int, score: float, weight: float | None = None) -> None:
        """Credits an option with the score of a sub-network in which it is.

        Args:
            option: its number.
            score: higher is better.
            weight: lambda of the running value m <- (1 - lambda) m + lambda a, which begins at the first score (the paper does
                not say where; a reconstruction). None: m is the mean of all scores.
        """
        self.times[option] += 1
        share = 1 / self.times[option] if weight is None or self.times[option] == 1 else weight
        self.values[option] += share * (score - self.values[option])

    def width(self, option: int) -> float:
        """sqrt(2 ln N / n), with n scores of the option and N of all options; infinite without a score of the option.

        ABanditNAS (Chen et al., ECCV 2020), as restated in chapter 4 of "Binary Neural Networks" by the same authors.
        """
        n = self.times[option]
        return sqrt(2 * log(sum(self.times)) / n) if n else inf

    def lower(self, option: int) -> float:
        """m - sqrt(2 ln N / n), by which options are sampled; minus infinity without a score of the option."""
        return self.values[option] - self.width(option)

    def upper(self, option: int) -> float:
        """m + sqrt(2 ln N / n): the option of the lowest one is abandoned, which is never an option without a score."""
        return self.values[option] + self.width(option)

    def draw(self, options: Sequence[int], rng: Random) -> int:
        """One of `options`, sampled by softmax of the lower bounds.

        While some of them have no score, one of those is sampled, all alike: their bounds are not defined (a reconstruction).
        """
        if unscored := [i for i in options if not self.times[i]]:
            return rng.choice(unscored)
        bounds = [self.lower(i) for i in options]
        highest = max(bounds)
        return rng.choices(options, [exp(bound - highest) for bound in bounds])[0]


def indicator(child: float, parent: float, beta: float) -> float:
    """z = beta (A_P - A_C) + A_C, the score of an option in CP-NAS (arXiv 2005.00057), with the sign as printed.

    With beta above 1 it rewards the parent more than the child. The paper finds 2 best.

    >>> indicator(0.5, 0.75, 2.0)
    1.0
    """
    return beta * (parent - child) + child
