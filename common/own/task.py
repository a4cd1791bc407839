"""The task of a user's own network: its data are the user's, and are met through `evaluate` and `train_step` alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from torch import Tensor, nn

from common.network_phase import WholeNetwork
from common.own.facts import OwnData, OwnFacts
from common.own.network import OwnNetwork, seeded
from common.stages.reload import OWN
from common.streams import derive
from common.system_task import SystemTask
from common.task import Calibration
from common.train.step import Step

if TYPE_CHECKING:
    from pathlib import Path

    from common.objective import Objective
    from common.own.system import OwnSystem
    from common.space import Arch
    from common.stages.settings import RunSettings, TrainSettings
    from common.task import SplitName


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPhase(WholeNetwork):
    """A phase that trains by the user's train step; see `common.task.Phase`.

    Attributes:
        name: of the phase.
        settings: steps and optimiser.
        own: whose train step is called.
    """

    name: str
    settings: TrainSettings
    own: OwnNetwork

    def batch_at(self, step: int, seed: int) -> int:
        """Its number: the user's function chooses the batch, from it and from torch's generator."""
        return step

    def loss(self, model: nn.Module, batch: int, step: Step) -> Mapping[str, Tensor]:
        """What the train step gives."""
        return {"loss": self.own.loss(model, batch)}


class OwnTask(SystemTask):
    """A user's own network as a task; see `common.own.search`."""

    kind = OWN
    facts_of = OwnFacts

    def __init__(self, system: OwnSystem, settings: RunSettings, weights: Path, data: OwnData | None = None) -> None:
        """See `SystemTask`."""
        self.own = system.own
        self._seeds: WeakKeyDictionary[nn.Module, int] = WeakKeyDictionary()
        self._found: WeakKeyDictionary[nn.Module, dict[str, float]] = WeakKeyDictionary()
        super().__init__(system, settings, weights, system.data if data is None else data)

    @staticmethod
    def read(settings: Any) -> OwnData:
        """Never called: the data are the system's."""
        raise AssertionError("an own network reads no data")

    @property
    def facts(self) -> OwnFacts:
        """See `SystemTask.facts`."""
        return OwnFacts(inputs=self.own.inputs)

    @property
    def own_objectives(self) -> Sequence[Objective]:
        """As the user gave them."""
        return self.own.objectives

    @property
    def scores(self) -> Sequence[str]:
        """See `SystemTask.scores`."""
        return self.own.scores

    @property
    def calibration(self) -> Calibration | None:
        """The train step, run for its forward pass: on the batches of the first steps, whatever their size."""
        if self.own.train_step is None:
            return None
        return Calibration(batches=lambda batches, batch: range(batches), forward=self._calibrate)

    def _calibrate(self, network: nn.Module, step: int) -> None:
        with seeded(derive(self.settings.seed, "calibration", step), network):
            self.own.loss(network, step)

    def supernet(self, seed: int) -> nn.Module:
        """See `SystemTask.supernet`."""
        return self.own.supernet(seed)

    def network(self, arch: Arch, seed: int) -> nn.Module:
        """See `SystemTask.network`."""
        network = super().network(arch, seed)
        self._seeds[network] = seed
        return network

    def metrics(self, network: nn.Module, split: SplitName, limit: int | None = None) -> dict[str, float]:
        """What `evaluate` gives, or `test` for the test split where there is one.

        Where `evaluate` trains the network, it is called once for each.
        """
        test = split == "test" and self.own.test is not None
        seed = derive(self.settings.seed, "evaluate", self._seeds.get(network, 0))
        if self.own.train_step is not None or test:
            return self.own.scored(network, test=test, seed=seed)
        if network not in self._found:
            self._found[network] = self.own.scored(network, test=False, seed=seed)
        return self._found[network]

    def pictures(self, network: nn.Module, folder: Path, count: int) -> list[dict[str, str]]:
        """None: what predictions look like is known to the user alone."""
        folder.mkdir(exist_ok=True)
        return []
