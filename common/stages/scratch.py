"""A search whose candidates are trained from scratch: the slow way, and what weight sharing is compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from common.evaluate.scratch import FromScratch
from common.search.aging_evolution import AgingEvolution
from common.search.policy_lstm import LSTM
from common.search.random import RandomSearch
from common.search.reinforce import Reinforce
from common.search.successive_halving import SuccessiveHalving
from common.space import Arch
from common.stages.context import Context, rule_in_words
from common.stages.settings import ScratchSettings
from common.stages.trials import best_trial, found, run_trials
from common.stages.workers import TaskFactory, others_of, task_of
from common.streams import derive

if TYPE_CHECKING:
    from common.evaluate.base import Evaluator
    from common.search.base import Searcher


@dataclass(frozen=True, slots=True, kw_only=True)
class ScratchSearch:
    """Searches; `trials.jsonl` is its whole state."""

    settings: ScratchSettings
    given: Callable[[Context], Sequence[Arch]] | None = None
    """Of halving: the first candidates; all are random without."""
    name: str = "search"

    def run(self, context: Context) -> Mapping[str, object]:
        """Searches; gives the best architecture."""
        s = self.settings
        make = partial(make_scratch, context.factory, derive(context.seed, "scratch"), context.device, s.cuts)
        evaluator = context.pool.evaluator(make)
        searcher = searcher_of(s, context, () if self.given is None else self.given(context))
        trials = run_trials(context, searcher, evaluator, s.trials, "trials.jsonl", self.name, fidelity_of(s.fidelity))
        best = searcher.best(trials) if isinstance(searcher, SuccessiveHalving) else None
        return found(context.task, trials, best or best_trial(trials, context.task))


def fidelity_of(share: float) -> str:
    """The fidelity of a share of the training steps, as `FromScratch` takes it."""
    return "full" if share == 1 else repr(share)


def searcher_of(settings: ScratchSettings, context: Context, given: Sequence[Arch] = ()) -> Searcher:
    """The engine that settings name, on the task's space under the run's hard constraints; see `ScratchSearch` for `given`."""
    task = context.task
    space, objectives, seed = task.space, task.objectives[:1], context.seed
    feasible, rule = context.feasible, rule_in_words(context.constraints)
    match settings.engine:
        case "random":
            return RandomSearch(space, objectives, seed=seed, feasible=feasible, rule=rule)
        case "evolution":
            return AgingEvolution(
                space,
                objectives,
                seed=seed,
                feasible=feasible,
                rule=rule,
                population=settings.population,
                tournament=settings.tournament,
                children=settings.children,
            )
        case "reinforce":
            return Reinforce(
                space,
                objectives,
                seed=seed,
                feasible=feasible,
                rule=rule,
                policy=LSTM(),
                children=settings.children,
                rate=settings.rate,
            )
        case "halving":
            return SuccessiveHalving(
                space,
                objectives,
                seed=seed,
                feasible=feasible,
                rule=rule,
                fidelities=tuple(map(fidelity_of, settings.shares)),
                initial=settings.candidates,
                eta=settings.eta,
                first=given,
                parents=settings.parents,
            )


def make_scratch(factory: TaskFactory, seed: int, device: str, cuts: int = 1) -> Evaluator:
    """Trains and measures candidates, in a worker; on several `cuts` if the task is a `common.task.RecutTask`."""
    task = task_of(factory)
    return FromScratch(task=task, seed=seed, others=others_of(task, cuts), device=device)
