"""The stages of a one-shot search (SPOS, DetNAS and their kin), for any task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from common.arch import from_labels, labels
from common.oneshot.settings import PathPhaseSettings, SearchSettings
from common.oneshot.training import build_supernet, path_policy
from common.oneshot.workers import make_inherited
from common.run.checkpoint import load_weights, save_weights
from common.search.exhaustive import Exhaustive
from common.search.random import RandomSearch
from common.search.topk_evolution import TopKEvolution
from common.space import Arch, sample_leaning
from common.stages.context import Context, rule_in_words
from common.stages.training import train_shown
from common.stages.trials import best_trial, found, run_trials
from common.streams import derive

if TYPE_CHECKING:
    from common.evaluate.base import Evaluator
    from common.search.base import Searcher


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSupernet:
    """One phase of the supernet's training; begins with the weights of the phase before it."""

    name: str
    index: int
    save_every: int = 200
    """Steps between checkpoints."""

    def run(self, context: Context) -> Mapping[str, object]:
        """Trains, and leaves the weights in `weights/`."""
        task = context.task
        phases = task.phases("supernet")
        phase = phases[self.index]
        assert isinstance(phase.settings, PathPhaseSettings), f"phase {phase.name} of a supernet says which paths it trains"
        supernet = build_supernet(task, derive(context.seed, "supernet"), context.device)
        if self.index:
            load_weights(context.weights(phases[self.index - 1].name), supernet.module)
        last = train_shown(
            context,
            self.name,
            supernet.module,
            phase,
            seed=derive(context.seed, "supernet", phase.name),
            save_every=self.save_every,
            supernet=supernet,
            policy=path_policy(task, phase.settings, context.seed, phase.name),
        )
        context.weights(phase.name).parent.mkdir(exist_ok=True)
        save_weights(context.weights(phase.name), supernet.module)
        return {"steps": phase.settings.steps, "last": last}


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Evolution over the supernet's paths, or all of them, under the hard constraints; `trials.jsonl` is its whole state."""

    settings: SearchSettings
    name: str = "search"

    def run(self, context: Context) -> Mapping[str, object]:
        """Searches; gives the best architecture."""
        searcher, budget = searcher_of(self.settings, context)
        trials = run_trials(context, searcher, evaluator(context, self.settings), budget, "trials.jsonl", self.name)
        return found(context.task, trials, best_trial(trials, context.task))


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomBaseline:
    """Random search with as many candidates, to be drawn beside the search."""

    settings: SearchSettings
    name: str = "random search"

    def run(self, context: Context) -> Mapping[str, object]:
        """Searches at random; gives the best score."""
        searcher = RandomSearch(
            context.task.space,
            context.task.objectives[:1],
            seed=derive(context.seed, "random-baseline"),
            feasible=context.feasible,
            rule=rule_in_words(context.constraints),
        )
        s = self.settings
        as_many = len(context.folder.trials("trials.jsonl"))
        trials = run_trials(context, searcher, evaluator(context, s), as_many, "random.jsonl", self.name)
        return {"trials": len(trials), "scores": dict(best_trial(trials, context.task).scores)}


def searcher_of(s: SearchSettings, context: Context) -> tuple[Searcher, int]:
    """The searcher of the settings, and how many architectures it is to try."""
    space, objectives, rule = context.task.space, context.task.objectives[:1], rule_in_words(context.constraints)
    if s.engine == "exhaustive":
        searcher = Exhaustive(space, objectives, seed=context.seed, feasible=context.feasible, rule=rule)
        return searcher, len(searcher)
    evolution = TopKEvolution(
        space,
        objectives,
        seed=context.seed,
        feasible=context.feasible,
        rule=rule,
        population=s.population,
        mutants=s.mutants,
        crossovers=s.crossovers,
        parents=s.parents,
        rate=s.rate,
        first=None if s.small_first == 1 else lambda rng: sample_leaning(space, rng, s.small_first),
    )
    return evolution, s.trials


def evaluator(context: Context, settings: SearchSettings) -> Evaluator:
    """Scores with the trained supernet's weights, spread over the workers."""
    last = context.task.phases("supernet")[-1].name
    make = partial(make_inherited, context.factory, context.weights(last), settings, context.device)
    return context.pool.evaluator(make)


def inherited(settings: SearchSettings, context: Context, archs: Sequence[Arch]) -> dict[Arch, dict[str, float]]:
    """Scores under the supernet, kept in `inherited.jsonl`; an architecture that fails has none."""
    log = context.folder.log("inherited.jsonl")
    known = {from_labels(context.task.space, row["arch"], str(log.path)): row["scores"] for row in log.rows()}
    missing = [arch for arch in dict.fromkeys(archs) if arch not in known]  # the baseline may have won
    for arch, scores in zip(missing, evaluator(context, settings)(missing, "full") if missing else [], strict=True):
        known[arch] = dict(scores.values)
        if scores.status == "ok":  # a failure may be one of memory: it is not written down for good
            log.append({"arch": labels(context.task.space, arch), "scores": known[arch]})
        else:
            context.progress.say(f"note: no inherited score of {arch.fingerprint}: {scores.error}")
    return known
