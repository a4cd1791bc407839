"""A task that is given the networks of a system: what every task package extends with its data, metrics and pictures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar, Self

from common.cost.bounds import refuse_below
from common.cost.timed import Timed
from common.errors import UserError
from common.objective import LATENCY, UNITS, Objective
from common.overrides import override
from common.space import Arch, decode
from common.stages.tune import combinations
from common.supernet import opened
from common.task import Calibration, Facts, Kind, Networks, Phase, SplitName

if TYPE_CHECKING:
    from torch import nn

    from common.cost.prices import Metric, Prices
    from common.stages.settings import RunSettings
    from common.system import System


class SystemTask(ABC):
    """See `common.task.Task`. A subclass knows data; the system knows networks.

    Attributes:
        kind: name of the task package.
        facts_of: what the task remembers of its data; a dataclass that is a `common.task.Facts`.
        system: whose networks the task works on.
        settings: of the run.
        weights: folder of the run's weights.
        data: what the task learns from; it has `notes`, `skipped` and `describe()`.
    """

    kind: ClassVar[str]
    facts_of: ClassVar[type[Any]]

    def __init__(self, system: System, settings: RunSettings, weights: Path, data: Any = None) -> None:
        """Reads the data and makes ready what the system adds.

        Args:
            system: whose networks the task works on.
            settings: of the run.
            weights: folder of the run's weights.
            data: data that were read before, those of `settings`.

        Raises:
            UserError: the data cannot be used, or do not fit the settings.
        """
        self.system = system
        self.settings: Any = settings
        self.weights = weights
        self.data = self.read(self.settings) if data is None else data
        self.networks: Networks = timed(system.networks(settings, self.facts), settings.latency)
        self._check_tuning()
        if system.check is not None:
            system.check(self)

    # ---- what a task package writes

    @staticmethod
    @abstractmethod
    def read(settings: Any) -> Any:
        """The data of a run.

        Raises:
            UserError: the data cannot be used.
        """

    @property
    @abstractmethod
    def facts(self) -> Facts:
        """What a run remembers of the data."""

    @property
    @abstractmethod
    def own_objectives(self) -> Sequence[Objective]:
        """What is searched for unless `search.cost` says otherwise; the first is the quality that networks are compared by."""

    @property
    @abstractmethod
    def scores(self) -> Sequence[str]:
        """Names of the metrics."""

    @abstractmethod
    def metrics(self, network: nn.Module, split: SplitName, limit: int | None = None) -> dict[str, float]:
        """See `common.task.Task.metrics`."""

    @abstractmethod
    def pictures(self, network: nn.Module, folder: Path, count: int) -> list[dict[str, str]]:
        """See `common.task.Task.pictures`."""

    @staticmethod
    def deployed(network: nn.Module) -> nn.Module:
        """What runs where a trained network is used: the network itself, or another module with the same outputs.

        Raises:
            UserError: the network cannot be deployed.
        """
        return network

    @property
    def calibration(self) -> Calibration | None:
        """See `common.task.Task.calibration`."""
        return None

    def recut(self, number: int) -> Any:
        """The data with training and validation items cut anew, as large as before.

        Raises:
            UserError: the task cannot do that.
        """
        raise UserError(f"cuts: {self.kind} data cannot be cut anew; give search.evaluation.cuts=1 and tune.cuts=1")

    # ---- what follows from the system

    @property
    def objectives(self) -> Sequence[Objective]:
        """See `common.task.Task.objectives`; with `search.cost` the first of the task's own, and that cost."""
        own, cost = self.own_objectives, self.settings.search.cost
        if cost is None:
            return own
        traded = Objective(cost, "min", UNITS.get(cost, ""))
        return (own[0], next((objective for objective in own[1:] if objective.name == cost), traded))

    @property
    def space(self) -> Any:
        """The description with open decisions."""
        return self.networks.space

    @property
    def baseline(self) -> Arch:
        """The hand-made architecture that a search has to beat."""
        return self.networks.baseline

    def supernet(self, seed: int) -> nn.Module:
        """The network with every decision open."""
        return self.networks.build(opened(self.space), seed)

    def network(self, arch: Arch, seed: int) -> nn.Module:
        """The network of an architecture as it is trained alone."""
        return self.networks.build(self.networks.alone(decode(self.space, arch)), seed)

    def phases(self, kind: Kind) -> Sequence[Phase]:
        """See `System.phases`; phases of no steps are left out."""
        return [phase for phase in self.system.phases(self, kind) if phase.settings.steps]

    def costs(self, arch: Arch) -> Mapping[str, float]:
        """See `common.task.Costs.of`."""
        return self.networks.costs.of(arch)

    def check_budget(self, metric: str, upper: float) -> None:
        """Refuses an upper limit on a cost that no architecture keeps.

        Raises:
            UserError: names the least cost.
        """
        refuse_below(self.networks.costs.least(metric), metric, upper)

    def export(self, network: nn.Module, folder: Path) -> float:
        """See `common.task.Task.export`."""
        return self.facts.export(network, folder).max_abs_diff

    def variant(self, overrides: Sequence[str] = (), cut: int = 0) -> Self:
        """See `common.task.Task.variant`; data are shared where the settings of data are the same."""
        settings = override(self.settings, overrides)
        same = getattr(settings, "data", None) == getattr(self.settings, "data", None)
        data = self.data if same else self.read(settings)
        other = self._with(settings, data)
        return other._with(settings, other.recut(cut)) if cut else other

    def _with(self, settings: Any, data: Any) -> Self:
        return type(self)(self.system, settings, self.weights, data)

    def _check_tuning(self) -> None:
        """Refuses cuts and a grid that the tuning would fail at, after the search."""
        tune = self.settings.tune
        if self.cuts > 1:
            self.recut(1)
        for words in combinations(replace(tune, most=0), Random(0)) if tune.grid else ():
            tuned: Any = override(self.settings, words)
            changed = [name for name in ("data", "space") if getattr(tuned, name, None) != getattr(self.settings, name, None)]
            if changed:
                raise UserError(f"tune.grid: {' '.join(words)} changes the {changed[0]}; tune settings of training alone")

    @cached_property
    def cuts(self) -> int:
        """The most cuts of the data that a candidate or a setting is evaluated on."""
        search, derive = self.settings.search, getattr(self.settings.search.engine, "derive", None)
        evaluations = [part.evaluation for part in (search, derive) if part is not None]
        return max([getattr(evaluation, "cuts", 1) for evaluation in evaluations] + [self.settings.tune.cuts])


def timed(networks: Networks, file: str | None) -> Networks:
    """The networks with the latency of a table among their costs.

    Args:
        networks: of a system.
        file: the table; None for none.
    """
    if file is None:
        return networks
    price = networks.price
    costs = Timed(networks.costs, Path(file), networks.alone(networks.space))

    def priced(metric: str) -> tuple[Prices, Metric] | None:
        if metric == LATENCY:
            return costs.prices, LATENCY
        return None if price is None else price(metric)

    return replace(networks, costs=costs, price=priced)
