"""A supernet under a continuous relaxation: logits, the weightings that make mixtures of them, and what they mean so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from common.errors import UserError
from common.relax.logits import Logits
from common.relax.sampled import Sampling
from common.relax.weightings import Weighting
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
        logits: one vector for each decision that has a weighting.
    """

    supernet: Supernet
    options: Weighting
    members: Weighting | None = None
    seed: int = 0
    start: float = 0.0
    std: float = 1e-3
    recompute: bool = False
    logits: Logits = field(init=False)
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

    def decision(self, path: str) -> Decision:
        """The decision that is mixed under a path."""
        return self._known[path]

    def mix(self, step: int, progress: float, frozen: bool = False) -> None:
        """Sets the supernet to the mixture of a step.

        Args:
            step: what is drawn is a function of it: the mixtures of two calls are the same.
            progress: share of the search that is done, in [0, 1).
            frozen: the step learns weights alone: no gradient reaches the logits, and what only they need is not computed.
        """
        rng = torch_stream(self.seed, "mixture", "frozen" if frozen else "learnt", step)
        drawn: dict[str, int] = {}
        if frozen and isinstance(self.options, Sampling):  # all at once, and without weights that nothing learns from
            paths = [path for path, decision in self._known.items() if isinstance(decision, OneOf)]
            drawn = dict(zip(paths, self.options.sample([self.logits.values[p] for p in paths], rng, progress), strict=True))
        self.supernet.activate(drawn)
        mixed: dict[str, Mixed] = {}
        for path, decision in self._known.items():
            if path in drawn:
                continue
            if (weighting := self.weighting(path)) is None:
                mixed[path] = Mixed(torch.ones(len(decision.options), device=self._device()))
            else:
                logits = self.logits.values[path]
                weigh = weighting.weigh_frozen if frozen else weighting.weigh
                mixed[path] = weigh(logits, rng, progress)
        self.supernet.relax(mixed, self.recompute)

    def probabilities(self) -> dict[str, Tensor]:
        """How strong each option or member with logits is; differentiable: see `Weighting.probabilities`."""
        found: dict[str, Tensor] = {}
        for path, logits in self.logits.values.items():
            if (weighting := self.weighting(path)) is not None:
                found[path] = weighting.probabilities(logits)
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

    def _device(self) -> torch.device:
        return next(self.supernet.module.parameters()).device
