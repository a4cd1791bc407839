"""What can be known of a differentiable search before it begins: that it would end with nothing."""

from __future__ import annotations

from math import ceil, exp
from typing import TYPE_CHECKING

from common.engines import Gradient
from common.errors import UserError
from common.space import OneOf, decisions

if TYPE_CHECKING:
    from common.task import Task

SKIP = "skip_connect"


def check_gradient(engine: Gradient, task: Task) -> None:
    """Refuses schedules that are too short for what they plan, and rules that leave nothing to derive.

    Raises:
        UserError: names the setting, the rule and the remedy.
    """
    steps = task.phases("relaxed")[0].settings.steps
    first = ceil(engine.arch.begin * steps)
    learning = len(range(first + -first % engine.arch.every, steps, engine.arch.every))
    if not learning:
        raise UserError(
            f"search.engine.arch: with begin={engine.arch.begin:g} and every={engine.arch.every} none of {steps} steps teaches "
            "the architecture; give more steps, or lower ones"
        )
    if engine.shrink is not None and engine.shrink.curriculum and not getattr(task.phases("relaxed")[0], "curriculum", ()):
        raise UserError(f"search.engine.shrink.curriculum={list(engine.shrink.curriculum)}: this task has no classes; give none")
    _check_schedules(engine, steps)
    _check_threshold(engine, learning)
    _check_options(engine, task)
    for stage in engine.grow:
        varied = task.variant(stage.overrides)
        if list(decisions(varied.space)) != list(decisions(task.space)):
            raise UserError(
                f"search.engine.grow: {list(stage.overrides)} changes the decisions of the space; give other settings"
            )


def _check_schedules(engine: Gradient, steps: int) -> None:
    if engine.shrink is not None:
        times = [round(at * steps) for at in engine.shrink.at]
        if times[0] < 1 or times[-1] >= steps or len(set(times)) < len(times):
            raise UserError(
                f"search.engine.shrink.at={list(engine.shrink.at)}: of {steps} steps these are steps {times}; give a search of "
                "more steps, or fewer times"
            )
    if engine.prune is not None and engine.prune.every > steps:
        raise UserError(f"search.engine.prune.every={engine.prune.every}: a search of {steps} steps has no round; give fewer")


def _check_threshold(engine: Gradient, learning: int) -> None:
    """A gate moves by the learning rate in each step of Adam, at most."""
    if engine.threshold is None or engine.options.kind != "sigmoid":
        return
    highest = 1 / (1 + exp(-min(30.0, engine.start + 5 * engine.std + engine.arch.lr * learning)))
    if highest < engine.threshold:
        raise UserError(
            f"search.engine.threshold={engine.threshold}: in {learning} steps at search.engine.arch.lr={engine.arch.lr:g} no "
            f"gate rises above {highest:.3f}, so that cells would be empty; give a lower threshold, a higher rate or more steps"
        )


def _check_options(engine: Gradient, task: Task) -> None:
    edges = {path: decision.labels for path, decision in decisions(task.space).items() if isinstance(decision, OneOf)}
    for path, labels in edges.items():
        left = [label for label in labels if label not in engine.forbidden]
        if not left:
            raise UserError(
                f"search.engine.forbidden: decision {path!r} is left without options; allow one of {', '.join(labels)}"
            )
        if engine.cap is not None and left == [SKIP]:
            raise UserError(f"search.engine.cap={engine.cap}: decision {path!r} can be {SKIP} alone; allow another operation")
    keeps = [stage.keep for stage in engine.grow] + list(engine.shrink.keep if engine.shrink is not None else ())
    for keep in keeps[:1]:
        if small := [path for path, labels in edges.items() if len(labels) <= keep]:
            raise UserError(
                f"keep={keep}: decision {small[0]!r} has {len(edges[small[0]])} options: nothing is dropped; keep fewer"
            )
