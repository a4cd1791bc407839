"""Does backbone search pay? `python -m tests.bench.backbone --study NAME --out FOLDER`. To continue, repeat the command.

The study begins with a gate. Random networks, each retrained with several seeds, must differ beyond their seeds, and two
supernets of different seeds must rank the candidates alike. If the gate is passed, networks from the whole range of inherited
scores are retrained.

FOLDER/NAME/supernet-SEED and FOLDER/NAME/alone are run folders. `inherited.jsonl` has the inherited scores, `retrained.jsonl` one
row per training; rows in these files are not computed again. FOLDER/NAME/figures.json and figures.md have the figures.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.errors import UserError
from common.objective import Constraint
from common.overrides import plain
from common.run.environment import environment
from common.run.files import write_atomic, write_json
from common.script import spoken_errors
from tests.bench.backbone_figures import Figures, Study, Trained, figures, markdown
from tests.bench.backbone_settings import STUDIES
from tests.bench.out import make_folder

if TYPE_CHECKING:
    from common.space import Arch
    from common.stages.context import Context
    from detection.detnas.settings import Settings

COMMAND = "python -m tests.bench.backbone"


@contextmanager
def context_in(path: Path, settings: Settings) -> Iterator[Context]:
    """The context of stages in the run folder `path`. A folder with a run is resumed, any other is created."""
    from common.evaluate.pool import LocalPool
    from common.run.folder import RunFolder, holds_run
    from common.run.progress import Progress
    from common.stages.context import Context
    from common.stages.workers import task_of
    from detection.detnas.system import SYSTEM

    # the same path for all folders, so that they share one task: its data take seconds to make
    factory = partial(SYSTEM.make, settings, Path("weights"))
    task = task_of(factory)
    config = {
        "system": SYSTEM.name,
        "recipe": settings.recipe,
        "seed": settings.seed,
        "command": COMMAND,
        "settings": plain(settings),
        "environment": environment(),
        "task": task.kind,
        "data": task.data.describe(),
    }
    begin = RunFolder.resume if holds_run(path) else RunFolder.create
    with begin(path, config, task.space) as folder, LocalPool(0, settings.threads) as pool:
        yield Context(
            task=task,
            factory=factory,
            folder=folder,
            progress=Progress(interval=60),
            pool=pool,
            seed=settings.seed,
            device="cpu",
            constraints=[Constraint(metric, upper=upper) for metric, upper in settings.budget.items()],
            save_every=settings.save_every,
        )


def candidates(context: Context, count: int) -> list[Arch]:
    """Random architectures within the budget, the same ones in every process. The first ones are the networks of the gate.

    Raises:
        UserError: there are fewer.
    """
    from common.search.base import Unseen
    from common.streams import stream

    unseen, rng = Unseen(context.task.space, context.feasible, "the budget"), stream(0, "study", "candidates")
    found = [arch for _ in range(count) if (arch := unseen.sample(rng)) is not None]
    if len(found) < count:
        raise UserError(f"{len(found)} architectures keep the budget, and {count} are asked for: give a larger budget")
    return found


def inherited(path: Path, settings: Settings, count: int) -> list[float]:
    """The inherited validation score of every candidate, from a supernet that is trained first."""
    from common.evaluate.settings import InheritedSettings
    from common.run.stages import run_stages
    from common.stages.evaluators import inherited_scores
    from common.stages.supernet import TrainSupernet

    with context_in(path, settings) as context:
        names = [f"supernet {phase.name}" for phase in context.task.phases("supernet")]
        stages = [TrainSupernet(name=name, index=i) for i, name in enumerate(names)]
        run_stages(stages, context.folder, context.progress, context, COMMAND)
        evaluation, archs = settings.search.evaluation, candidates(context, count)
        assert isinstance(evaluation, InheritedSettings)
        metric = context.task.objectives[0].name
        for start in range(0, count, 4):  # scores are written four at a time, so a kill loses four at most
            inherited_scores(evaluation, context, archs[start : start + 4])
        found = inherited_scores(evaluation, context, archs)
        return [found[arch][metric] for arch in archs]


def trained(path: Path, settings: Settings, units: Sequence[tuple[int, int]], count: int) -> dict[tuple[int, int], Trained]:
    """Retrains candidates: (number of the candidate, seed) -> its scores. Diverged trainings are left out."""
    from common.stages.workers import Job, retrain

    with context_in(path, settings) as context:
        archs, metric = candidates(context, count), context.task.objectives[0].name
        rows = {(int(row["name"].split()[-1]), row["seed"]): row for row in context.folder.log("retrained.jsonl").rows()}
        for number, seed in units:
            if (number, seed) in rows:
                continue
            job = Job(name=f"candidate {number}", kind="random", arch=archs[number], seed=seed)
            row, _ = retrain(context.factory, path, context.seed, context.device, context.save_every, job)
            context.folder.append_retrained({**row, "inherited": {}})
            rows[number, seed] = row
            said = row.get("error") or f"test {metric} {row['test'][metric]:.4f}, {row['seconds']:.0f} s"
            context.progress.say(f"candidate {number} #{seed}: {said}")
        return {unit: _trained(rows[unit], metric) for unit in units if "error" not in rows[unit]}


def _trained(row: Mapping[str, Any], metric: str) -> Trained:
    cost = row["cost"]
    return Trained(
        val=row["val"][metric], test=row["test"][metric], macs=cost["macs"], params=cost["params"], seconds=row["seconds"]
    )


def spread(scores: Sequence[float], count: int) -> list[int]:
    """Numbers of `count` candidates, from worst to best: the middle of each of `count` equal parts of the ranking."""
    order = sorted(range(len(scores)), key=lambda i: scores[i])
    return [order[int((i + 0.5) * len(order) / count)] for i in range(count)]


def run(study: Study, out: Path, *, gate_only: bool, past: bool) -> Figures:
    """Runs the gate, and the comparison if the gate is passed or `past` is true. Figures are written after each part."""
    settings, alone = study.settings, out / "alone"
    gate = [(number, seed) for seed in range(study.gate_seeds) for number in range(study.gate_networks)]
    shared: list[list[float]] = []
    make_folder(out)
    done = trained(alone, settings, gate, study.candidates)

    def written(chosen: Sequence[int] = ()) -> Figures:
        found = figures(study, done, shared, chosen)
        write_json(out / "figures.json", plain(found))
        write_atomic(out / "figures.md", markdown(study, found).encode())
        print(markdown(study, found), flush=True)
        return found

    written()
    for seed in range(2):
        shared.append(inherited(out / f"supernet-{seed}", replace(settings, seed=seed), study.candidates))
    found = written()
    if gate_only or not (found.passed or past):
        return found
    means = [sum(scores) / len(shared) for scores in zip(*shared, strict=True)]
    chosen = spread(means, study.networks)
    units = [(number, seed) for seed in range(study.seeds) for number in chosen]
    done |= trained(alone, settings, units, study.candidates)
    return written(chosen)


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog=COMMAND, description="Does backbone search pay?")
    parser.add_argument("--study", choices=list(STUDIES), required=True, help="space and training")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for run folders and figures; what it has is not computed again"
    )
    parser.add_argument("--gate-only", action="store_true", help="stop after the gate")
    parser.add_argument("--past-the-gate", action="store_true", help="go on even if the gate is failed")
    parser.add_argument("--seeds", type=int, help="trainings of each retrained network, if not as many as the study has")
    options = parser.parse_args(arguments)
    if options.seeds is not None and options.seeds < 1:
        parser.error("--seeds is at least 1")
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Everything; see `--help`."""
    options = parsed(arguments)
    import torch

    study = STUDIES[options.study]()
    study = study if options.seeds is None else replace(study, seeds=options.seeds)
    torch.set_num_threads(study.settings.threads)
    print(shlex.join([*COMMAND.split(), *(sys.argv[1:] if arguments is None else arguments)]), flush=True)
    run(study, options.out / options.study, gate_only=options.gate_only, past=options.past_the_gate)
    print(options.out / options.study / "figures.md")


if __name__ == "__main__":
    with spoken_errors("What was finished is kept; the same command goes on."):
        main()
