"""The stages of a run, in order: search, tune, retrain, export. Systems with others make their own list of these parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from common.differentiable.candidates import Candidates
from common.differentiable.search import RelaxedSearch
from common.engines import Controller, Gradient, Halving
from common.evaluate.settings import InheritedSettings, PredictorSettings, needs_supernet
from common.run.stages import Stage
from common.stages.best import Best
from common.stages.context import ByName, Context, Named
from common.stages.controlled import SampledCandidates, TrainControlled
from common.stages.drawing import Drawing
from common.stages.equal_cost import RANDOM, RandomAtEqualCost
from common.stages.evaluators import inherited_scores
from common.stages.retrain import Inherited, RandomArchs, Retrain, avoiding
from common.stages.search import RandomBaseline, Search
from common.stages.settings import SearchSettings
from common.stages.supernet import TrainSupernet
from common.stages.tune import Tune

if TYPE_CHECKING:
    from common.space import Arch
    from common.system_task import SystemTask

Stages = list[Stage[Context]]


def standard_stages(task: SystemTask) -> Stages:
    """The stages of a search and of the comparison that follows it."""
    before, search = search_stages(task)
    return [*before, *retrain_stages(task, retrain_of(task, search)), Best(pictures=task.settings.pictures)]


def search_stages(task: SystemTask, prefix: str = "supernet ") -> tuple[Stages, Named]:
    """The stages up to the found architecture, and the one whose result it is.

    Args:
        task: of the run.
        prefix: put before the names of the phases that train a supernet.
    """
    settings: SearchSettings = task.settings.search
    engine = settings.engine
    if isinstance(engine, Gradient):
        stages, search = _relaxed(task, engine)
        if settings.random_baseline:
            stages = [*stages, RandomAtEqualCost(settings=settings, search=search, searches=stages, random=random_of(task))]
    else:
        first: Callable[[Context], Sequence[Arch]] | None = None
        training: Stages = []
        if isinstance(engine, Halving) and engine.warm_start:
            first = lambda _: hand_made(task)  # noqa: E731
        if isinstance(engine, Controller):
            first, training = SampledCandidates(settings=engine, count=settings.trials), [TrainControlled(settings=engine)]
        elif needs_supernet(settings.evaluation):
            names = [f"{prefix}{phase.name}" for phase in task.phases("supernet")]
            training = [TrainSupernet(name=name, index=i) for i, name in enumerate(names)]
        search = Search(settings=settings, first=first)
        random: Stages = [RandomBaseline(settings=settings)] if settings.random_baseline else []
        stages = [*training, search, *random]
    draw = task.networks.draw
    return [*stages, *([Drawing(search=search, draw=draw)] if draw is not None else [])], search


def _relaxed(task: SystemTask, engine: Gradient) -> tuple[Stages, Named]:
    name = "search" if engine.derive is None else "relaxed search"
    row: list[RelaxedSearch] = []
    for i, grow in enumerate(engine.grow, 1):
        last = i == len(engine.grow)
        row.append(
            RelaxedSearch(settings=engine, name=name if last else f"{name} {i}", grow=grow, before=row[-1] if row else None)
        )
    relaxed = row.pop() if row else RelaxedSearch(settings=engine, name=name)
    if engine.derive is None:
        return [*row, relaxed], relaxed
    halving = engine.derive.engine
    warm = hand_made(task) if halving.warm_start else []
    settings = SearchSettings(engine=halving, evaluation=engine.derive.evaluation, trials=engine.derive.trials)
    first = Candidates(of=relaxed, count=halving.candidates, before=warm, forbidden=engine.forbidden)
    search = Search(settings=settings, first=first)
    return [*row, relaxed, search], search


def retrain_of(task: SystemTask, search: Named) -> Retrain:
    """The retraining of what a search found, and of its rivals."""
    settings, networks = task.settings, task.networks
    of_equal_cost = isinstance(settings.search.engine, Gradient) and settings.search.random_baseline
    return Retrain(
        settings=settings.retrain,
        search=search,
        inherited=inherited_of(settings.search),
        random=random_of(task),
        beside={RANDOM: ByName(RANDOM)} if of_equal_cost else {},
        others=networks.hand_made if settings.retrain.hand_made else {},
        outside=None if settings.tune.grid or not settings.retrain.hand_made else networks.outside,
    )


def random_of(task: SystemTask) -> RandomArchs:
    """The random architectures that what is found is compared with: as free of forbidden options, or of the same form."""
    engine, alike = task.settings.search.engine, task.networks.random_like
    forbidden = engine.forbidden if isinstance(engine, Gradient) else ()
    allowed = avoiding(task.space, forbidden) if forbidden and alike is None else None
    return RandomArchs(allowed=allowed, alike=alike, share=task.settings.retrain.random_share)


def inherited_of(settings: SearchSettings) -> Inherited | None:
    """What scores the retrained architectures under the supernet, if there is a trained one."""
    if isinstance(settings.engine, Gradient) or not needs_supernet(settings.evaluation):
        return None
    base = settings.evaluation.base if isinstance(settings.evaluation, PredictorSettings) else settings.evaluation
    assert isinstance(base, InheritedSettings)
    return partial(inherited_scores, base)


def retrain_stages(task: SystemTask, retrain: Retrain) -> Stages:
    """The retraining, after tuning where settings are tuned."""
    if not task.settings.tune.grid:
        return [retrain]
    tune = Tune(settings=task.settings.tune, retrain=retrain)
    return [tune, replace(retrain, tuned=tune)]


def hand_made(task: SystemTask) -> Sequence[Any]:
    """The baseline and the other hand-made architectures."""
    return [task.baseline, *task.networks.hand_made.values()]
