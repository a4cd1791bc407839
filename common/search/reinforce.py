"""REINFORCE: a policy is sampled, and moved towards what scored above a baseline."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from common.errors import UserError
from common.search.base import Proposal, Trial
from common.search.generations import GenerationSearcher
from common.search.policy import Independent, Policy, PolicySettings
from common.space import Arch
from common.streams import stream

_NAME = "reinforce"


@dataclass(slots=True)
class Baseline:
    """An exponential moving average of rewards; the average of nothing is 0.

    A reward is averaged in before it is compared, as in the code of NAS-Bench-201 and ENAS. Compared with the average of the
    rewards before it, as NAS-RL writes, this multiplies its advantage by a factor that does not depend on the reward (`decay`
    without the correction; with it, a factor that grows from 0 to `decay`), so the gradient keeps its direction in expectation.

    Attributes:
        decay: Share of the old average; None compares with 0.
        corrected: Whether the average is divided by the weight of the rewards in it (NAS-Bench-201), so that the first ones are
            compared with rewards and not with a baseline that still is near 0 (ENAS).
    """

    decay: float | None
    corrected: bool
    _sum: float = field(default=0.0, init=False)
    _weight: float = field(default=0.0, init=False)

    def advantage(self, reward: float) -> float:
        """Averages `reward` in and returns by how much it is above the average."""
        if self.decay is None:
            return reward
        self._sum = self.decay * self._sum + (1 - self.decay) * reward
        self._weight = self.decay * self._weight + (1 - self.decay)
        return reward - (self._sum / self._weight if self.corrected else self._sum)


def clipped(advantages: NDArray[np.float64], ratios: NDArray[np.float64], clip: float) -> NDArray[np.float64]:
    """PPO (https://arxiv.org/abs/1707.06347, eq. 7): d min(r A, clamp(r, 1 - clip, 1 + clip) A) / d log r, elementwise.

    Args:
        advantages: A, shape (n,).
        ratios: r, new probability over old, shape (n,).
        clip: Epsilon.
    """
    inside = np.where(advantages > 0, ratios <= 1 + clip, ratios >= 1 - clip)
    return advantages * ratios * inside


class _Drawn(NamedTuple):
    arch: Arch
    key: Hashable


@dataclass(slots=True)
class Reinforce(GenerationSearcher):
    """Policy gradient (NAS-RL, Zoph and Le 2017, https://arxiv.org/abs/1611.01578, sections 3.2 and 3.3).

    A generation is drawn from the policy; then gradient ascent with Adam on mean_k (R_k - b) log P(arch_k), plus the weight
    `entropy` times the mean entropy. The defaults are those of NAS-Bench-201's REINFORCE. NAS-RL: LSTM(layers=2, hidden=35,
    scale=0.08), children=8, rate=6e-4, power=3. NASNet: LSTM(), children=20, rate=3.5e-4, baseline=0.95, entropy=1e-5, clip=0.2
    (the papers give no clip and no number of epochs: 0.2 is PPO's). ENAS: LSTM(hidden=64), baseline=0.99, corrected=False,
    rate=3.5e-3, betas=(0, 0.999), entropy=1e-4, rewards in [0, 1].

    These rates are for thousands of trials: with GraphNAS's, 60 trials are random search. A rate of 0.3 with `Independent` or of
    0.01 with an LSTM is better there (docs/results/reinforce.md).

    Rewards are the first objective as it is, negated if smaller is better: they are not standardised, since Adam does not care
    for their scale; `entropy` is relative to it. Failed trials have no part in an update. The ratio that PPO clips is that of
    whole architectures, a reconstruction.

    Nothing is evaluated twice: what is drawn again (and in these papers is trained or looked up again) brings the reward it had
    and no proposal. As in the papers every draw counts in the update; `children` such draws before anything new are an update
    of their own, so that a policy goes on learning at no cost while it repeats itself. Draws that keep no hard constraint are
    drawn again and not learned from. After `draws` draws per child, random architectures fill the generation; these and trials
    from elsewhere are not of the policy, and count when the policy draws them. ENAS's entropy term has no gradient, it is added
    to the reward; the one here is differentiated.

    Parents of a proposal are the trials of the latest update; before the first one proposals count as random.

    Attributes:
        policy: `Independent` or `LSTM`.
        children: New architectures per update, evaluated together.
        rate: Adam's learning rate.
        betas: Adam's decay rates.
        baseline: Decay of the baseline; None for no baseline. See `Baseline`.
        corrected: Whether the baseline corrects for its start.
        entropy: Weight of the entropy (nats, summed over decisions).
        clip: PPO's epsilon; None for the plain gradient.
        epochs: Steps per update, above 1 with PPO only.
        power: Rewards become sign(R) |R|^power; NAS-RL cubes accuracies in [0, 1].
        draws: Most draws per child.
    """

    policy: PolicySettings = field(default_factory=Independent, kw_only=True)
    children: int = field(default=1, kw_only=True)
    rate: float = field(default=0.01, kw_only=True)
    betas: tuple[float, float] = field(default=(0.9, 0.999), kw_only=True)
    baseline: float | None = field(default=0.9, kw_only=True)
    corrected: bool = field(default=True, kw_only=True)
    entropy: float = field(default=0.0, kw_only=True)
    clip: float | None = field(default=None, kw_only=True)
    epochs: int = field(default=1, kw_only=True)
    power: float = field(default=1.0, kw_only=True)
    draws: int = field(default=10, kw_only=True)
    _policy: Policy = field(init=False)
    _adam: torch.optim.Adam = field(init=False)
    _baseline: Baseline = field(init=False)
    _known: dict[Hashable, Trial] = field(init=False, default_factory=dict)  # told before the generation in progress
    _start: int = field(init=False, default=0)  # where that generation starts
    _begun: int = field(init=False, default=-1)  # the last start that was drawn for
    _drawn: list[_Drawn] = field(init=False, default_factory=list)  # in it, not yet learned from
    _parents: tuple[int, ...] = field(init=False, default=())  # the trials of the latest update

    def __post_init__(self) -> None:
        if min(self.children, self.epochs, self.draws) < 1:
            raise UserError(
                f"reinforce: {self.children} children, {self.epochs} epochs, {self.draws} draws: needs at least 1 of each"
            )
        if self.rate <= 0 or self.power <= 0 or self.entropy < 0 or not all(0 <= beta < 1 for beta in self.betas):
            raise UserError(
                f"reinforce: rate {self.rate}, power {self.power}, entropy {self.entropy}, betas {self.betas}:"
                " needs rate > 0, power > 0, entropy >= 0 and betas in [0, 1)"
            )
        if self.baseline is not None and not 0 <= self.baseline < 1:
            raise UserError(f"reinforce: baseline decay {self.baseline} is not in [0, 1): give 0.9, or None for no baseline")
        if self.clip is None and self.epochs > 1:
            raise UserError(
                f"reinforce: {self.epochs} epochs of the plain gradient leave the policy that was sampled: give a clip"
            )
        if self.clip is not None and self.clip <= 0:
            raise UserError(f"reinforce: clip {self.clip} is not positive: give 0.2, or None for the plain gradient")
        self._begin(_NAME, self.children, self.children)
        self._policy = self.policy.policy(self.space, self.seed)
        betas = (float(self.betas[0]), float(self.betas[1]))
        self._adam = torch.optim.Adam(self._policy.parameters, lr=self.rate, betas=betas, maximize=True, fused=True)
        self._baseline = Baseline(self.baseline, self.corrected)

    def _make(self, start: int, n: int, rng: Random) -> list[Proposal]:
        while self._start < start:  # once in a run; in a replay for every generation that it skips
            if self._begun < self._start:
                self._draw(stream(self.seed, _NAME, self._start))
            self._learn_from_generation()
        new = self._draw(rng)
        for arch in new:
            self._generations.unseen.add(arch)
        origin = "policy" if self._parents else "random"
        return [Proposal(arch=arch, parents=self._parents, origin=origin) for arch in new]

    def _draw(self, rng: Random) -> list[Arch]:
        """Draws the generation that starts at `_start`; returns what is new in it. A function of the trials before it."""
        self._begun, self._drawn = self._start, []
        new: dict[Hashable, Arch] = {}
        for _ in range(self.draws * self.children):
            if len(new) == self.children:
                break
            try:
                arch = self._policy.sample(rng).arch
            except UserError:  # a `Where` rule is too narrow for what the policy has become: random ones go on
                break
            key = self._generations.unseen.key(arch)
            if key not in self._known and key not in new:
                if self.feasible is not None and not self.feasible(arch):
                    continue
                new[key] = arch
            self._drawn.append(_Drawn(arch, key))
            if not new and len(self._drawn) == self.children:
                self._learn()
        return list(new.values())

    def _learn_from_generation(self) -> None:
        """What was drawn at `_start` has been told: learns from it and goes on to the next generation."""
        end = self._start + self.children
        for trial in self._generations.told[self._start : end]:
            self._known.setdefault(self._generations.unseen.key(trial.arch), trial)
        self._start = end
        self._learn()

    def _learn(self) -> None:
        """One update from all that is drawn and scored."""
        pairs = [(drawn.arch, self._known[drawn.key]) for drawn in self._drawn if drawn.key in self._known]
        pairs = [(arch, trial) for arch, trial in pairs if trial.status == "ok"]
        self._drawn = []
        if pairs:
            advantages = np.array([self._baseline.advantage(self._reward(trial)) for _, trial in pairs])
            self._ascend([arch for arch, _ in pairs], advantages / len(pairs))
            self._parents = tuple(sorted({trial.id for _, trial in pairs}))

    def _reward(self, trial: Trial) -> float:
        reward = -float(self.objectives[0].loss(trial.value(self.objectives[0])))
        return reward if self.power == 1 else math.copysign(abs(reward) ** self.power, reward)

    def _ascend(self, archs: Sequence[Arch], advantages: NDArray[np.float64]) -> None:
        old = None if self.clip is None else self._policy.log_prob(archs)
        for _ in range(self.epochs):
            weights = advantages
            if self.clip is not None and old is not None:
                weights = clipped(advantages, np.exp(self._policy.log_prob(archs) - old), self.clip)
            gradients = self._policy.gradient(archs, weights, self.entropy)
            for parameter, gradient in zip(self._policy.parameters, gradients, strict=True):
                parameter.grad = gradient
            self._adam.step()
            self._policy.moved()
