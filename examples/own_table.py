"""Compares search engines on your own table of scores, and searches it: python examples/own_table.py [--table FILE]

A table is a CSV or JSONL file of networks that were trained already: a column `arch.NAME` for each decision, `cost.NAME` for
each cost, and the scores. Without a file, a table of 96 perceptrons is made first, each of them trained on handwritten digits.
One engine then searches this table in a run with a report, and the example prints how soon it found the best row. It takes half
a minute on one core.
"""

import argparse
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy

from common import NetworkSettings, Objective, OneOf, RetrainSettings, Run, SearchSettings, TableSettings, search_network
from common.arch import labels
from common.cost.count import count
from common.script import spoken_errors
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
    for before, after in pairwise(widths):
        parts += [nn.Linear(before, after), nn.BatchNorm1d(after) if net.norm else nn.Identity(), act()]
    return nn.Sequential(*parts, nn.Linear(net.width, 10))


DIGITS = load_digits()
X, Y = torch.tensor(DIGITS.data, dtype=torch.float32) / 16, torch.tensor(DIGITS.target)
TRAIN, VAL, TEST = slice(0, 1000), slice(1000, 1400), slice(1400, None)


def accuracy(network: nn.Module, rows: slice) -> float:
    """Share of digits that are recognised."""
    return float((network(X[rows]).argmax(1) == Y[rows]).float().mean())


def train_and_score(network: nn.Module, steps: int) -> float:
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


def write_table(path: Path, steps: int) -> Path:
    """Writes the table of the space as a CSV file."""
    found = list(rows(steps))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, found[0])
        writer.writeheader()
        writer.writerows(found)
    return path


def soonest(run: Run) -> Iterator[str]:
    """A line for each row that beat all rows before it."""
    best = 0.0
    for number, trial in enumerate(run.trials(), 1):
        if trial.scores["accuracy"] > best:
            best = trial.scores["accuracy"]
            yield f"after {number:2} rows: {best:.4f} by {dict(trial.arch)}"


def main() -> None:
    """Compares engines on a table; searches the one that this example makes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", type=Path, help="CSV or JSONL file; by default runs/table.csv is made, and searched")
    parser.add_argument("--objective", default="accuracy", help="the score that engines follow")
    parser.add_argument("--seeds", type=int, default=20, help="searches with each engine")
    parser.add_argument("--steps", type=int, default=60, help="training steps of each network of runs/table.csv")
    parser.add_argument("--out", help="folder of the run; by default the next free one below runs/")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="other settings, by their names in config.json")
    options = parser.parse_args()
    torch.set_num_threads(1)  # networks as small as these are slower with more
    table = options.table or write_table(Path("runs") / "table.csv", options.steps)
    print(study(table, options.objective, engines=ENGINES, queries=(15, 30), seeds=options.seeds))
    if options.table is not None:
        return
    run = search_network(
        build,
        Net(),
        partial(train_and_score, steps=options.steps),  # the networks that are compared in the end are trained anew
        test=test,
        inputs=[X[:1]],
        objectives=[Objective("accuracy"), Objective("params", "min", "parameters")],
        settings=NetworkSettings(
            search=SearchSettings(evaluation=TableSettings(file=str(table))),
            retrain=RetrainSettings(random_archs=2, seeds=3),
        ),
        overrides=["search.engine=local", "search.trials=30", *options.set],
        name="own table",
        out=options.out,
    )
    print(f"report: {run.path / 'report.html'}", *soonest(run), sep="\n")


if __name__ == "__main__":
    with spoken_errors():  # a mistake in a setting is one line, without a traceback
        main()
