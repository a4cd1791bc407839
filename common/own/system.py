"""The declaration of a user's own network: its networks, their costs, how they are trained, and the stages of a run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.cost.bounds import Least
from common.cost.costs import Counted, tabulated
from common.evaluate.settings import needs_supernet
from common.own.facts import OwnData, OwnFacts
from common.own.network import OwnNetwork
from common.own.task import OwnPhase, OwnTask
from common.space import decode
from common.stages.best import Best
from common.stages.standard import Stages, retrain_of, retrain_stages, search_stages
from common.supernet import opened
from common.system import System
from common.task import Costs, Kind, Networks

if TYPE_CHECKING:
    from common.stages.context import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSystem(System):
    """The declaration of a user's own network, made by `common.own.search.search_network`.

    Attributes:
        own: the user's functions.
        data: what `config.json` says of them.
    """

    own: OwnNetwork
    data: OwnData


def networks(own: OwnNetwork, settings: Any, facts: OwnFacts) -> Networks:
    """The networks of a run. Only inherited weights need a `build` that takes opened descriptions."""
    shared = has_supernet(settings)
    return Networks(space=own.space, build=own.built, baseline=own.baseline, costs=costs(own, shared=shared), has_supernet=shared)


def has_supernet(settings: Any) -> bool:
    """Whether a run of these settings builds a supernet."""
    return needs_supernet(settings.search.evaluation)


def costs(own: OwnNetwork, *, shared: bool) -> Costs:
    """From the supernet's table where there is one, else counted on each network."""
    if shared:
        return tabulated(lambda: own.built(opened(own.space), 0), own.space, own.inputs)
    return CountedOwn(lambda arch: own.built(decode(own.space, arch), 0), lambda: own.inputs, lambda: own.baseline)


class CountedOwn(Counted):
    """Costs of networks that are counted one by one; the least is not known."""

    def least(self, metric: str) -> Least:
        """A bound that holds always: 0."""
        return Least(0, "bound")


def stages(task: OwnTask) -> Stages:
    """The standard stages; networks that are trained alone may begin with their part of the trained supernet."""
    before, search = search_stages(task)
    retrain = retrain_of(task, search)
    if task.settings.retrain_from == "supernet":
        retrain = replace(retrain, start=_trained_supernet)
    return [*before, *retrain_stages(task, retrain), Best(pictures=task.settings.pictures)]


def _trained_supernet(context: Context) -> Path:
    return context.weights("training")


def phases(task: OwnTask, kind: Kind) -> list[OwnPhase]:
    """How networks are trained: by the train step. Without one, `evaluate` trains them."""
    own, settings = task.own, task.settings
    if own.train_step is None or kind == "relaxed":
        return []
    if kind == "supernet":
        return [OwnPhase(name="training", settings=settings.supernet, own=own)]
    return [OwnPhase(name="train", settings=settings.train, own=own)]
