"""The expected price of an architecture whose decisions are drawn independently: exact, and differentiable.

A price is a sum of table entries, each over a few decisions (`common.cost.price`), so its expectation is a polynomial in the
probabilities of the options: one product of probabilities for each entry. A decision inside an option is drawn only where that
option is live, so its probabilities appear only in the products of entries under which it lives.

For a single layer with options of cost c_i this is the expected cost of ProxylessNAS (1812.00332, equation 6) and the resource
term of SNAS (1812.09926, section 2.3); for costs that depend on several decisions together, and for conditional decisions, it is
our own.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from operator import add
from random import Random
from typing import Any

import torch
from torch import Tensor

from common.cost.conditions import ABSENT, assignments, with_options
from common.cost.prices import Prices
from common.errors import UserError
from common.space import Arch, Invalid, ManyOf, OneOf, record

MOST_ENTRIES = 1 << 16
"""Table entries that are filled before the space counts as too entangled."""

COMPLETIONS = 64
"""Random ways to settle the other decisions that are tried for an entry that a rule of the space seems to forbid."""

_TOGETHER = 2000
_TOLERANCE = 1e-3
_NO_SUBSET = "the odds of too many members of a ManyOf are 0: no subset it allows has a positive probability"


def complete(price: Prices, most: int = MOST_ENTRIES) -> None:
    """Traces until every entry of every table is there, those of tables that appear on the way included.

    Left open are entries for which no valid architecture is found, since a `Where` rule forbids the combination.

    Raises:
        UserError: there are more than `most` entries.
    """
    sizes = {path: len(decision) for path, decision in price.decisions.items()}
    done: set[tuple[str, ...]] = set()
    left = most
    while todo := [paths for paths in price.tables if paths not in done]:
        wanted: list[tuple[tuple[str, ...], dict[str, int]]] = []
        for paths in todo:
            here = list(islice(assignments(paths, sizes, price.conditions), left + 1))
            left -= len(here)
            if left < 0:
                raise UserError(
                    f"the cost depends on too many decisions at once: more than {most:,} combinations have to be traced, "
                    f"among them those of {', '.join(paths)}; give the supernet fewer elastic decisions that meet in one layer"
                )
            wanted += [(paths, taken) for taken in here if not _known(price, paths, taken)]
            done.add(paths)
        rng = Random(0)
        for i, (paths, taken) in enumerate(wanted):
            if _known(price, paths, taken):
                continue
            rest = [other for others, other in wanted[i + 1 : i + _TOGETHER] if not _known(price, others, other)]
            arch = with_options(price.space, _merged(taken, rest)) or _completed(price.space, taken, rng)
            if arch is not None:
                price.price(arch)


def _known(price: Prices, paths: tuple[str, ...], taken: Mapping[str, int]) -> bool:
    return tuple(taken[path] for path in paths) in price.tables[paths]


def _merged(taken: Mapping[str, int], rest: list[dict[str, int]]) -> dict[str, int]:
    """`taken`, and as many of the rest as agree with it: one trace fills them all."""
    together = dict(taken)
    for other in rest:
        if all(together.get(path, option) == option for path, option in other.items()):
            together.update(other)
    return together


def _completed(space: Any, taken: Mapping[str, int], rng: Random) -> Arch | None:
    if (arch := with_options(space, taken)) is not None:
        return arch
    for _ in range(COMPLETIONS):
        try:
            return record(space, lambda path, d: taken[path] if taken.get(path, ABSENT) != ABSENT else rng.randrange(len(d)))
        except Invalid:
            continue
    return None


def subset_probabilities(decision: ManyOf, odds: Tensor) -> Tensor:
    """The probability of every allowed subset when members are taken independently, given that their number is allowed.

    P(S) is the product of the odds of the members of S over the sum of such products (conditional Bernoulli; Chen, Dempster and
    Liu 1994). For low = high = 1 it is the categorical distribution; for low = high only ratios of the odds matter, so softmax
    weights over the members serve; for low < high give gates g as the odds g / (1 - g).

    Args:
        decision: with n members.
        odds: shape (n,), at least 0; gradients flow through, at 0 as well.

    Returns:
        Shape (ranks,): by the rank of the subset.

    Raises:
        UserError: no allowed subset has a positive product.
    """
    factors = torch.cat([odds, odds.new_ones(1)])
    product = _product(factors, torch.tensor(_members(decision, 0, len(odds))).long().to(odds.device))
    total = product.sum()
    if not bool(total > 0):
        raise UserError(_NO_SUBSET)
    return product / total


def _members(decision: ManyOf, first: int, constant: int) -> list[list[int]]:
    """For each rank the positions of its members' odds, the first at `first`, filled up with that of the factor 1."""
    subsets = [decision.subset(rank) for rank in range(len(decision))]
    return [[*(first + i for i in subset), *[constant] * (decision.high - len(subset))] for subset in subsets]


