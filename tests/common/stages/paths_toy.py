"""A task with nothing of a real one: noise in three colours, told apart by a chain of convolutions."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

from common.cost.bounds import Least, cheapest
from common.cost.price import Price
from common.objective import Objective
from common.overrides import override
from common.space import Arch, decode
from common.stages.settings import PathPhaseSettings
from common.streams import torch_stream
from common.supernet import opened
from common.task import Calibration, Networks
from common.train.optim import OptimSettings
from common.train.step import Step
from tests.common.cost.chains import Chain, Net, chain_space

TRAINING = PathPhaseSettings(steps=6, batch=8, optim=OptimSettings(name="sgd", lr=0.05))


def batch(seed: int, *names: object, items: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Images (n, 3, 8, 8) whose channel of the label's number is a little brighter."""
    generator = torch_stream(seed, "toy", *names)
    labels = torch.randint(3, (items,), generator=generator)
    images = torch.randn(items, 3, 8, 8, generator=generator)
    images[torch.arange(items), labels] += 0.5
    return images, labels


@dataclass(frozen=True, kw_only=True)
class ToyPhase:
    name: str
    settings: PathPhaseSettings
    dropout: float = 0.0

    def wrap(self, network: nn.Module, seed: int) -> nn.Module:
        return nn.Sequential(network, nn.Dropout(self.dropout))

    def batch_at(self, step: int, seed: int) -> Any:
        return batch(seed, self.name, step, items=self.settings.batch)

    def loss(self, model: nn.Module, batch: Any, step: Step) -> dict[str, torch.Tensor]:
        images, labels = batch
        return {"loss": F.cross_entropy(model(images), labels)}

    def finish(self, network: nn.Module, model: nn.Module) -> None:
        pass


@dataclass(frozen=True, kw_only=True)
class ToyTask:
    """See `common.task.Task`; the settings are its whole state."""

    length: int = 4
    training: PathPhaseSettings = TRAINING
    direction: str = "max"

    @cached_property
    def space(self) -> Chain:
        return chain_space(self.length)

    @property
    def objectives(self) -> tuple[Objective, ...]:
        return (Objective("accuracy" if self.direction == "max" else "loss", self.direction), Objective("macs", "min"))

    @property
    def baseline(self) -> Arch:
        return Arch({f"kernels.{i}": 1 for i in range(self.length)})

    @property
    def networks(self) -> Networks:
        costs = Prices(price_of(self.length))
        return Networks(space=self.space, build=build, baseline=self.baseline, costs=costs, price=costs.price)

    def supernet(self, seed: int) -> nn.Module:
        return build(opened(self.space), seed)

    def network(self, arch: Arch, seed: int) -> nn.Module:
        return build(decode(self.space, arch), seed)

    def phases(self, kind: str) -> list[ToyPhase]:
        first = ToyPhase(name="first", settings=self.training, dropout=0.2)
        return [first, ToyPhase(name="second", settings=self.training)]

    @property
    def calibration(self) -> Calibration:
        def batches(count: int, size: int) -> list[torch.Tensor]:
            return [batch(0, "calibration", i, items=size)[0] for i in range(count)]

        return Calibration(batches=batches, forward=lambda network, images: network(images))

    def variant(self, overrides: Sequence[str] = (), cut: int = 0) -> "ToyTask":
        assert not cut
        return override(self, overrides)

    @torch.no_grad()
    def metrics(self, network: nn.Module, split: str, limit: int | None = None) -> dict[str, float]:
        images, labels = batch(0, split, items=limit or 64)
        scores = network(images)
        return {"accuracy": float((scores.argmax(1) == labels).float().mean()), "loss": float(F.cross_entropy(scores, labels))}

    def costs(self, arch: Arch) -> dict[str, int]:
        return price_of(self.length).price(arch)

    def pictures(self, network: nn.Module, folder: Any, count: int) -> list[dict[str, str]]:
        Image.new("RGB", (8, 8)).save(folder / "0.png")
        return [{"file": "0.png", "caption": "nothing"}]

    def export(self, network: nn.Module, folder: Any) -> float:
        (folder / "model.onnx").write_bytes(b"nothing")
        return 0.0


@dataclass(frozen=True)
class Prices:
    """See `common.task.Costs`."""

    table: Price

    def of(self, arch: Arch) -> dict[str, int]:
        return self.table.price(arch)

    def least(self, metric: str) -> Least:
        return Least(cheapest(self.table, metric).value)

    def price(self, metric: str) -> tuple[Price, Any]:
        return self.table, metric


def build(description: Any, seed: int = 0) -> nn.Module:
    with torch.random.fork_rng([]):
        torch.manual_seed(seed % 2**63)
        return Net(description)


@cache
def price_of(length: int) -> Price:
    space = chain_space(length)
    with torch.device("meta"):
        module = Net(opened(space))
    return Price(module, (torch.empty(1, 3, 8, 8, device="meta"),), space)
