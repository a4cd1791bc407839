"""Random networks of five published cell spaces, trained alone: the samples that `tasknas spaces` compares.

`python -m tests.bench.design_spaces --out FOLDER [--recipe smoke] [--trials N]`, or `make design-spaces`, which compares them as
well. FOLDER/FAMILY.jsonl is a table with a row for each network; to continue, or to add networks, repeat the command.

As in Radosavovic et al. 2019 (arXiv 1905.13214) the width and the depth of a network are drawn with its cells, so that
spaces of cheap operations and of dear ones have multiply-adds in common, and cells have the nodes of their papers.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from classification.cells.space import NODES
from classification.darts.recipes import RECIPES
from classification.darts.settings import Settings
from classification.darts.system import SYSTEM
from classification.task import ClassificationTask
from common.arch import labels
from common.errors import UserError
from common.evaluate.pool import LocalPool
from common.evaluate.scratch import FromScratch
from common.overrides import override, plain
from common.run.files import Jsonl, read_json, write_json
from common.script import device_named, spoken_errors
from common.space import Arch, sample
from common.stages.run import workers
from common.stages.workers import task_of
from common.streams import derive, stream
from tests.bench.out import make_folder

COMMAND = "python -m tests.bench.design_spaces"


@dataclass(frozen=True)
class Plan:
    """What a recipe means in this study.

    Attributes:
        widths: channels of a node in the first cells, of which a network has one.
        cells: how many cells, of which a network has one number.
        changes: overrides of the recipe.
    """

    widths: tuple[int, ...]
    cells: tuple[int, ...]
    changes: tuple[str, ...] = ()


PLANS = {
    # digits at the size that they have: five spaces take some minutes
    "smoke": Plan((4, 8, 12), (3, 4, 5), ("data.size=8", "train.steps=40")),
    "small": Plan((6, 12, 18), (4, 6, 8)),
    "paper": Plan((16, 24, 32), (4, 8, 12, 16, 20)),
}
LEAST = 30
"""Least number of networks of a space. `tasknas spaces` needs 10 of the sizes that all spaces have: of 30 networks about half
have them, and of 20 too few do."""
DRAWN = ("space.family", "space.nodes", "network.width", "network.cells", "search.engine")
"""Settings that the study decides."""
WHOLE = ("space", "network", "search")
"""Sections that hold them."""


@dataclass(frozen=True)
class Sampling:
    """A random network of each number, as a function of these values.

    Attributes:
        plan: what is drawn besides cells.
        settings: of all networks.
        device: where they are trained.
    """

    plan: Plan
    settings: Settings
    device: str = "cpu"

    def task(self, family: str) -> ClassificationTask:
        """The task whose space has the cells of a family, made once in a process."""
        words = (f"space.family={family}", f"space.nodes={NODES[family]}")
        return task_of(partial(ClassificationTask, SYSTEM, override(self.settings, words), Path("weights")))

    def drawn(self, family: str, number: int) -> tuple[int, int, Arch]:
        """Width, depth and architecture of the network of a number."""
        draw = stream(self.settings.seed, "design spaces", family, number)
        return draw.choice(self.plan.widths), draw.choice(self.plan.cells), sample(self.task(family).space, draw)

    def row(self, item: tuple[str, int]) -> dict[str, Any]:
        """The network of a number in a family: decisions, costs, and validation scores after its training."""
        family, number = item
        started = time.process_time()
        width, cells, arch = self.drawn(family, number)
        task = self.task(family).variant((f"network.width={width}", f"network.cells={cells}"))
        train = FromScratch(task=task, seed=derive(self.settings.seed, "scratch"), device=self.device)
        scores = train([arch], "full")[0]
        return {
            "number": number,
            "arch": {"width": str(width), "cells": str(cells), **labels(task.space, arch)},
            "status": scores.status,
            "error": scores.error,
            "scores": dict(scores.values),
            "cost": dict(task.costs(arch)),
            "seconds": time.process_time() - started,
        }


def sampling_of(recipe: str, data: str | None, seed: int, words: Sequence[str], device: str = "cpu") -> Sampling:
    """The study of a recipe.

    Raises:
        UserError: a word sets what the study draws, or no setting.
    """
    for word in words:
        if (name := word.partition("=")[0]).startswith(DRAWN) or name in WHOLE:
            raise UserError(f"--set {word}: the study gives every network a {name} of its own; leave it out")
    plan = PLANS[recipe]
    folder = () if data is None else (f"data.folder={json.dumps(data)}",)
    changes = ("search.engine=random", f"seed={seed}", *plan.changes, *folder, *words)
    return Sampling(plan, override(RECIPES["darts"][recipe](), changes), device)


def check_folder(out: Path, sampling: Sampling) -> None:
    """Writes down in `out` what its networks are a function of, or refuses a folder of others.

    Raises:
        UserError: the folder has networks of other settings.
    """
    file, said = out / "study.json", {"plan": plain(sampling.plan), "settings": plain(sampling.settings)}
    if file.is_file() and read_json(file) != json.loads(json.dumps(said)):
        raise UserError(f"--out {out}: it has networks of other settings (study.json), which do not compare; give another folder")
    make_folder(out)
    write_json(file, said)


def draw_all(sampling: Sampling, out: Path, trials: int, pool: LocalPool) -> None:
    """Trains the networks that `out` lacks, and adds a row for each as it is done."""
    sampling.task(next(iter(NODES)))  # data that cannot be read are refused before anything is written
    check_folder(out, sampling)
    for family in NODES:
        log = Jsonl(out / f"{family}.jsonl", of_run=False)
        log.repair()
        done = {row["number"] for row in log.rows()}
        missing = [(family, number) for number in range(trials) if number not in done]
        seconds = 0.0
        for row in pool.map(sampling.row, missing):
            log.append(row)
            seconds += row["seconds"]
        print(f"{family}: {len(missing)} networks trained in {seconds:.0f} processor seconds, {len(done)} were there", flush=True)


def number_of_trials(text: str) -> int:
    """A whole number of `LEAST` or more, as a type of `argparse`."""
    if (number := int(text)) < LEAST:
        raise argparse.ArgumentTypeError(f"{number} networks tell no space; give {LEAST} or more, 100 as in the paper")
    return number


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog=COMMAND, description="Random networks of five published cell spaces.")
    parser.add_argument("--out", type=Path, required=True, help="folder of the tables")
    parser.add_argument("--recipe", choices=PLANS, default="smoke", help="of training")
    parser.add_argument("--data", help="data folder; none for the embedded data")
    parser.add_argument("--trials", type=number_of_trials, default=LEAST, help="networks of each space")
    parser.add_argument("--seed", type=int, default=0, help="of everything random")
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1 ...; auto takes a GPU if there is one")
    parser.add_argument("--workers", type=int, help="processes; they change no result")
    parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="any other setting")
    return parser.parse_args(arguments)


def main() -> None:
    """Does what is left to do."""
    options = parsed()
    device = device_named(options.device)
    sampling = sampling_of(options.recipe, options.data, options.seed, options.set, device)
    threads = sampling.settings.threads
    with LocalPool(workers(options.workers, device, threads), threads) as pool:
        draw_all(sampling, options.out, options.trials, pool)


if __name__ == "__main__":
    with spoken_errors():
        main()
