"""A policy that is trained in alternation with the weights of a supernet, as an engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from common.errors import UserError
from common.train.optim import ArchSettings

if TYPE_CHECKING:
    from common.engines.base import Problem
    from common.search.base import Searcher


@dataclass(frozen=True, slots=True, kw_only=True)
class Controller:
    """A policy that learns in turn with the weights of a supernet, whose paths it samples, and is sampled from for candidates.

    ENAS's search. The system's two phases of kind `relaxed` train: a step of the first trains the weights of one path that is
    sampled from the policy; a step of the policy samples one path, scores it on a batch of the second phase, and follows the
    policy gradient of its reward above a moving average (`common.train.controlled`). The candidates of the search are then
    different architectures in the order in which the policy draws them.
    """

    title: ClassVar[str] = "controllers with shared weights"
    paper: ClassVar[str] = "arXiv:1802.03268"
    several: ClassVar[bool] = False
    needs_shares: ClassVar[bool] = False

    name: Literal["controller"] = "controller"
    policy: Literal["lstm", "independent", "own"] = "lstm"
    """An LSTM that reads the options taken so far, one softmax for each decision, or the policy that the system brings."""
    reward: str = "-loss"
    """Expression over the metrics of a training batch and over costs that the policy maximises; see `common.expression`."""
    arch: ArchSettings = ArchSettings(lr=3.5e-4, weight_decay=0.0)
    """Optimiser of the policy; `every` is the number of steps of the weights before the policy has its turn."""
    burst: int = 1
    """Steps of the policy at its turn."""
    decay: float = 0.95
    """What the moving average of rewards keeps, above 0 and below 1."""
    restart: bool = False
    """Whether that average begins anew at every turn of the policy, with the first reward."""
    entropy: float = 0.0
    """Weight of the policy's entropy in its objective."""
    halve: tuple[float, ...] = ()
    """Shares of the training at which the learning rate of the policy is halved."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        for name, value, holds, rule in (
            ("burst", self.burst, self.burst >= 1, "1 or more"),
            ("decay", self.decay, 0 < self.decay < 1, "a number above 0 and below 1"),
            ("entropy", self.entropy, self.entropy >= 0, "0 or more"),
            ("halve", list(self.halve), all(0 < share < 1 for share in self.halve), "shares above 0 and below 1"),
        ):
            if not holds:
                raise UserError(f"search.engine.{name}={value}: give {rule}")
        if self.restart and self.burst == 1:
            raise UserError(
                "search.engine.burst=1 with restart=true: the first reward of a turn is its own average, so that the policy "
                "would learn nothing; give a burst of 2 or more, or restart=false"
            )

    def due(self, number: int, progress: float) -> bool:
        """Whether the policy has its turn after step `number` of the weights, before which a share of the training was done."""
        return progress >= self.arch.begin and (number + 1) % self.arch.every == 0

    def rate(self, progress: float) -> float:
        """The learning rate of the policy when a share of the training is done."""
        return self.arch.lr / 2 ** sum(progress >= share for share in self.halve)

    def refusal(self, problem: Problem) -> str:
        """See `common.engines.base.Engine.refusal`."""
        return ""

    def searcher(self, problem: Problem) -> Searcher:
        """Proposes the architectures that were sampled from the policy, those of `problem.first`."""
        from common.search.given import Given

        return Given(problem.first, problem.objectives, origin="policy")
