"""An own network that is trained in a moment: points of two classes, and a space of six networks."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common import (
    NetworkSettings,
    Objective,
    OptimSettings,
    PathTrainSettings,
    RetrainSettings,
    Run,
    TrainSettings,
    search_network,
)
from common.run.files import Jsonl
from common.streams import torch_stream
from common.supernet import batch_norm, choose, conv2d, linear

POINTS = torch.randn(96, 1, 4, 4, generator=torch_stream(0, "points"))
CLASSES = (POINTS.mean((1, 2, 3)) > 0).long()
ADAM = OptimSettings(name="adam", lr=0.01, weight_decay=0.0)


@dataclass(frozen=True)
class Net:
    """Six networks."""

    width: Any
    kernel: Any


def build(net: Net) -> nn.Module:
    conv = choose(net.kernel, lambda kernel: conv2d(1, net.width, kernel))
    return nn.Sequential(conv, batch_norm(net.width), nn.ReLU(), nn.Dropout(0.1), nn.Flatten(2), Mean(), linear(net.width, 2))


class Mean(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean(-1)


def train_step(network: nn.Module, step: int) -> Tensor:
    rows = torch.randint(48, (16,))
    return F.cross_entropy(network(POINTS[rows]), CLASSES[rows])


def scores(network: nn.Module, first: int, last: int) -> dict[str, float]:
    out = network(POINTS[first:last])
    right = (out.argmax(1) == CLASSES[first:last]).float().mean()
    return {"accuracy": float(right), "loss": float(F.cross_entropy(out, CLASSES[first:last]))}


def evaluate(network: nn.Module) -> dict[str, float]:
    return scores(network, 48, 72)


def tested(network: nn.Module) -> dict[str, float]:
    return scores(network, 72, 96)


def train_and_score(network: nn.Module) -> float:
    """An evaluation that trains the network itself."""
    optimizer = torch.optim.Adam(network.parameters(), lr=0.1)
    for step in range(8):
        optimizer.zero_grad()
        train_step(network, step).backward()
        optimizer.step()
    network.eval()
    with torch.no_grad():
        return scores(network, 48, 72)["accuracy"]


def plain(net: Net) -> nn.Module:
    """A build function that knows nothing of opened descriptions."""
    conv = nn.Conv2d(1, net.width, net.kernel, padding=net.kernel // 2)
    return nn.Sequential(conv, nn.BatchNorm2d(net.width), nn.ReLU(), nn.Flatten(2), Mean(), nn.Linear(net.width, 2))


SETTINGS = NetworkSettings(
    supernet=PathTrainSettings(steps=8, optim=ADAM),
    train=TrainSettings(steps=6, optim=ADAM),
    retrain=RetrainSettings(random_archs=1, seeds=2),
    save_every=3,
)
OVERRIDES = ("search.trials=6", "search.engine.population=3", "search.engine.mutants=2", "search.engine.crossovers=1")
OBJECTIVES = (Objective("accuracy"), Objective("macs", "min", "MACs"))


def searched(out: Path, **changed: Any) -> Run:
    """A run of the problem, with some arguments in the place of its own."""
    from common import OneOf

    given: dict[str, Any] = {
        "build": build,
        "space": Net(OneOf(2, 3, 4), OneOf(1, 3)),
        "evaluate": evaluate,
        "train_step": train_step,
        "test": tested,
        "inputs": [POINTS[:1]],
        "settings": SETTINGS,
        "overrides": OVERRIDES,
        "out": out,
        "device": "cpu",
        "quiet": True,
    }
    return search_network(**{**given, **changed})


def rows(run: Run) -> dict[str, list[dict[str, Any]]]:
    """Everything that a run computed, its seconds apart."""
    files = ("trials.jsonl", "random.jsonl", "retrained.jsonl", "metrics.jsonl", "inherited.jsonl", "stages.jsonl")
    found = {}
    for name in files:
        lines = [{key: value for key, value in row.items() if key != "seconds"} for row in Jsonl(run.path / name).rows()]
        for row in lines:
            if isinstance(row.get("result"), dict):
                row["result"].pop("onnx_max_abs_diff", None)  # most tests leave the export out
        found[name] = sorted(lines, key=lambda row: (row["stage"], row["step"])) if name == "metrics.jsonl" else lines
    return found


def weights(run: Run) -> dict[str, bytes]:
    """Every file of weights."""
    return {str(path.relative_to(run.path)): path.read_bytes() for path in sorted(run.path.rglob("*.safetensors"))}
