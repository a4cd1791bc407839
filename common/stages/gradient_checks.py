"""What can be known of a differentiable search before it begins: that it would end with nothing, or ignore a setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING

from common.engines import Gradient
from common.engines.dropping import PruneSettings
from common.engines.gradient import gate_of
from common.errors import UserError
from common.relax.monitor import RankStop
from common.space import Decision, decisions
from common.stages.abandon_checks import check_abandon
from common.stages.option_checks import check_options, check_threshold, moved_at_most
from common.stages.settings import RunSettings

if TYPE_CHECKING:
    from common.objective import Constraint
    from common.system_task import SystemTask
    from common.task import Phase


def check_gradient(engine: Gradient, task: SystemTask, constraints: Sequence[Constraint] = ()) -> None:
    """Refuses schedules that are too short for what they plan, rules that leave nothing to derive, and settings without effect.

    Raises:
        UserError: names the setting, the rule and the remedy.
    """
    check_options(engine, task, constraints)
    _check_phases(engine, task)
    for stage in engine.grow:
        _check_grow(engine, task, stage.overrides)
    if engine.cost == "dual":
        _check_dual(task, constraints)
    _check_mixed(engine, task)


def _check_dual(task: SystemTask, constraints: Sequence[Constraint]) -> None:
    """Dual ascent prices upper limits of costs that are sums over the decisions."""
    if not constraints:
        raise UserError(
            "search.engine.cost=dual without a budget: it prices budgets; give one, --budget macs=1e9 say, or cost=filter"
        )
    if task.networks.price is None:
        raise UserError("search.engine.cost=dual: this system prices networks one by one; give cost=filter")
    for constraint in constraints:
        if task.networks.price(constraint.metric) is None:
            raise UserError(f"search.engine.cost=dual: {constraint.metric} has no table of prices; give cost=filter")


def _check_mixed(engine: Gradient, task: SystemTask) -> None:
    """Asks the supernet whether it can mix every decision, without its weights; see `common.relax.relaxation.Relaxation`.

    A decision between numbers may be a width or a depth, of which only some weightings make mixtures. Where all decisions are
    between parts of a network, there is nothing to ask.
    """
    if not any(isinstance(option, int | float) for d in decisions(task.space).values() for option in d.options):
        return
    import torch

    from common.differentiable.strategies import relaxation_of
    from common.supernet import Supernet

    with torch.device("meta"):
        supernet = Supernet(task.supernet(0), task.space)
    try:
        relaxation_of(engine, supernet, 0)
    except UserError as error:
        raise UserError(f"search.engine.options.kind={engine.options.kind}: {error}") from error


def alternating(task: SystemTask) -> Sequence[Phase]:
    """The two phases of kind `relaxed`: of the weights, and of what learns in turn with them.

    Raises:
        UserError: their settings ask for what such a training does not do.
    """
    phases = task.phases("relaxed")
    for phase in phases:
        for name, plain in (("ema", None), ("amp", "none"), ("accumulate", 1)):
            if (value := getattr(phase.settings, name)) != plain:
                raise UserError(
                    f"{phase.name}: {name}={value}: an architecture learns from the weights of every step, in full precision; "
                    f"give {'null' if plain is None else plain}"
                )
    return phases


def _check_phases(engine: Gradient, task: SystemTask) -> None:
    """What the two trainings of a search must be like."""
    weights, _ = alternating(task)
    optim = weights.settings.optim
    if engine.rule in ("second-order", "mixed-second-order") and (optim.name != "sgd" or optim.nesterov):
        told = "optim.nesterov=true" if optim.name == "sgd" else f"optim.name={optim.name}"
        raise UserError(
            f"{weights.name}.{told} with search.engine.rule={engine.rule}: the rule looks a step of plain SGD ahead; give "
            "sgd without nesterov, or a rule of first order"
        )
    steps = weights.settings.steps
    if not (learning := engine.arch.learning(steps)):
        raise UserError(
            f"search.engine.arch: with begin={engine.arch.begin:g} and every={engine.arch.every} none of {steps} steps "
            "teaches the architecture; give more steps, or lower ones"
        )
    if engine.shrink is not None and engine.shrink.curriculum and not getattr(weights, "curriculum", ()):
        raise UserError(f"search.engine.shrink.curriculum={list(engine.shrink.curriculum)}: this task has no classes; give none")
    known = decisions(task.space)
    _check_schedules(engine, steps, learning.start, known)
    check_threshold(engine, len(learning), known)
    if engine.prune is not None:
        _check_pruned(engine, engine.prune, steps)
    if engine.abandon is not None:
        check_abandon(engine.abandon, task, steps)


def _check_grow(engine: Gradient, task: SystemTask, overrides: Sequence[str]) -> None:
    """A search of several in a row: it reads the space and the settings of its own training, and has the same decisions."""
    settings = task.settings
    trained = [phase.settings for phase in task.phases("relaxed")]
    shared = {field.name for field in fields(RunSettings)}
    sections = {field.name: getattr(settings, field.name) for field in fields(settings) if field.name not in shared}
    read = [name for name, value in sections.items() if name == "space" or any(value is one for one in trained)]
    for word in overrides:
        if word.partition("=")[0].partition(".")[0] not in read:
            raise UserError(
                f"search.engine.grow: {word!r} is nothing that one search of several reads; give settings of {' or '.join(read)}"
            )
    if not overrides:
        return
    try:
        varied = task.variant(tuple(overrides))
        _check_phases(engine, varied)
    except UserError as error:
        raise UserError(f"search.engine.grow: with {', '.join(overrides)}: {error}") from error
    known, theirs = decisions(task.space), decisions(varied.space)
    if {path: (d.labels, len(d)) for path, d in theirs.items()} != {path: (d.labels, len(d)) for path, d in known.items()}:
        raise UserError(f"search.engine.grow: {list(overrides)} changes the decisions of the space; give other settings")


def _check_schedules(engine: Gradient, steps: int, first: int, known: Mapping[str, Decision]) -> None:
    if engine.shrink is not None:
        times = [round(at * steps) for at in engine.shrink.at]
        if times[0] < 1 or times[-1] >= steps or len(set(times)) < len(times):
            raise UserError(
                f"search.engine.shrink.at={list(engine.shrink.at)}: of {steps} steps these are steps {times}; give a search of "
                "more steps, or fewer times"
            )
        if times[0] <= first:
            raise UserError(
                f"search.engine.shrink.at={list(engine.shrink.at)}: options are dropped after {times[0]} steps, and the "
                f"architecture learns from step {first} on; give later times, or a lower arch.begin"
            )
    if engine.prune is not None and engine.prune.every > steps:
        raise UserError(f"search.engine.prune.every={engine.prune.every}: a search of {steps} steps has no round; give fewer")
    if engine.freeze is not None and engine.freeze.every > steps:
        raise UserError(
            f"search.engine.freeze.every={engine.freeze.every}: a search of {steps} steps has no such interval; give fewer"
        )
    if engine.project is not None:
        begin, open_ones = round(engine.project.begin * steps), sum(len(decision) > 1 for decision in known.values())
        if begin <= first or steps - begin < open_ones:
            raise UserError(
                f"search.engine.project.begin={engine.project.begin:g}: {open_ones} decisions are settled one by one after "
                f"{begin} of {steps} steps, and the architecture learns from step {first} on; give another share, or more steps"
            )
    if engine.stop == "ranks":
        same = RankStop().epochs
        judged = min(engine.snapshots, steps) * (1 - first / steps)
        if judged <= same:
            raise UserError(
                f"search.engine.stop=ranks: it asks for the same order in {same} snapshots after one, and {judged:.0f} of "
                f"search.engine.snapshots={engine.snapshots} follow the begin of the architecture's steps; give more of them"
            )


def _check_pruned(engine: Gradient, prune: PruneSettings, steps: int) -> None:
    """Refuses rounds that find no gate below the threshold; how far gates fall is said in `moved_at_most`."""
    last = steps - steps % prune.every
    learning = sum(step < last for step in engine.arch.learning(steps))
    lowest = gate_of(engine.start - moved_at_most(engine, learning))
    if lowest >= prune.threshold:
        raise UserError(
            f"search.engine.prune: in {learning} steps at search.engine.arch.lr={engine.arch.lr:g}, those before the last round, "
            f"no gate falls below {lowest:.3f}, nor below prune.threshold={prune.threshold:g}: nothing is dropped; give more "
            "steps, a higher rate or a higher threshold"
        )
