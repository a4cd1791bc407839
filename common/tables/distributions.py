"""Design spaces compared by the distributions of their networks' scores: Radosavovic et al. 2019 (arXiv 1905.13214).

A space is not as good as its best network, which is mostly a matter of how many were looked at, but as the networks that a sample
of it has. Spaces whose networks are larger look better for that alone; `normalised` takes the difference away.

>>> small, large = Sample("small", [3.0, 2.0, 1.0], [1, 2, 3]), Sample("large", [2.0, 1.5, 0.5], [2, 3, 4])
>>> alike = normalised(small, large)  # only 2 and 3 are complexities of both, in two bins
>>> alike.weights[0].tolist(), alike.inside, alike.bins
([0.0, 0.5, 0.5], (2, 2), 2)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

from common.errors import UserError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """Networks drawn at random from a space.

    Attributes:
        name: of the space.
        errors: of each network, lower is better; shape (n,).
        complexities: of each network, multiply-adds say; shape (n,).
    """

    name: str
    errors: Sequence[float]
    complexities: Sequence[float]

    def __len__(self) -> int:
        return len(self.errors)


@dataclass(frozen=True, eq=False)
class Alike:
    """Weights of networks with which the complexities of all samples are alike.

    Attributes:
        weights: of each sample's networks, shape (n,); their sum is 1.
        inside: for each sample, the number of its networks whose complexity lies in the common range.
        low: least complexity of the common range, the range that all samples have.
        high: its largest complexity.
        bins: number of bins that the common range is divided into.
    """

    weights: tuple[Array, ...]
    inside: tuple[int, ...]
    low: float
    high: float
    bins: int


def distribution(errors: Sequence[float], at: float, weights: Sequence[float] | None = None) -> float:
    """F(e), the weighted share of networks whose error is below `at` (section 3.2, equation 1); all weigh the same by default."""
    below = np.asarray(errors) < at
    return float(np.mean(below)) if weights is None else float(np.sum(np.asarray(weights)[below]))


def distance(one: Array, of_one: Array, other: Array, of_other: Array) -> float:
    """The two-sample Kolmogorov-Smirnov statistic, sup |F_one - F_other|, of errors with weights that sum to 1."""
    at = np.unique(np.concatenate([one, other]))
    sides = []
    for errors, weights in ((one, of_one), (other, of_other)):
        order = np.argsort(errors, kind="stable")
        summed = np.concatenate([[0.0], np.cumsum(weights[order])])
        sides.append(summed[np.searchsorted(errors[order], at, side="right")])
    return float(np.max(np.abs(sides[0] - sides[1])))


def normalised(*samples: Sample, bins: int = 10) -> Alike:
    """Weights with which the complexities of all samples are alike (section 3.3).

    The range of complexities that all samples have is divided into `bins` bins, fewer if a bin would be empty in one of the
    samples; the result says how many. A network weighs 1 / (bins * networks of its sample in its bin), 0 outside the range.

    Raises:
        UserError: samples have no range of complexities in common.
    """
    low, high = max(min(s.complexities) for s in samples), min(max(s.complexities) for s in samples)
    places = [np.asarray(s.complexities, dtype=float) for s in samples]
    inside = [(c >= low) & (c <= high) for c in places]
    if low > high or not all(part.any() for part in inside):
        ranges = ", ".join(f"{s.name} {min(s.complexities):.4g} to {max(s.complexities):.4g}" for s in samples)
        raise UserError(
            f"their networks have no range of complexities in common ({ranges}); a comparison at like complexity needs one: draw "
            "networks of several widths and depths, or compare spaces of like sizes"
        )
    for count in range(bins, 0, -1):
        edges = np.linspace(low, high, count + 1)
        numbers = [np.clip(np.searchsorted(edges, c, side="right") - 1, 0, count - 1) for c in places]
        filled = [np.bincount(n[part], minlength=count) for n, part in zip(numbers, inside, strict=True)]
        if all(f.min() > 0 for f in filled):
            weights = [np.where(part, 1 / (count * f[n]), 0.0) for n, part, f in zip(numbers, inside, filled, strict=True)]
            return Alike(tuple(weights), tuple(int(part.sum()) for part in inside), low, high, count)
    raise AssertionError("one bin is never empty")


def effective(weights: Array) -> float:
    """How many networks of equal weight have a mean as certain as networks of these weights, whose sum is 1 (Kish 1965)."""
    return float(1 / np.sum(weights**2))


def quantile(errors: Array, weights: Array, share: float) -> float:
    """The least error e such that networks of a total weight of `share` at least have an error of e or less."""
    order = np.argsort(errors, kind="stable")
    place = int(np.searchsorted(np.cumsum(weights[order]), share - 1e-12))
    return float(errors[order][min(place, len(errors) - 1)])


def best_of(errors: Sequence[float], draws: int) -> float:
    """Expected least error of so many different networks drawn at random: how good a random search of that length is.

    sum_j e_(j) C(n - j, draws - 1) / C(n, draws) over the ascending errors e_(1), ..., e_(n).

    Raises:
        UserError: more draws than networks, or none.
    """
    n = len(errors)
    if not 1 <= draws <= n:
        raise UserError(f"{draws} draws from {n} networks: give 1 to {n}")
    return float(sum(e * comb(n - j, draws - 1) / comb(n, draws) for j, e in enumerate(sorted(errors), 1)))
