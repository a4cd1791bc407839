"""A step of every search for binary cells, against the same step with real weights and activations.

`python -m tests.bench.binary_step --data FOLDER` prints a table: processor milliseconds of both, taken in turns, and their ratio.
Cells and batches are those of recipe small. With CP-NAS a step is of child and parent together, and what it is compared with of
two real networks.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

import torch

from binary.cells.recipes import RECIPES
from binary.cells.system import SYSTEM
from binary.real import made_real
from common.differentiable.search import alternation_of
from common.errors import UserError
from common.paired import Paired
from common.script import spoken_errors
from common.space import OneOf
from common.train.fit import total_loss
from common.train.step import Step
from tests.bench.timing import timed

COMMAND = "python -m tests.bench.binary_step"


def step_of(settings: Any, real: bool) -> Callable[[int], object]:
    """One step of the search's weights, given its number; of a network with real weights and activations if wanted."""
    task = SYSTEM.make(settings, Path("weights"))
    engine = settings.search.engine
    alternation = alternation_of(engine, task, 0)
    module = alternation.relaxation.supernet.module
    if real:
        made_real(module.child if isinstance(module, Paired) else module)
        alternation.weights = type(alternation.weights)(module.parameters(), lr=1e-3)
    relaxation, phase = alternation.relaxation, task.phases("relaxed")[0]
    edges = {path: len(d.options) for path in relaxation.paths() if isinstance(d := relaxation.decision(path), OneOf)}

    def step(number: int) -> None:
        at = Step(number=number, progress=number / 1000)
        if engine.abandon is None:
            relaxation.mix(number, at.progress, frozen=True)
        else:
            draw = random.Random(number)
            relaxation.run({path: draw.randrange(count) for path, count in edges.items()})
        alternation.weights.zero_grad(set_to_none=True)
        total_loss(phase.loss(module, alternation.train_batch(number), at)).backward()
        alternation.weights.step()

    return step


def ratios(method: str, folder: str | None, repeats: int) -> list[tuple[float, float]]:
    """Milliseconds of a step and of the real one, in turns."""
    settings = RECIPES[method]["small"]()
    settings = replace(settings, data=replace(settings.data, folder=folder))
    steps = [step_of(settings, real) for real in (False, True)]
    found = []
    for number in range(repeats + 2):
        binary, real = (1000 * timed(lambda step=step, number=number: step(number), process_time) for step in steps)
        if number >= 2:
            found.append((binary, real))
    return found


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog=COMMAND, description="What binarisation adds to a step of a search.")
    parser.add_argument("--data", metavar="FOLDER", help="images; the embedded digits by default")
    parser.add_argument("--repeats", type=int, default=15, help="steps of each, in turns")
    return parser.parse_args(arguments)


def main() -> None:
    """Prints the table."""
    options = parsed()
    if options.repeats < 1:
        raise UserError(f"--repeats {options.repeats}: give 1 step of each, or more")
    torch.set_num_threads(1)
    print("| method | ms | ms, real | ratio |\n|---|---|---|---|")
    for method in RECIPES:
        found = ratios(method, options.data, options.repeats)
        each = sorted(binary / real for binary, real in found)
        binary, real = (median(column) for column in zip(*found, strict=True))
        print(f"| {method} | {binary:.0f} | {real:.0f} | {median(each):.2f} ({each[0]:.2f} to {each[-1]:.2f}) |", flush=True)


if __name__ == "__main__":
    with spoken_errors():
        main()
