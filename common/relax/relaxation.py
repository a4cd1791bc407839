"""A supernet under a continuous relaxation: logits, the weightings that make mixtures of them, and what they mean so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from common.errors import UserError
from common.relax.logits import Logits
from common.relax.sampled import Sampling
from common.relax.weightings import Weighting, scattered
from common.space import ManyOf, OneOf, decisions
from common.space.values import Decision
from common.streams import torch_stream
from common.supernet.net import Supernet
from common.supernet.open import Mixed


@dataclass(slots=True, kw_only=True)
class Relaxation:
    """Mixes the options of a supernet's relaxable decisions, as their logits say.

    Attributes:
        supernet: its `relaxable` decisions are mixed, all of them; its `sampled` ones too if one option at a time is live.
        options: how the options of a `OneOf` are weighted.
        members: how the members of a `ManyOf` are; None sums them with weight 1, without logits (DARTS).
        seed: of the initial logits and of what the weightings draw.
        start: mean of the initial logits.
        std: their standard deviation.
        recompute: see `Supernet.relax`.
        radius: of the noise on the mixing weights in the weights' steps at the end of the search; it rises linearly from 0.
        logits: one vector for each decision that has a weighting.
        dropped: decision -> options that are no longer part of the search: they are not computed and have strength 0.
        settled: decision -> strengths of its options, shape (n,), where a search has settled it by something else than logits.
    """

    supernet: Supernet
    options: Weighting
    members: Weighting | None = None
    seed: int = 0
    start: float = 0.0
    std: float = 1e-3
    recompute: bool = False
    radius: float = 0.0
    logits: Logits = field(init=False)
    dropped: dict[str, frozenset[int]] = field(init=False, default_factory=dict)
    settled: dict[str, Tensor] = field(init=False, default_factory=dict)
    _known: dict[str, Decision] = field(init=False)  # those that are mixed

    def __post_init__(self) -> None:
        known = decisions(self.supernet.space)
        mixable = self.supernet.sampled if isinstance(self.options, Sampling) else self.supernet.relaxable
        if closed := [path for path in known if path not in mixable and len(known[path]) > 1]:
            sampling = "sample its options (hard-gumbel, annealed-gumbel), " if closed[0] in self.supernet.sampled else ""
            raise UserError(
                f"decision {closed[0]!r} cannot be mixed: it sets a width, a kernel or a depth, or no module reads it; "
                f"{sampling}settle it before the search, or use a one-shot search"
            )
        self._known = {path: known[path] for path in mixable}
        sizes = {path: len(decision.options) for path, decision in self._known.items() if self.weighting(path) is not None}
        self.logits = Logits(sizes, self.seed, self.start, self.std)

    def weighting(self, path: str) -> Weighting | None:
        """How a decision is weighted; None for members that are summed."""
        return self.members if isinstance(self._known[path], ManyOf) else self.options

    def paths(self) -> list[str]:
        """The decisions that are mixed."""
        return list(self._known)

    def decision(self, path: str) -> Decision:
        """The decision that is mixed under a path."""
        return self._known[path]

    def mix(self, step: int, progress: float, frozen: bool = False, smoothed: bool = True) -> None:
        """Sets the supernet to the mixture of a step.

        Args:
            step: what is drawn is a function of it: the mixtures of two calls are the same.
            progress: share of the search that is done, in [0, 1).
            frozen: the step learns weights alone: no gradient reaches the logits, and what only they need is not computed.
            smoothed: such a step has the noise of `radius`; the mixture is scored without it.
        """
        rng = torch_stream(self.seed, "mixture", "frozen" if frozen else "learnt", step)
        drawn: dict[str, int] = {}
        if frozen and isinstance(self.options, Sampling):  # all at once, and without weights that nothing learns from
            paths = [path for path, decision in self._known.items() if isinstance(decision, OneOf)]
            logits = [self._masked(path) for path in paths]
            drawn = dict(zip(paths, self.options.sample(logits, rng, progress), strict=True))
        self.supernet.activate(drawn)
        mixed: dict[str, Mixed] = {}
        for path, decision in self._known.items():
            if path in drawn:
                continue
            n, live = len(decision.options), self.live(path)
            if (weighting := self.weighting(path)) is None:
                mixed[path] = self._summed(path)
            elif not live:
                mixed[path] = Mixed(torch.zeros(n, device=self._device()), ())
            else:
                logits = self.logits.values[path]
                weigh = weighting.weigh_frozen if frozen else weighting.weigh
                if len(live) == n:
                    mixed[path] = weigh(logits, rng, progress)
                else:
                    part = weigh(logits[list(live)], rng, progress)
                    kept = live if part.live is None else tuple(live[i] for i in part.live)
                    mixed[path] = Mixed(scattered(part.weights, live, logits), kept)
                if frozen and smoothed and self.radius:
                    mixed[path] = self._perturbed(mixed[path], rng, progress)
        self.supernet.relax(mixed, self.recompute)

    def run(self, options: Mapping[str, int]) -> None:
        """Sets the supernet to one option of each `OneOf`, computed alone; members that are left are summed with weight 1.

        Args:
            options: decision -> number of its option, for every `OneOf` of several options.
        """
        self.supernet.activate(options)
        members = [path for path, decision in self._known.items() if isinstance(decision, ManyOf)]
        self.supernet.relax({path: self._summed(path) for path in members}, self.recompute)

    def live(self, path: str) -> tuple[int, ...]:
        """The options of a decision that are still part of the search."""
        dropped = self.dropped.get(path, frozenset())
        return tuple(i for i in range(len(self._known[path].options)) if i not in dropped)

    def drop(self, path: str, options: Iterable[int]) -> None:
        """Takes options of a decision out of the search, for good.

        Raises:
            UserError: nothing would be left of a decision of which one option must be taken.
        """
        self.dropped[path] = self.dropped.get(path, frozenset()) | frozenset(options)
        if not self.live(path) and not isinstance(self._known[path], ManyOf):
            raise UserError(f"decision {path!r} is left without options; drop fewer of them")

    def probabilities(self) -> dict[str, Tensor]:
        """How strong each option or member with logits is; differentiable: see `Weighting.probabilities`."""
        found: dict[str, Tensor] = {}
        for path, logits in self.logits.values.items():
            if (settled := self.settled.get(path)) is not None:
                found[path] = settled
            elif (weighting := self.weighting(path)) is not None:
                live = self.live(path)
                whole = len(live) == len(logits)
                part = weighting.probabilities(logits if whole else logits[list(live)]) if live else logits[:0]
                found[path] = part if whole else scattered(part, live, logits)
        return found

    def strengths(self) -> dict[str, Tensor]:
        """`probabilities` without gradients: what `discretise` takes."""
        return {path: values.detach().cpu() for path, values in self.probabilities().items()}

    def labelled(self) -> dict[str, dict[str, float]]:
        """The strengths of operations by the labels of the options: what `common.relax.monitor` watches."""
        return {
            path: dict(zip(decision.labels, values.tolist(), strict=True))
            for path, values in self.strengths().items()
            if isinstance(decision := self._known[path], OneOf)
        }

    def after_step(self, before: Mapping[str, Tensor]) -> None:
        """After an optimiser's step from the logits `before`: puts them where their weighting wants them."""
        with torch.no_grad():
            for path, logits in self.logits.values.items():
                if (weighting := self.weighting(path)) is not None:
                    weighting.after_step(logits, before[path])

    def _summed(self, path: str) -> Mixed:
        """The members that are left, with weight 1 each."""
        n, live = len(self._known[path].options), self.live(path)
        return Mixed(torch.ones(n, device=self._device()), None if len(live) == n else live)

    def _masked(self, path: str) -> Tensor:
        """Logits that never win where options are dropped."""
        logits = self.logits.values[path]
        if not (dropped := self.dropped.get(path)):
            return logits
        return logits.detach().index_fill(0, torch.tensor(sorted(dropped), device=logits.device), -torch.inf)

    def _perturbed(self, mixed: Mixed, rng: torch.Generator, progress: float) -> Mixed:
        """Random smoothing (SDARTS-RS, arXiv 2002.05283, section 3.1): uniform noise on the mixing weights of what is computed.

        Departure: the noisy weights are neither clipped nor normalised again.
        """
        noise = 2 * torch.rand(mixed.weights.shape, generator=rng, device=rng.device) - 1
        weights = mixed.weights + self.radius * progress * noise.to(mixed.weights)
        if mixed.live is not None:
            weights = scattered(weights[list(mixed.live)], mixed.live, weights)
        return Mixed(weights, mixed.live)

    def _device(self) -> torch.device:
        return next(self.supernet.module.parameters()).device
