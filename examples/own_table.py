"""Compares search engines on your own table of architectures and scores, and searches the table with one of them.

A table is a CSV or JSONL file of networks that were trained already: a column `arch.NAME` for each decision, `cost.NAME` for each cost,
and the scores. Without a file one is made first: 96 perceptrons, each trained on scikit-learn's digits.

    python examples/own_table.py --out runs/table                        # half a minute on one core
    python examples/own_table.py --table mine.csv --objective accuracy   # engines on a table of your own
"""

import argparse
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from common import NetworkSettings, Objective, OneOf, RetrainSettings, Run, SearchSettings, TableSettings, search_network
from common.arch import labels
from common.cost.count import count
from common.space import decode, enumerate_all
from common.stages.study import study

ENGINES = ["aging", "local", "reinforce", "npenas"]


@dataclass(frozen=True)
class Net:
    """A perceptron. Each `OneOf` is a decision, and a column of the table."""

    layers: Any = OneOf(1, 2, 3, 4)
    width: Any = OneOf(4, 8, 16, 32)
    activation: Any = OneOf("relu", "tanh", "sigmoid")
    norm: Any = OneOf(False, True)


def build(net: Net) -> nn.Module:
    """The network of a row. A search of a table opens no decision, so that a build function may test and compute as it likes."""
    widths, act = [64] + [net.width] * net.layers, {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}[net.activation]
    parts: list[nn.Module] = []
    for before, after in zip(widths, widths[1:]):
        parts += [nn.Linear(before, after), nn.BatchNorm1d(after) if net.norm else nn.Identity(), act()]
    return nn.Sequential(*parts, nn.Linear(net.width, 10))


def digits() -> tuple[Tensor, Tensor]:
    """Pixels from 0 to 1 and classes."""
    images, classes = load_digits(return_X_y=True)
    return torch.tensor(images, dtype=torch.float32) / 16, torch.tensor(classes)


X, Y = digits()
TRAIN, VAL, TEST = slice(0, 1000), slice(1000, 1400), slice(1400, None)


def accuracy(network: nn.Module, rows: slice) -> float:
    """Share of digits that are recognised."""
    return float((network(X[rows]).argmax(1) == Y[rows]).float().mean())


def train_and_score(network: nn.Module, steps: int = 60) -> float:
    """Trains a fresh network; gives its accuracy on the validation digits."""
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(steps):
        optimizer.zero_grad()
        cross_entropy(network(X[TRAIN]), Y[TRAIN]).backward()
        optimizer.step()
    with torch.no_grad():
        return accuracy(network.eval(), VAL)


def test(network: nn.Module) -> float:
    """Accuracy of a trained network on the test digits."""
    return accuracy(network, TEST)


def rows(steps: int) -> Iterator[dict[str, Any]]:
    """Trains every architecture of the space; a row of the table for each."""
    for arch in enumerate_all(Net()):
        torch.manual_seed(0)
        network = build(decode(Net(), arch))
        params = count(network, [X[:1]]).params
        named = {f"arch.{name}": option for name, option in labels(Net(), arch).items()}
        yield {**named, "accuracy": train_and_score(network, steps), "cost.params": params}


def write_table(path: Path, steps: int = 60) -> Path:
    """Writes the table of the space as a CSV file."""
    found = list(rows(steps))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, found[0])
        writer.writeheader()
        writer.writerows(found)
    return path


def search_table(table: Path, out: str | Path | None, trials: int) -> Run:
    """Searches the table, then trains the found network, random ones and the baseline anew, each with three seeds."""
    run = search_network(
        build,
        Net(),
        train_and_score,
        test=test,
        inputs=[X[:1]],
        objectives=[Objective("accuracy"), Objective("params", "min", "parameters")],
        settings=NetworkSettings(
            search=SearchSettings(evaluation=TableSettings(file=str(table)), trials=trials),
            retrain=RetrainSettings(random_archs=2, seeds=3),
        ),
        overrides=["search.engine=local"],
        name="own table",
        out=out,
    )
    best = 0.0
    for number, trial in enumerate(run.trials(), 1):
        if trial.scores["accuracy"] > best:
            best = trial.scores["accuracy"]
            print(f"after {number:2} rows: {best:.4f}  {dict(trial.arch)}")
    return run


def main(out: str | Path | None, table: str | Path | None, objective: str, trials: int, seeds: int) -> None:
    """Compares engines on a table; searches the one that this example makes."""
    file = Path(table) if table is not None else write_table(Path("runs") / "table.csv")
    print(study(file, objective, engines=ENGINES, queries=(trials // 2, trials), seeds=seeds))
    if table is None:
        search_table(file, out, trials)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", help="folder of the run; the next free one below runs/ by default")
    parser.add_argument("--table", help="CSV or JSONL file; without one, runs/table.csv is made and searched")
    parser.add_argument("--objective", default="accuracy", help="the score that engines follow")
    parser.add_argument("--trials", type=int, default=30, help="rows that a search may look up")
    parser.add_argument("--seeds", type=int, default=20, help="searches with each engine")
    options = parser.parse_args()
    main(options.out, options.table, options.objective, options.trials, options.seeds)
