"""Policies: distributions over the architectures of any space, one softmax per decision, with gradients of log-probabilities.

`Policy` is what those who learn a policy know of it; `WalkPolicy` is a policy that decides in the order of the space.

An architecture is the sequence of its live decisions in walk order, each with the option taken (for `ManyOf` the rank of the
subset). A decision that is not live is not in the sequence. The probability of an architecture is the product over its sequence.
Where a `Where` rule rejects draws, that product is the probability up to the share of valid ones, a factor that is not learned.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import entr, log_softmax
from torch import Tensor

from common.errors import UserError
from common.space import Arch, Decision, Invalid, decisions, record
from common.space.moves import TRIES
from common.streams import torch_stream

MOST_OPTIONS = 100_000
"""Options of one decision that a softmax is made over."""
NEVER = -1e30
"""Logit of an option that does not exist: finite, so that probability 0 times its logarithm is 0."""


class Draw(NamedTuple):
    """An architecture, the logarithm of its probability, and the sum of the entropies (nats) of the softmaxes on its way."""

    arch: Arch
    log_prob: float
    entropy: float


class Softmax(NamedTuple):
    """A decision's distribution: cumulative probabilities, their logarithms, and the entropy in nats."""

    cumulative: list[float]
    logs: list[float]
    entropy: float


class Policy(Protocol):
    """What samples architectures and says how to make some of them likelier.

    Attributes:
        parameters: What is learned; changed in place from outside, followed by `moved()`.
    """

    parameters: list[Tensor]

    def sample(self, rng: Random) -> Draw:
        """An architecture, drawn with the policy's probabilities.

        Raises:
            UserError: Hardly any draw keeps the rules of the space.
        """
        ...

    def moved(self) -> None:
        """Forgets what was computed from the parameters: to be called after they were changed."""
        ...

    def log_prob(self, archs: Sequence[Arch]) -> NDArray[np.float64]:
        """Logarithms of the probabilities, shape (n,), by teacher forcing: what `sample` reports for the same ones."""
        ...

    def gradient(self, archs: Sequence[Arch], weights: NDArray[np.float64], entropy: float = 0.0) -> list[Tensor]:
        """Of sum_k weights[k] log P(archs[k]) + entropy * mean_k H_k with respect to `parameters`, in their order.

        H_k is the sum of the entropies of the softmaxes on the way of architecture k. Its gradient goes through these
        softmaxes, not through how likely the way is: exact where decisions are independent and always live.
        """
        ...


@dataclass(slots=True)
class WalkPolicy(ABC):
    """A policy that decides in walk order; see `Policy`.

    Attributes:
        space: The description with open decisions.
        parameters: What is learned, float64.
        sizes: Number of options of each decision that some architecture meets, in walk order.
        offsets: Each decision's first token: every option of every decision has one.

    Raises:
        UserError: A decision has more than `MOST_OPTIONS` options.
    """

    space: Any
    parameters: list[Tensor] = field(init=False, default_factory=list)
    sizes: list[int] = field(init=False)
    offsets: list[int] = field(init=False)
    _rows: dict[str, int] = field(init=False)  # path -> number of the decision

    def __post_init__(self) -> None:
        known = decisions(self.space)
        for path, decision in known.items():
            if len(decision) > MOST_OPTIONS:
                raise UserError(f"decision {path!r}: {len(decision):,} options are more than {MOST_OPTIONS:,}: split it up")
        self._rows = {path: row for row, path in enumerate(known)}
        self.sizes = [len(decision) for decision in known.values()] or [1]  # nothing to decide: a table of one unused row
        self.offsets = [0, *np.cumsum(self.sizes).tolist()]

    def sample(self, rng: Random) -> Draw:
        """Draws until every `Where` rule holds.

        Raises:
            UserError: None of 1000 draws was valid.
        """
        why = ""
        for _ in range(TRIES):
            tokens: list[int] = []
            log_prob = entropy = 0.0

            def oracle(path: str, decision: Decision, tokens: list[int] = tokens) -> int:
                nonlocal log_prob, entropy
                row = self._rows[path]
                softmax = self._next(tokens, row)
                option = bisect_right(softmax.cumulative, rng.random() * softmax.cumulative[-1])
                log_prob += softmax.logs[option]
                entropy += softmax.entropy
                tokens.append(self.offsets[row] + option)
                return option

            try:
                return Draw(record(self.space, oracle), log_prob, entropy)
            except Invalid as broken:
                why = str(broken)
        raise UserError(f"no valid architecture in {TRIES} draws of a policy: the rule {why!r} is too narrow; loosen the space")

    @abstractmethod
    def moved(self) -> None:
        """See `Policy.moved`."""

    def sequence(self, arch: Arch) -> list[tuple[int, int]]:
        """(number of the decision, option) in walk order.

        Raises:
            UserError: `arch` is not of this space.
        """
        found = sorted((self._rows.get(path, -1), option) for path, option in arch.items())
        for row, option in found:
            if row < 0 or not 0 <= option < self.sizes[row]:
                raise UserError(f"{arch} is not of this policy's space: give one that is sampled from it")
        return found

    @abstractmethod
    def _next(self, tokens: Sequence[int], row: int) -> Softmax:
        """The distribution of decision `row` after the choices `tokens`."""

    @abstractmethod
    def log_prob(self, archs: Sequence[Arch]) -> NDArray[np.float64]:
        """See `Policy.log_prob`."""

    @abstractmethod
    def gradient(self, archs: Sequence[Arch], weights: NDArray[np.float64], entropy: float = 0.0) -> list[Tensor]:
        """See `Policy.gradient`."""


