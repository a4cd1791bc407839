"""What an engine's settings are made for, and what they promise. No torch here: `--help` reads every engine's settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from common.deferred import Deferred
from common.errors import UserError

if TYPE_CHECKING:
    from common.objective import Objective
    from common.search.base import Searcher
    from common.space import Arch


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A search problem: everything that a searcher is made from, besides its own settings.

    Attributes:
        space: description with open decisions.
        objectives: what candidates are compared by; an engine of one objective follows the first.
        baseline: hand-made architecture of the space.
        seed: seed of all the engine's samples.
        feasible: hard constraint; None if there is none.
        rule: the constraint in words, for error messages.
        excess: by how much an architecture breaks the limits on its costs, 0 or less where it keeps them; None without limits.
        order: groups of decisions, from those that are decided first to those decided last; None where a space has no order.
        first: architectures that the engine evaluates first, for engines that can begin with given ones.
    """

    space: Any
    objectives: Sequence[Objective]
    baseline: Arch
    seed: int = 0
    feasible: Callable[[Arch], bool] | None = None
    rule: str = ""
    excess: Callable[[Arch], float] | None = None
    order: Sequence[Sequence[str]] | None = None
    first: Sequence[Arch] = ()


class Engine(Protocol):
    """The settings of one search engine, and how its searcher is made.

    Attributes:
        title: name of the engine in reports and documentation.
        paper: publication, as an arXiv number or a web address.
        several: the engine follows all objectives; False: the first one alone.
        needs_shares: the engine evaluates candidates at several shares of the training budget.
    """

    title: ClassVar[str]
    paper: ClassVar[str]
    several: ClassVar[bool]
    needs_shares: ClassVar[bool]

    @property
    def name(self) -> str:
        """What is typed after `search.engine=`."""
        ...

    def refusal(self, problem: Problem) -> str:
        """Why the engine cannot search the problem, with the remedy; empty if it can."""
        ...

    def searcher(self, problem: Problem) -> Searcher:
        """A new searcher.

        Raises:
            UserError: a setting is out of range.
        """
        ...


class Plain:
    """An engine that follows the first objective, evaluates at the full budget, and searches every space.

    Attributes:
        searching: class of its searcher, which takes space and objectives, then what `searcher` gives by name.
    """

    __slots__ = ()
    searching: ClassVar[Deferred]
    several: ClassVar[bool] = False
    needs_shares: ClassVar[bool] = False

    def refusal(self, problem: Problem) -> str:
        """See `Engine.refusal`."""
        return ""

    def parameters(self, problem: Problem) -> dict[str, Any]:
        """The engine's own parameters of the searcher by name: its settings, unless an engine says otherwise."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "name"}  # pyright: ignore[reportArgumentType]

    def searcher(self, problem: Problem) -> Searcher:
        """See `Engine.searcher`."""
        return self.searching.resolve()(
            problem.space,
            problem.objectives,
            seed=problem.seed,
            feasible=problem.feasible,
            rule=problem.rule,
            **self.parameters(problem),
        )


class Shared(Plain):
    """An engine that evaluates candidates at several shares of the training budget."""

    __slots__ = ()
    needs_shares: ClassVar[bool] = True


def fidelity_of(share: float) -> str:
    """The fidelity that stands for a share of the training steps, as `common.evaluate.scratch.FromScratch` takes it."""
    return "full" if share == 1 else repr(share)


def check_shares(shares: Sequence[float]) -> None:
    """Refuses shares of the training steps that do not rise within (0, 1].

    Raises:
        UserError: names the setting.
    """
    if not shares or list(shares) != sorted(set(shares)) or not 0 < shares[0] <= shares[-1] <= 1:
        raise UserError(f"search.engine.shares={list(shares)}: give rising shares of the training steps, above 0 and at most 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class MLPSettings:
    """A multilayer perceptron that predicts scores from one-hot encoded architectures; see `common.predict.mlp`."""

    hidden: tuple[int, ...] = (128, 128)
    """Widths of the hidden layers."""
    steps: int = 100
    """Gradient steps, each on all evaluated architectures."""
    rate: float = 0.01
    """Highest learning rate."""
    decay: float = 0.1
    """Weight decay."""
    members: int = 1
    """Networks in the ensemble; 1 is a single network without uncertainty."""

    def predictor(self, space: Any) -> Any:
        """The predictor for architectures of `space`; see `common.predict.base.Predictor`.

        Raises:
            UserError: a setting is out of range.
        """
        from common.encode import Encoder
        from common.predict.ensemble import Ensemble
        from common.predict.mlp import MLP

        one = MLP(Encoder(space).one_hot, hidden=self.hidden, steps=self.steps, rate=self.rate, decay=self.decay)
        return one if self.members == 1 else Ensemble(one, self.members)
