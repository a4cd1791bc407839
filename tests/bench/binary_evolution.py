"""Accuracy, operations, packed latency and size of the networks of finished runs, and whether deployed networks are as accurate.

`python -m tests.bench.binary_evolution RUN ... --data FOLDER` prints a table for each run of binary networks. It packs every
retrained network and times one image with one thread, packed and as floats, in turns. It packs the network of RUN/best and
classifies the validation images with both.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

import torch
from torch import nn

from binary.deploy.conversion import packed
from common.errors import UserError
from common.overrides import from_plain, override
from common.run.files import Jsonl, read_json
from common.run.unfinished import check_finished
from common.script import spoken_errors
from common.stages.reload import best, reload, retrained
from common.system import system_of
from tests.bench.timing import timed

COMMAND = "python -m tests.bench.binary_evolution"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A network of a run.

    Attributes:
        name: in the run.
        arch: labels in order; empty for a network outside of the space.
        test: accuracy of each training on the test split.
        val: the same on the validation split.
        cost: by name.
        seeds: of the trainings.
    """

    name: str
    arch: tuple[str, ...]
    test: Sequence[float]
    val: Sequence[float]
    cost: Mapping[str, float]
    seeds: Sequence[int]

    def words(self, times: str) -> str:
        """A row of the table."""
        accuracy = f"{spread(self.test)} | {spread(self.val)}"
        costs = f"{self.cost['ops']:,.0f} | {times} | {self.cost['bits'] / 8e6:.3f}"
        return f"| {self.name} | {' '.join(self.arch) or '-'} | {accuracy} | {costs} |"


def spread(values: Sequence[float]) -> str:
    """Mean and standard deviation in percent."""
    around = f" +- {100 * stdev(values):.1f}" if len(values) > 1 else ""
    return f"{100 * fmean(values):.1f}{around}"


def lines_of(run: Path) -> list[Line]:
    """The networks of a run that were trained, in order."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in Jsonl(run / "retrained.jsonl").rows():
        if "error" not in row:
            groups.setdefault(row["name"], []).append(row)
    return [
        Line(
            name=name,
            arch=tuple(rows[0]["arch"].values()),
            test=[row["test"]["accuracy"] for row in rows],
            val=[row["val"]["accuracy"] for row in rows],
            cost=rows[0]["cost"],
            seeds=[row["seed"] for row in rows],
        )
        for name, rows in groups.items()
    ]


@torch.inference_mode()
def times(networks: Sequence[nn.Module], inputs: Sequence[torch.Tensor], repeats: int) -> list[float]:
    """Milliseconds of one pass of each network, medians; they take turns."""
    found: list[list[float]] = [[] for _ in networks]
    for repeat in range(repeats + 3):
        for network, seconds in zip(networks, found, strict=True):
            taken = timed(lambda network=network: network(*inputs))
            if repeat >= 3:
                seconds.append(1000 * taken)
    return [median(seconds) for seconds in found]


def timed_lines(run: Path, repeats: int) -> Iterator[str]:
    """The rows of a run's networks, all of them timed in turns."""
    reloaded, lines = reload(run), lines_of(run)
    names = [line.name for line in lines if line.arch]
    networks = [retrained(run, reloaded, line.name, line.seeds[0])[0] for line in lines if line.arch]
    found = times([part for network in networks for part in (packed(network), network)], reloaded.facts.example(), repeats)
    told = {name: f"{found[2 * i]:.3f} ({found[2 * i + 1]:.3f})" for i, name in enumerate(names)}
    for line in lines:
        yield line.words(told.get(line.name, "-"))


def deployed(run: Path, folder: str | None) -> tuple[dict[str, float], dict[str, float]]:
    """Validation accuracy and loss of the found network, and of its packed form."""
    config = read_json(run / "config.json")
    system = system_of(config["task"], config["system"], str(run))
    settings = from_plain(system.settings, config["settings"], str(run)).finished()
    if folder is not None:
        settings = override(settings, [f"data.folder={folder}"])
    task = system.make(replace(settings, latency=None, budget={}), Path("weights"))
    network = best(run, reload(run))
    return task.metrics(network, "val"), task.metrics(packed(network), "val")


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog=COMMAND, description="Tables of finished runs of binary networks.")
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder of a finished run")
    parser.add_argument("--data", metavar="FOLDER", help="where the data are now, if not where the run read them")
    parser.add_argument("--repeats", type=int, default=100, help="timed passes of each network")
    return parser.parse_args(arguments)


def main() -> None:
    """Prints the tables."""
    options = parsed()
    if options.repeats < 1:
        raise UserError(f"--repeats {options.repeats}: give 1 timed pass of each network, or more")
    torch.set_num_threads(1)
    for run in options.runs:
        check_finished(run)
    for run in options.runs:
        print(f"\n{run.name}\n")
        print("| network | decisions | test % | val % | ops | packed ms (floats) | MB |\n|---|---|---|---|---|---|---|")
        print("\n".join(timed_lines(run, options.repeats)), flush=True)
        trained, small = deployed(run, options.data)
        print(f"\nfound network on val: {trained}; deployed: {small}; {'equal' if trained == small else 'NOT equal'}", flush=True)


if __name__ == "__main__":
    with spoken_errors():
        main()