class PolicySettings(Protocol):
    """What makes a policy for a space: `Independent`, or `LSTM` in `policy_lstm.py`."""

    def policy(self, space: Any, seed: int) -> Policy:
        """A fresh policy: a function of the settings, the space and the seed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Independent:
    """One softmax per decision, whatever the others are: REINFORCE of NAS-Bench-201 (https://arxiv.org/abs/2001.00326).

    Attributes:
        scale: Logits start as `scale` times standard normal numbers.
    """

    scale: float = 1e-3

    def policy(self, space: Any, seed: int) -> Policy:
        """See `PolicySettings.policy`."""
        return _IndependentPolicy(space, self, seed)


@dataclass(slots=True)
class _IndependentPolicy(WalkPolicy):
    settings: Independent
    seed: int
    _logits: NDArray[np.float64] = field(init=False)  # (decisions, most options), the memory of the one parameter
    _absent: NDArray[np.bool_] = field(init=False)  # where there is no such option
    _logs: NDArray[np.float64] = field(init=False)  # of the probabilities
    _table: list[Softmax] = field(init=False)

    def __post_init__(self) -> None:
        WalkPolicy.__post_init__(self)
        shape = (len(self.sizes), max(self.sizes))
        draws = torch_stream(self.seed, "policy", "independent")
        self.parameters = [self.settings.scale * torch.randn(shape, generator=draws, dtype=torch.float64)]
        self._logits = self.parameters[0].numpy()
        self._absent = np.arange(shape[1]) >= np.array(self.sizes)[:, None]
        self.moved()

    def moved(self) -> None:
        self._logs = log_softmax(np.where(self._absent, NEVER, self._logits), axis=1)
        chances = np.exp(self._logs)
        cumulative, entropies = np.cumsum(chances, 1).tolist(), entr(chances).sum(1).tolist()
        self._table = [Softmax(*row) for row in zip(cumulative, self._logs.tolist(), entropies, strict=True)]

    def _next(self, tokens: Sequence[int], row: int) -> Softmax:
        return self._table[row]

    def log_prob(self, archs: Sequence[Arch]) -> NDArray[np.float64]:
        logs = self._logs
        return np.array([sum(logs[row, option] for row, option in self.sequence(arch)) for arch in archs], dtype=np.float64)

    def gradient(self, archs: Sequence[Arch], weights: NDArray[np.float64], entropy: float = 0.0) -> list[Tensor]:
        chances = np.exp(self._logs)
        taken, live = np.zeros_like(chances), np.zeros(len(chances))  # sums of weights, and of 1 / n
        for arch, weight in zip(archs, weights, strict=True):
            for row, option in self.sequence(arch):
                taken[row, option] += weight
                live[row] += 1 / len(archs)
        gradient = taken - taken.sum(1, keepdims=True) * chances  # d log softmax[a] / d logits = 1{a} - p
        if entropy:
            terms = entr(chances)
            gradient += entropy * live[:, None] * (terms - chances * terms.sum(1, keepdims=True))
        return [torch.from_numpy(gradient)]
