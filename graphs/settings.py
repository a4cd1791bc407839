"""A search for graph networks from a graph to a report: one pipeline for PDNAS and the searches it is compared with."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from common.stages.scratch import ScratchSearch

from common.differentiable.candidates import Candidates
from common.differentiable.search import RelaxedSearch
from common.options import RunOptions
from common.run.stages import Stage
from common.stages.best import Best
from common.stages.context import Context
from common.stages.drawing import Drawing
from common.stages.retrain import Retrain
from common.stages.run import run as run_system
from common.stages.settings import ScratchSettings
from common.stages.tune import Tune
from graphs.pdnas.drawing import draw
from graphs.pdnas.methods import METHODS
from graphs.pdnas.settings import Settings
from graphs.pdnas.system import SYSTEM
from graphs.task import GraphTask


def run(settings: Settings, options: RunOptions) -> Path:
    """Runs every stage that is not done yet and writes the report; prints its path.

    Args:
        settings: what to compute.
        options: where and how: output folder, resume, workers, device.

    Raises:
        UserError: the device, the data, the budget or the output folder cannot be used.
    """
    method = METHODS[settings.method]
    system = replace(SYSTEM, name=settings.method, title=method.title, paper=method.paper)
    return run_system(
        settings,
        options,
        system,
        factory=partial(GraphTask, settings),
        stages=partial(stages, settings),
        notes=NOTES,
    )


def stages(settings: Settings, task: GraphTask) -> list[Stage[Context]]:
    """The stages of a run, in order."""
    search: list[Stage[Context]]
    warm = (task.baseline, *task.hand_made().values()) if settings.warm_start else ()
    if isinstance(settings.search, ScratchSettings):
        search = [ScratchSearch(settings=settings.search, given=lambda _: warm)]
    elif settings.derive is None:
        search = [RelaxedSearch(settings=settings.search, save_every=settings.save_every)]
    else:
        relaxed = RelaxedSearch(settings=settings.search, save_every=settings.save_every, name="relaxed search")
        given = Candidates(of=relaxed.name, count=settings.derive.candidates, before=warm)
        search = [relaxed, ScratchSearch(settings=settings.derive, given=given)]
    others = task.hand_made() if settings.hand_made else {}
    retrain = Retrain(settings=settings.retrain, others=others, save_every=settings.save_every)
    tuning: list[Stage[Context]] = []
    if settings.tune.grid:
        tune = Tune(settings=settings.tune, retrain=retrain)
        tuning.append(tune)
        retrain = replace(retrain, tuned=tune.name)
    return [*search, Drawing(draw=partial(draw, task.space)), *tuning, retrain, Best(pictures=settings.pictures)]


NOTES = [
    "Costs: params are all trainable parameters; macs are the multiply-adds of linear layers for all nodes of the graph, its "
    "features taken as dense.",
    "The search, tuning and early stopping read the validation nodes, for every network alike; test nodes are read once, after "
    "all of it. Baseline is GCN; the other hand-made networks are of one operator each.",
]
