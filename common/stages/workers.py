"""What runs in worker processes: tasks made anew, and the training of single networks."""

from __future__ import annotations

import hashlib
import math
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

from common.arch import labels
from common.evaluate.scratch import FromScratch
from common.run.checkpoint import Checkpoint, load_weights, save_weights
from common.run.files import Jsonl
from common.space import Arch
from common.streams import derive
from common.supernet import Supernet
from common.train.fit import TrainingDiverged
from common.train.phase import train_phase

if TYPE_CHECKING:
    from torch import nn

    from common.task import Outside, Task

TaskFactory = Callable[[], "Task"]
"""Picklable; makes the task anew in a worker: a `functools.partial` of a task's class and its settings."""

CURVE = 200
"""Points of a loss curve that are kept."""

T = TypeVar("T", bound="Task")
_tasks: dict[Any, Any] = {}


def task_of(factory: Callable[[], T]) -> T:
    """The task of a factory: made once in a process."""
    key = _key(factory)
    if key not in _tasks:
        _tasks[key] = factory()
    task: T = _tasks[key]
    return task


def forget(factory: TaskFactory) -> None:
    """Lets the task of a factory go: a later run may name other functions, or other data, in the same words."""
    _tasks.pop(_key(factory), None)


def _key(factory: Callable[[], Any]) -> Any:
    """A digest of what a factory is made of; itself where it holds functions that have no place in a module."""
    try:
        return hashlib.sha256(pickle.dumps(factory)).digest()
    except (pickle.PicklingError, AttributeError, TypeError):
        return factory


def prepare(factory: TaskFactory) -> None:
    """Makes a factory's task ready in this process, before it is needed."""
    task_of(factory)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A network to train alone.

    Attributes:
        name: of the network, the same for all its seeds.
        kind: `searched`, `random`, `baseline`, or `reference`: not of the comparison among equals.
        arch: of the network.
        seed: number of the training, from 0; networks of one number share initial seed and batches.
        overrides: settings in the place of the task's own; see `common.task.Task.variant`.
        start: weights of the supernet that it begins with its part of; none begins anew.
        outside: the network that is trained, where it is no architecture of the space; `arch` is empty then.
    """

    name: str
    kind: str
    arch: Arch
    seed: int
    overrides: tuple[str, ...] = ()
    start: Path | None = None
    outside: Outside | None = None

    def network(self, task: Task, seed: int) -> nn.Module:
        """Its network, before it is trained."""
        if self.outside is not None:
            return self.outside.build(seed)
        if self.start is None:
            return task.network(self.arch, seed)
        supernet = Supernet(task.supernet(seed), task.space)
        load_weights(self.start, supernet.module)
        return supernet.extract(self.arch, lambda _: task.network(self.arch, seed))

    def task(self, factory: TaskFactory) -> Task:
        """The task that trains it."""
        task = task_of(factory)
        return task.variant(self.overrides) if self.overrides else task

    @property
    def slug(self) -> str:
        """Names the job's files."""
        return f"{self.name}-{self.seed}".replace(" ", "-")


def retrain(
    factory: TaskFactory, run: Path, run_seed: int, device: str, save_every: int, job: Job
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Trains one network alone and measures it on the validation and the test split.

    Goes on from its checkpoints in the run folder if it was interrupted; leaves its weights and loss curve in `retrained/`.
    A training that diverges gives a row with its error and no scores, and no weights: it would diverge again, and must not keep
    the others from being compared.

    Args:
        factory: makes the task.
        run: the run folder.
        run_seed: seed of the run.
        device: where to train.
        save_every: steps between checkpoints.
        job: what to train.

    Returns:
        The row for `retrained.jsonl` (without inherited scores), and the loss curve as rows for `metrics.jsonl`.
    """
    task = job.task(factory)
    seed = derive(run_seed, "retrain", job.seed)
    network = job.network(task, seed).to(device)
    folder = run / "retrained"
    folder.mkdir(exist_ok=True)
    curve = _Curve(Jsonl(folder / f"{job.slug}.curve.jsonl"))
    offset, error = 0, ""
    for phase in task.phases("standalone"):
        every = max(1, phase.settings.steps // CURVE)

        def observe(step: int, values: Mapping[str, float], offset: int = offset, every: int = every) -> None:
            if step % every == 0:
                curve.add(offset + step, values)

        checkpoint = Checkpoint(run / "checkpoints" / f"retrain-{job.slug}-{phase.name}")
        try:
            train_phase(
                network,
                phase,
                seed=seed,
                checkpoint=checkpoint,
                observe=observe,
                save_every=save_every,
                measure=lambda: task.metrics(network, "val"),
            )
        except TrainingDiverged as diverged:
            error = str(diverged)
            break
        offset += phase.settings.steps
    network.eval()
    scores = {} if error else {split: task.metrics(network, split) for split in ("val", "test")}
    error = error or _flaw(scores, task.objectives[0].name)
    row = {
        "name": job.name,
        "kind": job.kind,
        "seed": job.seed,
        "arch": {} if job.outside else labels(task.space, job.arch),
        "val": {} if error else scores["val"],
        "test": {} if error else scores["test"],
        "cost": dict(job.outside.cost) if job.outside else task.costs(job.arch),
        "seconds": round(curve.seconds(), 3),
        **({"tuned": list(job.overrides)} if job.overrides else {}),
        **({"start": job.start.stem} if job.start is not None else {}),
        **({"error": error} if error else {}),
    }
    if not error:
        save_weights(folder / f"{job.slug}.safetensors", network)
    stage = f"retrain {job.name} #{job.seed}"
    return row, [{"stage": stage, "step": point["step"], "values": point["values"]} for point in curve.rows]


def _flaw(scores: Mapping[str, Mapping[str, float]], name: str) -> str:
    """Why a trained network cannot be compared; empty if it can."""
    odd = [f"{name} on {split} is {values[name]}" for split, values in scores.items() if not math.isfinite(values[name])]
    return f"{odd[0]}; a score must be a finite number" if odd else ""


def others_of(task: Task, cuts: int) -> list[Task]:
    """The task on other cuts of its data, so that there are `cuts` of them with its own."""
    return [task.variant(cut=number) for number in range(1, cuts)]


def tune(factory: TaskFactory, run_seed: int, device: str, cuts: int, job: Job) -> dict[str, Any]:
    """Trains one network with its job's settings and measures it on the validation split: a row for `tuned.jsonl`."""
    start = perf_counter()
    task = job.task(factory)
    seed = derive(run_seed, "tune", job.seed)
    (score,) = FromScratch(task=task, seed=seed, others=others_of(task, cuts), device=device)([job.arch], "full")
    return {
        "name": job.name,
        "seed": job.seed,
        "words": list(job.overrides),
        "val": dict(score.values),
        "seconds": round(perf_counter() - start, 3),
        **({"error": score.error} if score.status != "ok" else {}),
    }


class _Curve:
    """A loss curve in a file of its own: the part before a kill is there when the training goes on from its checkpoint."""

    def __init__(self, log: Jsonl) -> None:
        self._log = log
        log.repair()
        self.rows = log.rows()
        self._before = self.rows[-1]["seconds"] if self.rows else 0.0
        self._start = perf_counter()

    def seconds(self) -> float:
        """Spent so far, by processes before this one too."""
        return self._before + perf_counter() - self._start

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """A point, unless it is there: steps after the last checkpoint are done again, with the same values."""
        if not self.rows or step > self.rows[-1]["step"]:
            self.rows.append({"step": step, "values": dict(values), "seconds": self.seconds()})
            self._log.append(self.rows[-1], durable=False)
