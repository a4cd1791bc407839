"""A search for graph networks as plain data, and its recipes. No torch here: `--help` reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from common.differentiable.settings import RelaxedSearchSettings

from common.errors import UserError, check_least
from common.stages.settings import PhaseSettings, RetrainSettings, RunSettings, ScratchSettings, StopSettings, TuneSettings, check_trained
from common.train.optim import OptimSettings
from graphs.pdnas.methods import METHODS
from graphs.pdnas.space import HEADS, WIDTHS

COSTS = ("params", "macs")
"""What an architecture costs: see `graphs.task.GraphTask.costs`."""

REWARDS = ("loss", "class_loss", "accuracy")
"""What a search can be rewarded by: see `graphs.pdnas.phases.Nodes.loss`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSettings:
    """Which graph."""

    folder: str | None = None
    """Where the data set is, or a data set of PyG keeps its files; none for the embedded one."""
    name: str | None = None
    """Data set in the folder (Cora, CiteSeer, PubMed), or a PyG data set by its import path, `package.module:Class`."""
    skip_bad: bool = False
    """A graph is one piece: nothing of it can be left out."""

    def __post_init__(self) -> None:
        """Checks what can be asked for.

        Raises:
            UserError: damaged parts are to be left out.
        """
        if self.skip_bad:
            raise UserError("--skip-bad: a graph is one piece, nothing of it can be left out; mend the data instead")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceSettings:
    """The networks that are searched."""

    blocks: int = 2
    """Blocks in a row."""
    extended: bool = False
    """Open the operators of APPNP, ARMA and GraphSAGE beside the paper's."""
    shortcuts: bool = True
    """Open the gates of shortcuts between blocks; they are closed otherwise."""
    widths: tuple[int, ...] = WIDTHS
    """Of a block, all heads together."""
    heads: tuple[int, ...] = HEADS
    """Of a block."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        check_least(self, "space", ("blocks",), 1)
        if not self.widths or not self.heads or min(*self.widths, *self.heads) < 1:
            raise UserError(f"space.widths={self.widths}, space.heads={self.heads}: give one or more, each 1 or more")
        if odd := [(w, h) for w in self.widths for h in self.heads if w % h]:
            raise UserError(f"space: {odd[0][1]} heads do not divide the width {odd[0][0]}; give widths that all heads divide")


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSettings:
    """What all networks share."""

    dropout: float = 0.6
    """Probability that an entry of a block's input is dropped in training."""
    attention_dropout: float = 0.6
    """Probability that a neighbour's weight is."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        for name in ("dropout", "attention_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(f"network.{name}={getattr(self, name)}: give a probability from 0 to below 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(RunSettings):
    """Everything that decides what a run computes."""

    method: str
    """One of `graphs.pdnas.methods.METHODS`."""
    data: DataSettings
    space: SpaceSettings
    network: NetworkSettings
    weights: PhaseSettings
    """Training of the supernet's weights; only PDNAS has one."""
    search: RelaxedSearchSettings | ScratchSettings
    derive: ScratchSettings | None = None
    """How candidates drawn from what a differentiable search learnt are compared, trained alone; none takes the strongest
    option of every decision, as PDNAS does."""
    train: PhaseSettings
    """Training of a network alone."""
    tune: TuneSettings
    retrain: RetrainSettings
    hand_made: bool = True
    """Whether networks of one operator each are trained as well, besides GCN, the baseline."""

    warm_start: bool = False
    """Whether GCN and those networks are the first candidates of halving, `derive`'s or its own."""

    @property
    def cuts(self) -> int:
        """On which a candidate is trained, or a setting tuned, at most."""
        searches = [s.cuts for s in (self.search, self.derive) if isinstance(s, ScratchSettings)]
        return max(*searches, self.tune.cuts, 1)

    def __post_init__(self) -> None:
        """Checks what one setting says of another.

        Raises:
            UserError: names the setting.
        """
        if self.method not in METHODS:
            raise UserError(f"method {self.method!r} does not exist; choose one of {', '.join(METHODS)}")
        if isinstance(self.search, ScratchSettings) != isinstance(METHODS[self.method].search, ScratchSettings):
            raise UserError(f"method {self.method!r} searches in another way than these settings; run it by its own command")
        RunSettings.__post_init__(self)
        self.check_costs(COSTS, "graph network")
        check_trained({"weights": self.weights, "train": self.train}, "graph network")
        if self.derive is not None and self.derive.engine != "halving":
            raise UserError(f"derive.engine={self.derive.engine}: candidates are compared by halving; give that, or no derive")
        compared = self.search if isinstance(self.search, ScratchSettings) else self.derive
        if self.warm_start and (compared is None or compared.engine != "halving"):
            raise UserError(
                "warm_start: only halving, of derive or of the method itself, begins with given networks; set it to false"
            )
        if isinstance(self.search, RelaxedSearchSettings) and self.search.reward not in (None, *REWARDS):
            raise UserError(f"search.reward={self.search.reward}: training tells {', '.join(REWARDS)}; name one of them, or none")
        if self.weights.stop is not None:
            raise UserError("weights.stop: a search ends by search.stop; leave weights.stop out")


