"""DA-NAS and GOLD-NAS in spaces that no table knows: what they find is trained alone, under two settings.

`python -m tests.bench.darts_line_own --out FOLDER [--seeds N]`. FOLDER/own.jsonl has a row for each network; to continue, repeat
the command. `python -m tests.bench.darts_line_page` writes the page. DARTS and random cells are beside them, and GOLD-NAS may
take as many MACs as the network by hand, whose every operation is a separable convolution.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from classification.darts.recipes import RECIPES
from classification.darts.settings import Settings
from classification.darts.system import SYSTEM
from common.arch import from_labels
from common.overrides import override
from common.run.files import Jsonl
from common.script import spoken_errors
from common.space import Arch, sample
from common.streams import derive, stream
from common.train.phase import train_phase
from tests.bench.darts_line import DATA, Task, number_of_seeds, run_search
from tests.bench.out import make_folder

COMMAND = "python -m tests.bench.darts_line_own"
METHODS = {"darts": "DARTS, first order", "da-nas": "DA-NAS", "gold-nas": "GOLD-NAS", "random": "a random cell"}
STEPS = 500
"""Of a search."""
TRAININGS = {
    "AdamW, one cycle": (),
    "SGD, cosine, drop-path": (
        "train.optim.name=sgd",
        "train.optim.lr=0.05",
        "train.optim.weight_decay=3e-4",
        "train.optim.schedule=cosine",
        "network.drop_path=0.2",
        "network.cutout=0",
        "train.steps=1000",
    ),
}
"""How what is found is trained alone: name -> overrides of the recipe small."""


def settings_of(method: str, seed: int, folder: str) -> Settings:
    """The recipe small of a method at 16 px, in batches of 64."""
    name = "darts" if method == "random" else method
    common = (
        f"data.folder={folder}",
        "data.size=16",
        f"weights.steps={STEPS}",
        "weights.batch=64",
        "network.cutout=4",
        "search.random_baseline=false",
        f"seed={seed}",
    )
    prune = (f"search.engine.prune.every={STEPS // 20}",) if name == "gold-nas" else ()
    return override(RECIPES[name]["small"](), [*common, *prune])


def found(method: str, seed: int, out: Path, data: Path) -> tuple[Task, Arch]:
    """What a search, from its run folder on if there is one, or a draw finds; with the task that builds it."""
    folder = str(data / "classification" / "cifar10")
    settings = settings_of(method, seed, folder)
    if method == "gold-nas":
        plain = Task(SYSTEM, settings_of("darts", seed, folder), out / "weights")
        most = json.dumps({"macs": plain.costs(plain.baseline)["macs"]})
        settings = override(settings, [f"budget={most}"])
    task = Task(SYSTEM, settings, out / "weights")
    if method == "random":
        return task, sample(task.space, stream(seed, "a random cell"))
    path = out / f"own-{method}-{seed}"
    return task, from_labels(task.space, run_search(task, path)["search"]["arch"], str(path))


def row_of(method: str, seed: int, out: Path, data: Path) -> dict[str, Any]:
    """What is found, its costs, and its accuracy on the test images under each training."""
    started = time.process_time()
    task, arch = found(method, seed, out, data)
    searched, tests = time.process_time() - started, {}
    for name, overrides in TRAININGS.items():
        trained = Task(SYSTEM, override(task.settings, overrides), out / "weights")
        (phase,) = trained.phases("standalone")
        network = trained.network(arch, derive(seed, "network"))
        train_phase(network, phase, seed=derive(seed, "training"))
        tests[name] = 100 * trained.metrics(network.eval(), "test", None)["accuracy"]
    seconds = {"search": searched, "seconds": time.process_time() - started}
    return {"method": method, "seed": seed, "tests": tests, **task.costs(arch), **seconds}


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog=COMMAND)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--seeds", type=number_of_seeds, default=3)
    return parser.parse_args(arguments)


def main() -> None:
    """Does what is left to do."""
    options = parsed()
    make_folder(options.out)
    log = Jsonl(options.out / "own.jsonl", of_run=False)
    done = {(row["method"], row["seed"]) for row in log.rows()}
    for seed in range(options.seeds):
        for method in METHODS:
            if (method, seed) not in done:
                row = row_of(method, seed, options.out, options.data)
                log.append(row)
                print(f"{method} {seed}: {row['tests']} {row['macs']:,} MACs ({row['seconds']:.0f} s)", flush=True)


if __name__ == "__main__":
    with spoken_errors():
        main()
