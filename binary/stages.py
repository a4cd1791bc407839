"""The stages of a run that searches binary networks: the standard ones, after the training of a teacher if there is one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar, cast

import torch

from binary.phases import teacher_phase
from common.errors import UserError
from common.evaluate.settings import PredictorSettings, ProxySettings
from common.overrides import override
from common.run.checkpoint import save_weights
from common.stages.context import Context
from common.stages.standard import Stages, standard_stages
from common.stages.training import train_shown
from common.stages.tune import combinations
from common.streams import derive

if TYPE_CHECKING:
    from binary.settings import BinarySettings
    from binary.task import BinaryTask


def stages(task: BinaryTask) -> Stages:
    """The stages of a run, in order.

    Raises:
        UserError: candidates or tuned networks would need another teacher than the run's.
    """
    check_variants(task.settings)
    return [*([TrainTeacher()] if task.settings.distil.weight else []), *standard_stages(task)]


def check_variants(settings: BinarySettings) -> None:
    """Refuses a proxy and a grid of tuning under which networks need another teacher: a run trains one, for its own settings.

    Raises:
        UserError: names the override.
    """
    for source, words in _variants(settings):
        other: Any = override(settings, words)
        if not other.distil.weight:
            continue
        given = f"{source}: {' '.join(words)}"
        if not settings.distil.weight:
            raise UserError(f"{given} needs a teacher, and none is trained with distil.weight=0; give the run a weight too")
        named = {"data": lambda s: s.data, "space": lambda s: s.space, "distil.teacher": lambda s: s.distil.teacher}
        if changed := [name for name, part in named.items() if part(settings) != part(other)]:
            raise UserError(
                f"{given} changes {changed[0]}, and a run has one teacher, that of its own settings; add distil.weight=0, or "
                "change other settings"
            )


def _variants(settings: BinarySettings) -> list[tuple[str, tuple[str, ...]]]:
    """The overrides that networks are trained under in a run, each with the setting that it is of."""
    evaluation, tune = settings.search.evaluation, settings.tune
    base = evaluation.base if isinstance(evaluation, PredictorSettings) else evaluation
    proxy = [("search.evaluation.overrides", base.overrides)] if isinstance(base, ProxySettings) else []
    tuned = combinations(replace(tune, most=0), Random(0)) if tune.grid else []
    return [*proxy, *(("tune.grid", words) for words in tuned)]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainTeacher:
    """Trains the teacher and leaves its weights in `weights/`; its scores are a row of `retrained.jsonl`."""

    name: str = "teacher"
    parallel: ClassVar[bool] = False

    def run(self, context: Context) -> Mapping[str, object]:
        """Trains on the training split, and measures on the others."""
        task = cast("BinaryTask", context.task)
        phase, seed = teacher_phase(task), derive(context.seed, "teacher")
        network = task.untrained_teacher.build(seed).to(context.device)
        last = train_shown(context, self.name, network, phase, seed=seed, save_every=context.save_every)
        task.weights.mkdir(exist_ok=True)
        save_weights(task.teacher_file, network)
        if not any(row["name"] == self.name for row in context.folder.log("retrained.jsonl").rows()):
            teacher = task.teacher(torch.device(context.device))
            scores = {split: task.metrics(teacher, split) for split in ("val", "test")}
            row = {"name": self.name, "kind": "reference", "seed": 0, "arch": {}, "inherited": {}}
            context.folder.append_retrained({**row, **scores, "cost": dict(task.untrained_teacher.cost)})
        return {"steps": phase.settings.steps, "last": last}