_ADAM = OptimSettings(name="adam", lr=0.01, weight_decay=5e-4, schedule="constant")
GRID = {
    "network.dropout": (0.6, 0.8),
    "network.attention_dropout": (0.0, 0.5),
    "train.optim.weight_decay": (5e-4, 1e-3, 2e-3),
    "train.optim.lr": (0.01,),
}
"""What is tuned for every network alike."""
DERIVE = ScratchSettings(engine="halving", trials=40, candidates=16, shares=(1 / 3, 1.0), eta=4, cuts=3, parents=4)
"""Candidates of PDNAS: 16 are trained on the own cut of the nodes, 4 of them on three cuts; then 16 mutants likewise."""
TRIALS = {"pdnas": 0, "graphnas": 60, "evolution": 60, "halving": 40, "random": 60}
"""Candidates of a search, recipe small: about as many trainings as PDNAS has, 56, and a few for its relaxed search."""


def _sized(method: str, steps: int, trials: int) -> tuple[PhaseSettings, RelaxedSearchSettings | ScratchSettings]:
    """A search of so many steps of the supernet, or so many trainings of candidates."""
    search = METHODS[method].search
    weights = PhaseSettings(steps=steps, batch=1, optim=_ADAM)
    return weights, replace(search, trials=trials) if isinstance(search, ScratchSettings) else search


def _rewarded(search: RelaxedSearchSettings | ScratchSettings) -> RelaxedSearchSettings | ScratchSettings:
    """PDNAS with the gradient of the validation accuracy of what is drawn, without annealing (departures: see `small`)."""
    if isinstance(search, ScratchSettings):
        return search
    options = replace(search.options, noise=(1.0, 1.0))
    return replace(search, options=options, reward="accuracy", arch=replace(search.arch, lr=0.03, begin=0.25))


def smoke(method: str) -> Settings:
    """The embedded digits' graph, every stage, in about a minute on two cores."""
    weights, search = _sized(method, steps=80, trials=6)
    return Settings(
        method=method,
        recipe="smoke",
        data=DataSettings(),
        budget={},
        space=SpaceSettings(widths=(16, 32), heads=(1, 2, 4)),
        network=NetworkSettings(),
        weights=weights,
        search=search,
        derive=ScratchSettings(engine="halving", trials=5, candidates=4, shares=(0.5, 1.0), eta=4) if method == "pdnas" else None,
        train=PhaseSettings(steps=60, batch=1, optim=replace(_ADAM, lr=0.02), stop=StopSettings(patience=30, every=2)),
        tune=TuneSettings(grid={"network.dropout": (0.2, 0.6)}),
        retrain=RetrainSettings(random_archs=1, seeds=2),
    )


def small(method: str) -> Settings:
    """Cora or CiteSeer, or a graph like them, in less than an hour on two cores.

    Departures of PDNAS from its paper, each one setting: the space is extended (`space.extended`) and ends at the widths and
    heads of hand-made networks; the architecture follows the validation accuracy of what is drawn, not the straight-through
    gradient (`search.reward`); candidates drawn from what was learnt are compared by successive halving (`derive`), where the
    paper takes the strongest option of every decision; hand-made networks are the first of them (`warm_start`). A dropout of 0.8
    is what APPNP is tuned to on Cora and CiteSeer.
    """
    weights, search = _sized(method, steps=600, trials=TRIALS[method])
    if method == "halving":
        search = DERIVE  # so that what the learnt probabilities and the warm start are worth is seen
    return Settings(
        method=method,
        recipe="small",
        data=DataSettings(),
        budget={},
        space=SpaceSettings(extended=True, widths=(16, 32, 64), heads=(1, 2, 4, 8)),
        network=NetworkSettings(dropout=0.8, attention_dropout=0.0),
        weights=weights,
        search=_rewarded(search),
        derive=DERIVE if method == "pdnas" else None,
        train=PhaseSettings(steps=400, batch=1, optim=replace(_ADAM, lr=0.02), stop=StopSettings(every=5)),
        tune=TuneSettings(grid=GRID, most=8, cuts=3),
        retrain=RetrainSettings(random_archs=1, seeds=10),
        warm_start=method == "pdnas",
    )


def paper(method: str) -> Settings:
    """As published, as far as it is: the paper's space without extension, its schedule of search, ten trainings."""
    weights, search = _sized(method, steps=300, trials=1000)
    optim = replace(_ADAM, lr=0.005)
    return Settings(
        method=method,
        recipe="paper",
        data=DataSettings(),
        budget={},
        space=SpaceSettings(),
        network=NetworkSettings(),
        weights=weights,
        search=search,
        train=PhaseSettings(steps=1000, batch=1, optim=optim, stop=StopSettings()),
        tune=TuneSettings(grid=GRID),
        retrain=RetrainSettings(random_archs=3, seeds=10),
    )


_MAKERS: dict[str, Callable[[str], Settings]] = {"smoke": smoke, "small": small, "paper": paper}

RECIPES = {method: {recipe: partial(make, method) for recipe, make in _MAKERS.items()} for method in METHODS}
"""Method -> recipe -> settings."""