def _rectangle(rows: list[list[int]], constant: int) -> Tensor:
    longest = max(map(len, rows), default=0)
    filled = [[*row, *[constant] * (longest - len(row))] for row in rows]
    return torch.tensor(filled).long().reshape(len(rows), longest)


def _product(factors: Tensor, index: Tensor) -> Tensor:
    """Shape (rows,): the product of the factors that each row names; column by column, so that its gradient holds at 0 too."""
    product = factors.new_ones(len(index))
    for column in index.unbind(1):
        product = product * factors.index_select(0, column)
    return product


class ExpectedCost:
    """The expectation of the exact cost under independent decisions; made once, then called at every step.

    It equals the sum of P(arch) * price(arch) over all architectures, where P(arch) is the product of the probabilities of the
    options taken at the live decisions. Entries missing from the tables of `price` are traced when this is made. Calculations
    are in float64.

    Args:
        price: of the supernet.
        fixed: options of decisions that are not drawn (an architecture, or a part of one).

    Attributes:
        paths: the decisions that have to be given: all with several options that are not fixed and may be live.

    Raises:
        UserError: a fixed decision or option that does not exist, too many table entries, or a `Where` rule that forbids a
            combination whose cost counts (independent draws would break the rule).
    """

    def __init__(self, price: Prices, fixed: Mapping[str, int] | None = None) -> None:
        self.price = price
        self._fixed = dict(fixed or {})
        for path, option in self._fixed.items():
            if path not in price.decisions or not 0 <= option < len(price.decisions[path]):
                raise UserError(f"cannot fix decision {path!r} to option {option}: the space does not have it")
        self.paths = self._needed()
        complete(price)
        self._offsets: dict[str, int] = {}
        rows: list[list[int]] = []  # for each option (rank) of each decision: which weights are multiplied
        owners: list[int] = []
        n_weights = sum(len(price.decisions[path].options) for path in self.paths)
        first = 0
        for number, path in enumerate(self.paths):
            decision = price.decisions[path]
            self._offsets[path] = len(rows)
            many = isinstance(decision, ManyOf)
            rows += _members(decision, first, n_weights) if many else [[first + i] for i in range(len(decision))]
            owners += [number] * len(decision)
            first += len(decision.options)
        self._options = _rectangle(rows, n_weights)
        self._owners = torch.tensor(owners).long()
        self._many = torch.tensor([isinstance(price.decisions[path], ManyOf) for path in self.paths]).bool()
        self._terms, self._values = self._polynomial(len(rows))

    def _needed(self) -> tuple[str, ...]:
        possible: set[str] = set()
        for path, condition in self.price.conditions.items():  # parents come first
            if condition is None or (
                condition[0] in possible and self._fixed.get(condition[0], min(condition[1])) in condition[1]
            ):
                possible.add(path)
        free = [path for path in self.price.decisions if path in possible and path not in self._fixed]
        return tuple(path for path in free if len(self.price.decisions[path]) > 1)

    def _polynomial(self, constant: int) -> tuple[Tensor, Tensor]:
        """Which probabilities are multiplied in each term (`constant`: the factor 1), and its costs."""
        sizes = {path: len(decision) for path, decision in self.price.decisions.items()}
        weights = torch.tensor([self.price.weights(cost) for cost in self.price.costs], dtype=torch.float64)
        none = (0.0,) * weights.shape[1]
        sums: dict[tuple[int, ...], tuple[float, ...]] = {(): none}
        for paths, table in self.price.tables.items():
            for taken in assignments(paths, sizes, self.price.conditions):
                if any(o not in (ABSENT, self._fixed.get(p, o)) for p, o in taken.items()):
                    continue
                if (entry := table.get(tuple(taken[path] for path in paths))) is None:
                    raise UserError(
                        f"a rule of the space (Where) forbids {taken}, which independent draws would give: there is no expected "
                        "cost; fix some of these decisions or drop the rule"
                    )
                term = tuple(self._offsets[p] + o for p, o in taken.items() if o != ABSENT and p in self._offsets)
                sums[term] = tuple(map(add, sums.get(term, none), entry))
        sums = {term: entry for term, entry in sums.items() if any(entry)} or {(): none}
        amounts = torch.tensor([*sums.values()], dtype=torch.float64)
        return _rectangle([[*term] for term in sums], constant), amounts @ weights.T

    def __call__(self, probabilities: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The expected cost.

        Args:
            probabilities: for each of `paths`, and at will for decisions of a single option: shape (n,), which sums to 1 over
                the options of a `OneOf`; for a `ManyOf` the odds of its members (see `subset_probabilities`).

        Returns:
            `{"params": ..., "macs": ...}` and what else the convention counts, scalars that gradients flow through; sums of
            amounts are not rounded.

        Raises:
            UserError: a decision is missing, fixed or not of the space, has another length, or does not sum to 1.
        """
        self._check(probabilities)
        weights = torch.cat([probabilities[path] for path in self.paths] or [torch.ones(0)]).double()
        weights = torch.cat([weights, weights.new_ones(1)])
        self._move(weights.device)
        options = _product(weights, self._options)
        if self.paths:
            sums = options.new_zeros(len(self.paths)).index_add(0, self._owners, options)
            self._check_sums(probabilities, sums.detach(), weights.detach())
            options = options / torch.where(self._many, sums, 1.0).index_select(0, self._owners)
        return self._expectation(options)

    def ranks(self, logits: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Probabilities by option (rank of the subset) from logits: a softmax, over subsets of the sum of their members' logits.

        A member's odds are exp(logit), whether its weight in the supernet is a softmax or a sigmoid of the logit.
        """
        self._check(logits)
        found: dict[str, Tensor] = {}
        for path in self.paths:
            values, decision = logits[path].double(), self.price.decisions[path]
            if isinstance(decision, ManyOf):
                padded = torch.cat([values, values.new_zeros(1)])
                values = padded[torch.tensor(_members(decision, 0, len(values))).long().to(values.device)].sum(1)
            found[path] = torch.softmax(values, 0)
        return found

    def of_ranks(self, ranks: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The expected cost from probabilities by option, those of a `ManyOf` by the rank of the subset; nothing is checked."""
        return self._expectation(torch.cat([ranks[path] for path in self.paths] or [torch.ones(0)]).double())

    def _expectation(self, options: Tensor) -> dict[str, Tensor]:
        self._move(options.device)
        values = (_product(torch.cat([options, options.new_ones(1)]), self._terms) @ self._values).unbind()
        return dict(zip(self.price.costs, values, strict=True))

    def _move(self, device: torch.device) -> None:
        if self._values.device != device:
            self._options, self._owners, self._many = (t.to(device) for t in (self._options, self._owners, self._many))
            self._terms, self._values = self._terms.to(device), self._values.to(device)

    def _check(self, given: Mapping[str, Tensor]) -> None:
        if missing := [path for path in self.paths if path not in given]:
            raise UserError(f"decision {missing[0]!r} has no probabilities; give them, or fix the decision")
        for path, values in given.items():
            if path not in self.price.decisions or path in self._fixed:
                why = "is fixed" if path in self._fixed else "is not one of the space"
                raise UserError(f"decision {path!r} {why}; leave its probabilities out")
            decision = self.price.decisions[path]
            if tuple(values.shape) != (len(decision.options),):
                what = f"{len(decision.options)} {'options' if isinstance(decision, OneOf) else 'members'}"
                raise UserError(
                    f"decision {path!r}: {what} need as many probabilities, not a tensor of shape {tuple(values.shape)}"
                )

    def _check_sums(self, given: Mapping[str, Tensor], sums: Tensor, weights: Tensor) -> None:
        """Asks the device once; what is wrong is looked for only where something is."""
        right = torch.where(self._many, sums > 0, (sums - 1).abs() <= _TOLERANCE).all() & (weights.min() >= -_TOLERANCE)
        if bool(right):
            return
        for path, total, many in zip(self.paths, sums.tolist(), self._many.tolist(), strict=True):
            if many and total <= 0 and float(given[path].min()) >= 0:
                raise UserError(f"decision {path!r}: {_NO_SUBSET}")
            if not float(given[path].min()) >= -_TOLERANCE or not (many or abs(total - 1) <= _TOLERANCE):
                rule = "odds must be at least 0" if many else "they must be at least 0 and sum to 1"
                raise UserError(f"decision {path!r}: {given[path].tolist()} are no probabilities: {rule}")


def expected(price: Prices, probabilities: Mapping[str, Tensor], fixed: Mapping[str, int] | None = None) -> dict[str, Tensor]:
    """`ExpectedCost(price, fixed)(probabilities)`: for one call; make an `ExpectedCost` where it is called at every step."""
    return ExpectedCost(price, fixed)(probabilities)
