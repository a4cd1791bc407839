"""Settings that every run has, as plain data: recipes are made of them, and `--help` reads them without torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Self

from common.engines import AnyEngine, Gradient, TopK
from common.errors import UserError, check_least
from common.evaluate.settings import Evaluation, ScratchSettings, shares_of
from common.train.optim import OptimSettings

Paths = Literal["uniform", "fair", "cost-bins", "sandwich", "baseline", "largest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StopSettings:
    """When training ends before its last step; the network then has its best weights."""

    metric: str = "loss"
    """The validation score that is watched; the lowest is best if it is a loss, else the highest."""
    patience: int = 100
    """Steps without a better score before training ends."""
    every: int = 1
    """Evaluation interval, in steps."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        check_least(self, "stop", ("patience", "every"), 1)

    @property
    def highest(self) -> bool:
        """Whether the highest score is best."""
        return "loss" not in self.metric


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings:
    """How long something is trained, and by which optimiser."""

    steps: int
    """Optimiser steps; 0 leaves the phase out."""
    optim: OptimSettings
    stop: StopSettings | None = None
    """When a network that is trained alone stops early; none trains all steps."""
    ema: float | None = None
    """What a moving average of the weights keeps at a step, in (0, 1); less in the first steps. The network ends with that
    average. None: it ends with the weights of the last step. Not with `stop`, nor where an architecture is relaxed."""
    accumulate: int = 1
    """Batches whose mean gradient makes one step."""
    amp: Literal["none", "bfloat16", "float16"] = "none"
    """Type of mixed precision; weights are kept in float32. Not where an architecture is relaxed."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        if self.steps < 0:
            raise UserError(f"a phase of {self.steps} steps: give 0 or more")
        if self.accumulate < 1:
            raise UserError(f"accumulate is {self.accumulate}; give 1 batch a step, or more")
        if self.ema is not None and not 0 < self.ema < 1:
            raise UserError(f"ema is {self.ema}; give a number above 0 and below 1, or none")
        if self.ema is not None and self.stop is not None:
            raise UserError(
                "ema and stop: a network that stops early has the weights it was measured best with; give one of both"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseSettings(TrainSettings):
    """One phase of training: so many steps on one kind of batch."""

    batch: int
    """Images (or graphs) in a step."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        TrainSettings.__post_init__(self)
        if self.batch < 1:
            raise UserError(f"a phase of batches of {self.batch} images: give 1 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainSettings:
    """What is trained alone after the search, each with the same budget and seeds."""

    random_archs: int = 3
    """Random architectures that the winner is compared with."""
    random_share: float = 0.0
    """The share of every budget that a random architecture costs at least, 0.9 say, so that networks of about the same cost are
    compared; 0: random architectures keep the budget, and most may be far cheaper."""
    seeds: int = 3
    """Trainings of each network."""
    hand_made: bool = True
    """Whether the hand-made networks are retrained too, besides the baseline."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        check_least(self, "retrain", ("random_archs",), 0)
        check_least(self, "retrain", ("seeds",), 1)
        if not 0 <= self.random_share < 1:
            raise UserError(f"retrain.random_share={self.random_share}: give a number from 0 to below 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class PathPhaseSettings(PhaseSettings):
    """One phase of a supernet's training, some paths of it at a step."""

    paths: Paths = "uniform"
    """Paths that a step trains; `baseline` trains the hand-made path alone, `largest` that of the largest options."""
    bins: tuple[float, ...] = ()
    """Ascending edges of the cost bins that `cost-bins` samples from."""
    bins_in: str = "macs"
    """Cost of the bins."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        PhaseSettings.__post_init__(self)
        if (self.paths == "cost-bins") != bool(self.bins):
            raise UserError(f"paths={self.paths!r} with bins={self.bins}: bins belong to cost-bins; give both or neither")
        if self.bins and (len(self.bins) < 2 or list(self.bins) != sorted(set(self.bins))):
            raise UserError(f"bins={self.bins}: give at least two ascending edges")


@dataclass(frozen=True, slots=True, kw_only=True)
class PathTrainSettings(TrainSettings):
    """The training of a supernet whose batches are not counted in items, some paths of it at a step."""

    paths: Literal["uniform", "fair", "sandwich"] = "uniform"
    """Paths that a step trains."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSettings:
    """A search: any engine with any evaluation that serves it (docs/engines.md has the table)."""

    engine: AnyEngine = TopK()
    """What proposes architectures; see `common.engines`."""
    evaluation: Evaluation = ScratchSettings()
    """How candidates are scored; see `common.evaluate.settings`. `gradient` evaluates no candidates."""
    trials: int = 50
    """Candidates in all; `exhaustive` evaluates every architecture, `halving` begins brackets until there are as many."""
    reward: str | None = None
    """Expression over scores and costs that the search maximises in place of the first objective, e.g.
    `accuracy * (300e6 / macs) ** 0.07`; see `common.expression`."""
    cost: str | None = None
    """The cost that the search trades against the first objective: the second objective of `nsga2`, of fronts and of the report's
    pictures. Any cost of the system's networks, with a latency table `latency` as well; null: the task's own."""
    random_baseline: bool = True
    """Whether random search is done too, for comparison: with as many candidates, or at the cost of a differentiable search."""

    def __post_init__(self) -> None:
        """Checks ranges, and whether the engine can be used with the evaluation.

        Raises:
            UserError: a value is out of range, or the pair is impossible.
        """
        check_least(self, "search", ("trials",), 1)
        if why := impossible(self.engine, self.evaluation):
            raise UserError(why)


def impossible(engine: AnyEngine, evaluation: Evaluation) -> str:
    """Why an engine cannot be used with an evaluation, with the remedy; empty if it can."""
    if engine.needs_shares and not shares_of(evaluation):
        return (
            f"search.engine={engine.name}: {engine.title} evaluates candidates at shares of the training budget, which "
            f"evaluation={evaluation.name} does not have; give search.evaluation=scratch or proxy, or another engine"
        )
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneSettings:
    """Which settings of training are tuned for every network that is trained alone, on the validation split."""

    grid: dict[str, tuple[float, ...]] = field(default_factory=dict)
    """Setting by its name in config.json -> values; every combination is tried. Nothing is tuned if it is empty."""
    most: int = 0
    """So many combinations at most, drawn once for all networks (Bergstra and Bengio 2012); 0 tries all."""
    seeds: int = 1
    """Trainings of each combination."""
    cuts: int = 1
    """Cuts of training and validation data that each of them is on, its score the mean: the task's own, then others."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        check_least(self, "tune", ("seeds", "cuts"), 1)
        check_least(self, "tune", ("most",), 0)
        if empty := [name for name, values in self.grid.items() if not values]:
            raise UserError(f"tune.grid: {empty[0]} has no values; give one or more, or leave it out")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """What the settings of every system begin with. Together they are everything that decides what a run computes."""

    recipe: str
    """The recipe these settings began as."""
    budget: dict[str, float]
    """Hard upper limits on costs, each one that the task counts."""
    search: SearchSettings
    retrain: RetrainSettings
    tune: TuneSettings = field(default_factory=TuneSettings)
    """Training settings that are tuned for each retrained network."""
    seed: int = 0
    """Of everything random."""
    latency: str | None = None
    """A latency table of the networks, written by `latency-table`. Networks then have the cost `latency` beside their others: the
    table's milliseconds, which a budget and a reward can name."""
    threads: int = 1
    """Torch threads of each process; another number can change the last bits of a result."""
    pictures: int = 8
    """Sample predictions in the report."""
    save_every: int = 200
    """Training steps between two checkpoints; how much a killed run has to do again."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        check_least(self, "", ("save_every", "threads"), 1)
        check_least(self, "", ("pictures",), 0)

    def finished(self) -> Self:
        """The settings of a run whose networks are trained: without files that trainings begin with, which may be gone."""
        return self

    def check_reward(self, known: Sequence[str]) -> None:
        """Refuses rewards of a gradient-based search but those in `known`, which training tells.

        Raises:
            UserError: names the reward.
        """
        engine = self.search.engine
        if isinstance(engine, Gradient) and engine.reward not in (None, *known):
            raise UserError(f"search.engine.reward={engine.reward}: training gives {', '.join(known)}; name one of them, or none")

    def check_costs(self, known: Iterable[str], model: str) -> None:
        """Refuses a budget of anything but the costs in `known`, those of a `model`, and another cost to trade for.

        Raises:
            UserError: names the budget, or the cost.
        """
        known = dict.fromkeys((*known, *([] if self.latency is None else ["latency"])))
        named = [(f"budget {metric!r}", metric, "limit") for metric in self.budget]
        if (cost := self.search.cost) is not None:
            named.append((f"search.cost={cost}", cost, "give"))
        for setting, metric, remedy in named:
            if metric == "latency" and metric not in known:
                raise UserError(f"{setting} needs a latency table: --set latency=TABLE.json, which latency-table writes")
            if metric not in known:
                raise UserError(f"{setting} is no cost of a {model}; {remedy} {', '.join(known)}")


def check_trained(phases: Mapping[str, TrainSettings], model: str) -> None:
    """Refuses phases (by the names that `--set` knows) that leave a `model` untrained.

    Raises:
        UserError: names the setting.
    """
    for name, phase in phases.items():
        if phase.steps < 1:
            raise UserError(f"{name}.steps={phase.steps}: a {model} must be trained; give 1 or more")
