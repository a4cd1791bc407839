"""A task for differentiable search: noise in three colours, told apart by a small cell."""

from dataclasses import dataclass
from functools import cache, cached_property

import torch
from torch import nn

from common.cost.price import Price
from common.objective import Objective
from common.space import Arch, decode
from common.stages.settings import PhaseSettings
from common.supernet import opened
from common.task import Networks
from common.train.optim import OptimSettings
from tests.common.stages.paths_toy import Prices, ToyPhase, batch
from tests.common.supernet.cells import Cell, build, cell_space

OPERATIONS = ("conv3", "skip", "none")
TRAINING = PhaseSettings(steps=12, batch=8, optim=OptimSettings(name="sgd", lr=0.05))


@cache
def price_of(nodes: int) -> Price:
    space = cell_space(nodes, OPERATIONS)
    with torch.device("meta"):
        module = build(opened(space))
    return Price(module, (torch.empty(1, 3, 8, 8, device="meta"),), space)


@dataclass(frozen=True, kw_only=True)
class RelaxedToy:
    """See `common.task.Task`; the settings are its whole state."""

    nodes: int = 2
    training: PhaseSettings = TRAINING

    @cached_property
    def space(self) -> Cell:
        return cell_space(self.nodes, OPERATIONS)

    @property
    def objectives(self) -> tuple[Objective, ...]:
        return (Objective("accuracy"),)

    @property
    def calibration(self) -> None:
        return None

    @property
    def baseline(self) -> Arch:
        return Arch({})

    def supernet(self, seed: int) -> nn.Module:
        return self._built(opened(self.space), seed)

    def network(self, arch: Arch, seed: int) -> nn.Module:
        return self._built(decode(self.space, arch), seed)

    def phases(self, kind: str) -> list[ToyPhase]:
        return [ToyPhase(name=name, settings=self.training, dropout=0.2) for name in ("weights", "architecture")]

    def metrics(self, network: nn.Module, split: str, limit: int | None = None) -> dict[str, float]:
        images, labels = batch(0, split, items=64)
        return {"accuracy": float((network(images).argmax(1) == labels).float().mean())}

    def costs(self, arch: Arch) -> dict[str, int]:
        return price_of(self.nodes).price(arch)

    @property
    def networks(self) -> Networks:
        costs = Prices(price_of(self.nodes))
        return Networks(space=self.space, build=self._built, baseline=self.baseline, costs=costs, price=costs.price)

    def _built(self, cell: Cell, seed: int) -> nn.Module:
        with torch.random.fork_rng([]):
            torch.manual_seed(seed % 2**63)
            return build(cell)
