"""From the settings of an evaluation to what scores architectures, in this process or in workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from common.arch import from_labels, labels
from common.errors import UserError
from common.evaluate.base import Evaluator, Scores
from common.evaluate.inherited import Inherited
from common.evaluate.scratch import FromScratch
from common.evaluate.settings import Evaluation, InheritedSettings, ProxySettings, ScratchSettings, TableSettings
from common.run.checkpoint import load_weights
from common.space import Arch, decisions
from common.stages.context import Context
from common.stages.supernet import build_supernet
from common.stages.workers import TaskFactory, others_of, task_of
from common.streams import derive
from common.tables.own import read_scores

if TYPE_CHECKING:
    from common.task import Task


def evaluator_of(context: Context, evaluation: Evaluation) -> Evaluator:
    """What scores architectures, spread over the workers.

    Raises:
        UserError: a predictor is asked for, which `common.stages.predicted` fits; or a table that cannot be used.
    """
    match evaluation:
        case InheritedSettings():
            last = context.task.phases("supernet")[-1].name
            return context.pool.evaluator(
                partial(make_inherited, context.factory, context.weights(last), evaluation, context.device)
            )
        case ScratchSettings() | ProxySettings():
            overrides = evaluation.overrides if isinstance(evaluation, ProxySettings) else ()
            seed = derive(context.seed, "scratch")
            make = partial(make_scratch, context.factory, seed, context.device, evaluation.cuts, overrides)
            return context.pool.evaluator(make)
        case TableSettings():
            return Looked(read_scores(Path(evaluation.file), context.task.space), evaluation.file)
        case _:
            raise UserError(f"search.evaluation={evaluation.name}: a predictor is fitted on another evaluation; give scratch")


def make_inherited(factory: TaskFactory, weights: Path, settings: InheritedSettings, device: str) -> Evaluator:
    """An evaluator over the supernet whose weights are in the file `weights`; called in a worker."""
    task = task_of(factory)
    supernet = build_supernet(task, 0, device)
    load_weights(weights, supernet.module)
    return Inherited(
        task=task,
        supernet=supernet,
        calibration_batches=settings.calibration_batches,
        calibration_batch=settings.calibration_batch,
        limit=settings.images,
    )


def make_scratch(factory: TaskFactory, seed: int, device: str, cuts: int = 1, overrides: tuple[str, ...] = ()) -> Evaluator:
    """An evaluator that trains candidates alone, on several `cuts` of the data and with `overrides`; called in a worker."""
    task = task_of(factory)
    task = task.variant(overrides) if overrides else task
    return FromScratch(task=task, seed=seed, others=others_of(task, cuts), device=device)


def check_proxy(task: Task, overrides: Sequence[str]) -> None:
    """Refuses a variant of the task whose architectures are not those of the task.

    Raises:
        UserError: names the setting.
    """
    if not overrides:
        raise UserError(
            "search.evaluation=proxy: it has no overrides, so candidates would be trained in full; give some, "
            """--set 'search.evaluation.overrides=["train.steps=100"]' say, or search.evaluation=scratch"""
        )
    known, other = decisions(task.space), decisions(task.variant(overrides).space)
    if {path: decision.labels for path, decision in known.items()} != {path: d.labels for path, d in other.items()}:
        raise UserError(
            f"search.evaluation.overrides={list(overrides)}: the variant has other decisions than the task; change sizes and "
            "training alone"
        )


@dataclass(frozen=True, slots=True)
class Looked:
    """An evaluator that looks scores up.

    Attributes:
        rows: architecture -> scores by name.
        source: what to call the table in an error.
    """

    rows: Mapping[Arch, Mapping[str, float]]
    source: str

    def __call__(self, archs: Sequence[Arch], fidelity: str) -> list[Scores]:
        """One `Scores` per architecture, in order; one without a row is a failed `Scores`."""
        missing = Scores(status="failed", error=f"{self.source} has no row of it")
        return [Scores(values=self.rows[arch]) if arch in self.rows else missing for arch in archs]


def inherited_scores(settings: InheritedSettings, context: Context, archs: Sequence[Arch]) -> dict[Arch, dict[str, float]]:
    """Scores under the supernet, kept in `inherited.jsonl`; an architecture that fails has none."""
    log = context.folder.log("inherited.jsonl")
    known = {from_labels(context.task.space, row["arch"], str(log.path)): row["scores"] for row in log.rows()}
    missing = [arch for arch in dict.fromkeys(archs) if arch not in known]  # the baseline may have won
    for arch, scores in zip(missing, evaluator_of(context, settings)(missing, "full") if missing else [], strict=True):
        known[arch] = dict(scores.values)
        if scores.status == "ok":  # a failure may be one of memory: it is not written down for good
            log.append({"arch": labels(context.task.space, arch), "scores": known[arch]})
        else:
            context.progress.say(f"note: no inherited score of {arch.fingerprint}: {scores.error}")
    return known
