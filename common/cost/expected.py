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
from random import Random
from typing import Any

import torch
from torch import Tensor

from common.cost.liveness import DEAD, assignments, settle
from common.cost.price import Price
from common.errors import UserError
from common.space import Arch, Invalid, ManyOf, OneOf, record

MOST_ENTRIES = 1 << 16
"""Table entries that are filled before the space counts as too entangled."""

COMPLETIONS = 64
"""Random ways to settle the other decisions that are tried for an entry that a rule of the space seems to forbid."""

_TOGETHER = 2000
_TOLERANCE = 1e-3


def complete(price: Price, most: int = MOST_ENTRIES) -> int:
    """Traces until every entry of every table is there, those of tables that appear on the way included.

    Returns:
        How many entries are left open because no valid architecture with that combination was found (a `Where` rule forbids it).

    Raises:
        UserError: there are more than `most` entries.
    """
    sizes = {path: len(decision) for path, decision in price.decisions.items()}
    done: set[tuple[str, ...]] = set()
    hopeless, left = 0, most
    while todo := [paths for paths in price.tables if paths not in done]:
        wanted: list[tuple[tuple[str, ...], dict[str, int]]] = []
        for paths in todo:
            here = list(islice(assignments(paths, sizes, price.alive), left + 1))
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
            arch = settle(price.space, _merged(taken, rest)) or _completed(price.space, taken, rng)
            if arch is None:
                hopeless += 1
            else:
                price.price(arch)
    return hopeless


def _known(price: Price, paths: tuple[str, ...], taken: Mapping[str, int]) -> bool:
    return tuple(taken[path] for path in paths) in price.tables[paths]


def _merged(taken: Mapping[str, int], rest: list[dict[str, int]]) -> dict[str, int]:
    """`taken`, and as many of the rest as agree with it: one trace fills them all."""
    together = dict(taken)
    for other in rest:
        if all(together.get(path, option) == option for path, option in other.items()):
            together.update(other)
    return together


def _completed(space: Any, taken: Mapping[str, int], rng: Random) -> Arch | None:
    if (arch := settle(space, taken)) is not None:
        return arch
    for _ in range(COMPLETIONS):
        try:
            return record(space, lambda path, d: taken[path] if taken.get(path, DEAD) != DEAD else rng.randrange(len(d)))
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
    return _subsets(_members(decision).to(odds.device), odds)


def _members(decision: ManyOf) -> Tensor:
    """Shape (ranks, high): the members of each subset, filled up with a number that stands for the factor 1."""
    taken = [decision.subset(rank) for rank in range(len(decision))]
    return torch.tensor([[*s, *[len(decision.options)] * (decision.high - len(s))] for s in taken]).long()


