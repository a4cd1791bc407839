"""What the DARTS line finds on NAS-Bench-201, judged by the table. To continue, repeat the command.

`python -m tests.bench.darts_line --out FOLDER [--only METHOD ...] [--seeds N]`. FOLDER/rows.jsonl has a row for each search, and
FOLDER/NAME-SEED the run folder of one; what is there is not done again. `python -m tests.bench.darts_line_page` writes the page.
"""

from __future__ import annotations

import argparse
import json
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from classification.darts.system import SYSTEM
from classification.task import ClassificationTask
from common.differentiable.search import RelaxedSearch
from common.evaluate.pool import LocalPool
from common.invocation import portable, typed
from common.objective import Constraint
from common.overrides import plain
from common.run.files import Jsonl
from common.run.folder import RunFolder, holds_run
from common.run.progress import Progress
from common.run.stages import run_stages
from common.script import spoken_errors
from common.space import decode, enumerate_all, sample
from common.stages.context import Context
from common.stages.standard import search_stages
from common.streams import derive, stream
from common.tables.cell import Cell, to_string
from common.tables.nasbench201 import nasbench201
from common.train.phase import train_phase
from tests.bench.darts_line_settings import COLLAPSE, ENTRIES, IMAGES, settings_of
from tests.bench.out import make_folder

COMMAND = "python -m tests.bench.darts_line"
DATA = Path("../shared/data")
SEARCH_SECONDS = 90.0
"""Processor seconds of a random search: those of a search by gradients."""


@cache
def accuracies(data: Path) -> Mapping[str, float]:
    """Cell -> its test accuracy after 200 epochs, in percent."""
    table = nasbench201(data / "nasbench" / "nasbench201")
    column = table.scores["200 epochs"]["test"]
    cells = ((arch, to_string(decode(table.space, arch))) for arch in enumerate_all(table.space))
    return {cell: float(column[table.row(arch)]) for arch, cell in cells}


class Task(ClassificationTask):
    """CIFAR-10 with fewer training images."""

    @staticmethod
    def read(settings: Any) -> Any:
        data = ClassificationTask.read(settings)
        return replace(data, train=data.train.head(IMAGES))


def run_search(task: Task, path: Path) -> Mapping[str, Any]:
    """The search alone, from its run folder on if there is one; the results of its stages."""
    settings = task.settings
    config = {"system": SYSTEM.name, "settings": plain(settings), "recipe": "table", "command": portable(), "seed": settings.seed}
    begin = RunFolder.resume if holds_run(path) else RunFolder.create
    with begin(path, config, task.space) as folder, LocalPool(0, 1) as pool:
        context = Context(
            task=task,
            factory=lambda: task,
            folder=folder,
            progress=Progress(quiet=True),
            pool=pool,
            seed=settings.seed,
            device="cpu",
            constraints=[Constraint(metric, upper=upper) for metric, upper in settings.budget.items()],
            save_every=200,
        )
        stages = [stage for stage in search_stages(task)[0] if isinstance(stage, RelaxedSearch)]
        return run_stages(stages, folder, context.progress, context, shlex.join(typed()))


def searched(name: str, seed: int, long: bool, out: Path, data: Path) -> dict[str, Any]:
    """One search; what it found and what the table says of it."""
    settings = settings_of(name, seed, str(data / "classification" / "cifar10"), long)
    path = out / f"{name}{'-long' if long else ''}-{seed}"
    task = Task(SYSTEM, settings, path / "weights")
    started = time.process_time()
    results = run_search(task, path)
    seconds = time.process_time() - started
    history = json.loads((path / "snapshots.json").read_text())
    cells = [to_string(_cell(task, snapshot["derived"])) for snapshot in history]
    found = to_string(_cell(task, results["search"]["arch"]))
    table = accuracies(data)
    return {
        "method": name,
        "seed": seed,
        "long": long,
        "cell": found,
        "test": table[found],
        "snapshots": [table[cell] for cell in cells],
        "skips": found.count("skip_connect"),
        "stopped": len(history),
        "seconds": seconds,
    }


def _cell(task: Task, labels: Mapping[str, str]) -> Cell:
    return Cell(tuple(labels[f"edges.{i}"] for i in range(6)))


def random_search(seed: int, out: Path, data: Path) -> dict[str, Any]:
    """Random cells, each trained alone on all the images for 200 steps, for as long as a search takes; the best of them."""
    settings = settings_of("darts", seed, str(data / "classification" / "cifar10"))
    task = Task(SYSTEM, settings, out / "weights")
    (phase,) = task.phases("standalone")
    rng, best, tried = stream(seed, "random search"), (-1.0, ""), 0
    started = time.process_time()
    while time.process_time() - started < SEARCH_SECONDS:
        arch = sample(task.space, rng)
        network = task.network(arch, derive(seed, "network", tried))
        train_phase(network, phase, seed=derive(seed, "training", tried))
        score = task.metrics(network.eval(), "val", 2000)["accuracy"]
        best = max(best, (score, to_string(Cell(decode(task.space, arch).edges))))
        tried += 1
    seconds = time.process_time() - started
    test = accuracies(data)[best[1]]
    return {"method": "random", "seed": seed, "long": False, "cell": best[1], "test": test, "tried": tried, "seconds": seconds}


def jobs(seeds: int, only: Sequence[str]) -> Iterator[tuple[str, int, bool]]:
    """(method, seed, long) of every search, the seeds in turn."""
    for seed in range(seeds):
        for name in (*ENTRIES, "random"):
            if not only or name in only:
                yield name, seed, False
        for name in COLLAPSE if seed < 3 else ():
            if not only or name in only:
                yield name, seed, True


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog=COMMAND)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--only", nargs="+", action="extend", default=[], choices=(*ENTRIES, "random"))
    parser.add_argument("--seeds", type=number_of_seeds, default=5)
    return parser.parse_args(arguments)


def number_of_seeds(text: str) -> int:
    """A whole number of 1 or more, as a type of `argparse`."""
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{number} seeds are none: give 1 or more")
    return number


def main() -> None:
    """Does what is left to do."""
    options = parsed()
    make_folder(options.out)
    log = Jsonl(options.out / "rows.jsonl", of_run=False)
    done = {(row["method"], row["seed"], row["long"]) for row in log.rows()}
    for name, seed, long in jobs(options.seeds, options.only):
        if (name, seed, long) in done:
            continue
        do = partial(random_search, seed) if name == "random" else partial(searched, name, seed, long)
        row = do(options.out, options.data)
        log.append(row)
        print(f"{name} {seed}{' long' if long else ''}: {row['cell']} {row['test']:.2f} ({row['seconds']:.0f} s)", flush=True)


if __name__ == "__main__":
    with spoken_errors():
        main()
