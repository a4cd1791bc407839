"""The recipes of the searches that share the space of PDNAS. No torch here: `--help` reads them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from common.engines import Aging, AnyEngine, Gradient, Halving, Random, Reinforce
from common.engines.gradient import DeriveSettings
from common.engines.weighting import WeightingSettings
from common.evaluate.settings import ScratchSettings
from common.stages.settings import PhaseSettings, RetrainSettings, SearchSettings, StopSettings, TuneSettings
from common.train.optim import ArchSettings, OptimSettings
from graphs.pdnas.settings import NetworkSettings, Settings
from graphs.pdnas.space import SpaceSettings
from graphs.settings import DataSettings

PDNAS = Gradient(
    options=WeightingSettings(kind="annealed-gumbel", noise=(1.0, 0.0)),
    rule="first-order",
    arch=ArchSettings(lr=1e-2, betas=(0.9, 0.999), weight_decay=0.0, begin=0.2),
    std=0.0,
)
"""Warm-up in a fifth of the steps, then weights and architecture in turn (algorithm 1; rates and shares are reconstructions)."""
ENGINES: dict[str, AnyEngine] = {
    "pdnas": PDNAS,
    "graphnas": Reinforce(),
    "evolution": Aging(),
    "halving": Halving(candidates=32, shares=(0.25, 1.0), eta=4),
    "random": Random(),
}
"""Method -> how an architecture is found."""
FEW_TRIALS = Reinforce(policy="independent", rate=0.3)
"""REINFORCE for the trials of recipe small; with GraphNAS's settings it is random search there (docs/results/reinforce.md)."""

_ADAM = OptimSettings(name="adam", lr=0.01, weight_decay=5e-4, schedule="constant")
GRID = {
    "network.dropout": (0.6, 0.8),
    "network.attention_dropout": (0.0, 0.5),
    "train.optim.weight_decay": (5e-4, 1e-3, 2e-3),
    "train.optim.lr": (0.01,),
}
"""What is tuned for every network alike."""
_BRACKETS = Halving(candidates=16, shares=(1 / 3, 1.0), eta=4, parents=4)
"""16 candidates are trained on the task's own cut of the nodes, 4 of them on three cuts; then 16 mutants likewise."""
TRIALS = {"pdnas": 60, "graphnas": 60, "evolution": 60, "halving": 40, "random": 60}
"""Candidates of a search, recipe small: about as many trainings as PDNAS has, 56, and a few for its relaxed search."""


def _search(method: str, trials: int, engine: AnyEngine | None = None, cuts: int = 1) -> SearchSettings:
    """The search of a method, with an engine of its own by default; only engines that propose candidates read `trials`."""
    return SearchSettings(
        engine=engine or ENGINES[method],
        evaluation=ScratchSettings(cuts=cuts),
        trials=trials,
        random_baseline=isinstance(engine or ENGINES[method], Gradient),
    )


def smoke(method: str) -> Settings:
    """The embedded digits' graph, every stage, in about a minute on two cores."""
    derive = DeriveSettings(engine=Halving(candidates=4, shares=(0.5, 1.0), eta=4), trials=5)
    return Settings(
        recipe="smoke",
        data=DataSettings(),
        budget={},
        space=SpaceSettings(widths=(16, 32), heads=(1, 2, 4)),
        network=NetworkSettings(),
        weights=PhaseSettings(steps=80, batch=1, optim=_ADAM),
        search=_search(method, 6, replace(PDNAS, derive=derive) if method == "pdnas" else None),
        train=PhaseSettings(steps=60, batch=1, optim=replace(_ADAM, lr=0.02), stop=StopSettings(patience=30, every=2)),
        tune=TuneSettings(grid={"network.dropout": (0.2, 0.6)}),
        retrain=RetrainSettings(random_archs=1, seeds=2),
    )


def small(method: str) -> Settings:
    """Cora or CiteSeer, or a graph like them, in less than an hour on two cores.

    GraphNAS departs from its paper in the policy, which is one softmax for each decision instead of an LSTM, and in its learning
    rate (`FEW_TRIALS`).

    Departures of PDNAS from its paper, each one setting: the space is extended (`space.extended`) and ends at the widths and
    heads of hand-made networks; the architecture follows the validation accuracy of what is sampled, not the straight-through
    gradient (`search.engine.reward`); candidates sampled from what was learnt are compared by successive halving
    (`search.engine.derive`), where the paper takes the strongest option of every decision; hand-made networks are the first of
    these candidates (`search.engine.derive.engine.warm_start`). A dropout of 0.8 is what APPNP is tuned to on Cora and CiteSeer.
    """
    match method:
        case "pdnas":
            search = _search(method, TRIALS[method], _rewarded())
        case "halving":  # the brackets of PDNAS, so that what the learnt probabilities and the warm start are worth is seen
            search = _search(method, TRIALS[method], _BRACKETS, cuts=3)
        case "graphnas":
            search = _search(method, TRIALS[method], FEW_TRIALS)
        case _:
            search = _search(method, TRIALS[method])
    return Settings(
        recipe="small",
        data=DataSettings(),
        budget={},
        space=SpaceSettings(extended=True, widths=(16, 32, 64), heads=(1, 2, 4, 8)),
        network=NetworkSettings(dropout=0.8, attention_dropout=0.0),
        weights=PhaseSettings(steps=600, batch=1, optim=_ADAM),
        search=search,
        train=PhaseSettings(steps=400, batch=1, optim=replace(_ADAM, lr=0.02), stop=StopSettings(every=5)),
        tune=TuneSettings(grid=GRID, most=8, cuts=3),
        retrain=RetrainSettings(random_archs=1, seeds=10),
    )


def _rewarded() -> Gradient:
    """PDNAS with the gradient of the validation accuracy of what is sampled, without annealing (departures: see `small`)."""
    derive = DeriveSettings(engine=replace(_BRACKETS, warm_start=True), evaluation=ScratchSettings(cuts=3), trials=40)
    options, arch = replace(PDNAS.options, noise=(1.0, 1.0)), replace(PDNAS.arch, lr=0.03, begin=0.25)
    return replace(PDNAS, options=options, reward="accuracy", arch=arch, derive=derive)


def paper(method: str) -> Settings:
    """As published, as far as it is: the paper's space without extension, its schedule of search, ten trainings."""
    return Settings(
        recipe="paper",
        data=DataSettings(),
        budget={},
        space=SpaceSettings(),
        network=NetworkSettings(),
        weights=PhaseSettings(steps=300, batch=1, optim=_ADAM),
        search=_search(method, 1000),
        train=PhaseSettings(steps=1000, batch=1, optim=replace(_ADAM, lr=0.005), stop=StopSettings()),
        tune=TuneSettings(grid=GRID),
        retrain=RetrainSettings(random_archs=3, seeds=10),
    )


_MAKERS: dict[str, Callable[[str], Settings]] = {"smoke": smoke, "small": small, "paper": paper}

RECIPES = {method: {recipe: partial(make, method) for recipe, make in _MAKERS.items()} for method in ENGINES}
"""Method -> recipe -> settings."""