def _subsets(index: Tensor, odds: Tensor) -> Tensor:
    factors = torch.cat([odds, odds.new_ones(1)])
    product = _product(factors, index)
    total = product.sum()
    if not bool(total > 0):
        raise UserError("the odds of too many members of a ManyOf are 0: no subset it allows has a positive probability")
    return product / total


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

    def __init__(self, price: Price, fixed: Mapping[str, int] | None = None) -> None:
        self.price = price
        self._fixed = dict(fixed or {})
        for path, option in self._fixed.items():
            if path not in price.decisions or not 0 <= option < len(price.decisions[path]):
                raise UserError(f"cannot fix decision {path!r} to option {option}: the space does not have it")
        self.paths = self._needed()
        if complete(price):
            raise UserError(
                "the space has a rule (Where) that forbids combinations whose cost counts: decisions drawn independently would "
                "break it, so there is no expected cost; drop the rule or fix the decisions it spans"
            )
        self._offsets: dict[str, int] = {}
        n = 0
        for path in self.paths:
            self._offsets[path] = n
            n += len(price.decisions[path])
        self._owner = torch.tensor([i for i, p in enumerate(self.paths) for _ in range(len(price.decisions[p]))]).long()
        self._members = {p: _members(many) for p in self.paths if isinstance(many := price.decisions[p], ManyOf)}
        self._index, self._values = self._terms(n)

    def _needed(self) -> tuple[str, ...]:
        possible: set[str] = set()
        for path, condition in self.price.alive.items():  # parents come first
            if condition is None or (
                condition[0] in possible and self._fixed.get(condition[0], min(condition[1])) in condition[1]
            ):
                possible.add(path)
        free = [path for path in self.price.decisions if path in possible and path not in self._fixed]
        return tuple(path for path in free if len(self.price.decisions[path]) > 1)

    def _terms(self, constant: int) -> tuple[Tensor, Tensor]:
        """Which probabilities are multiplied in each term (`constant`: the factor 1), and its parameters and multiply-adds."""
        sizes = {path: len(decision) for path, decision in self.price.decisions.items()}
        sums: dict[tuple[int, ...], tuple[int, int]] = {(): (0, 0)}
        for paths, table in self.price.tables.items():
            for taken in assignments(paths, sizes, self.price.alive):
                params, macs = table[tuple(taken[path] for path in paths)]
                if not (params or macs) or any(o not in (DEAD, self._fixed.get(p, o)) for p, o in taken.items()):
                    continue
                term = tuple(self._offsets[p] + o for p, o in taken.items() if o != DEAD and p in self._offsets)
                before = sums.get(term, (0, 0))
                sums[term] = before[0] + params, before[1] + macs
        longest = max(map(len, sums))
        index = [[*term, *[constant] * (longest - len(term))] for term in sums]
        return torch.tensor(index).long().reshape(len(sums), longest), torch.tensor([*sums.values()], dtype=torch.float64)

    def __call__(self, probabilities: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The expected cost.

        Args:
            probabilities: for each of `paths`, and at will for decisions of a single option: shape (n,), which sums to 1 over
                the options of a `OneOf`; for a `ManyOf` the odds of its members (see `subset_probabilities`).

        Returns:
            `{"params": ..., "macs": ...}`, scalars that gradients flow through.

        Raises:
            UserError: a decision is missing, fixed or not of the space, has another length, or does not sum to 1.
        """
        self._check(probabilities)
        ranks = {
            path: probabilities[path].double()
            if path not in self._members
            else _subsets(self._members[path].to(probabilities[path].device), probabilities[path].double())
            for path in self.paths
        }
        with torch.no_grad():
            self._check_sums(ranks)
        return self.of_ranks(ranks)

    def ranks(self, logits: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Probabilities by option (rank of the subset) from logits: a softmax, over subsets of the sum of their members' logits.

        A member's odds are exp(logit), whether its weight in the supernet is a softmax or a sigmoid of the logit.
        """
        self._check(logits)
        found: dict[str, Tensor] = {}
        for path in self.paths:
            values = logits[path].double()
            if path in self._members:
                padded = torch.cat([values, values.new_zeros(1)])
                values = padded[self._members[path].to(values.device)].sum(1)
            found[path] = torch.softmax(values, 0)
        return found

    def of_ranks(self, ranks: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The expected cost from probabilities by option, those of a `ManyOf` by the rank of the subset; nothing is checked."""
        flat = [ranks[path].double() for path in self.paths]
        factors = torch.cat([*flat, (flat[0] if flat else self._values).new_ones(1)])
        if self._index.device != factors.device:
            self._index, self._values = self._index.to(factors.device), self._values.to(factors.device)
        params, macs = (_product(factors, self._index) @ self._values).unbind()
        return {"params": params, "macs": macs}

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

    def _check_sums(self, ranks: Mapping[str, Tensor]) -> None:
        if not ranks:
            return
        flat = torch.cat([*ranks.values()])
        off = flat.new_zeros(len(self.paths)).index_add(0, self._owner.to(flat.device), flat) - 1
        if not bool((off.abs().max() <= _TOLERANCE) & (flat.min() >= -_TOLERANCE)):
            for path, values in ranks.items():
                if not (abs(float(values.sum()) - 1) <= _TOLERANCE and float(values.min()) >= -_TOLERANCE):
                    raise UserError(f"decision {path!r}: {values.tolist()} are no probabilities: they must be at least 0, sum 1")


def expected(price: Price, probabilities: Mapping[str, Tensor], fixed: Mapping[str, int] | None = None) -> dict[str, Tensor]:
    """`ExpectedCost(price, fixed)(probabilities)`: for one call; make an `ExpectedCost` where it is called at every step."""
    return ExpectedCost(price, fixed)(probabilities)
