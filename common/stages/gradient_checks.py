"""What can be known of a differentiable search before it begins: that it would end with nothing, or ignore a setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from math import exp
from typing import TYPE_CHECKING

from common.engines import Gradient
from common.errors import UserError
from common.relax.monitor import WITHOUT_WEIGHTS, RankStop
from common.space import Decision, ManyOf, OneOf, decisions
from common.stages.settings import RunSettings

if TYPE_CHECKING:
    from common.objective import Constraint
    from common.system_task import SystemTask

LEARN_NOTHING = frozenset(WITHOUT_WEIGHTS)
LOOKS = 1_000
"""Architectures that are tried for one within the budget and the cap."""


def check_gradient(engine: Gradient, task: SystemTask, constraints: Sequence[Constraint] = ()) -> None:
    """Refuses schedules that are too short for what they plan, rules that leave nothing to derive, and settings without effect.

    Raises:
        UserError: names the setting, the rule and the remedy.
    """
    known = decisions(task.space)
    _check_kinds(engine, known)
    _check_phases(engine, task, "")
    for stage in engine.grow:
        _check_grow(engine, task, stage.overrides, known)
    _check_options(engine, known)
    _check_watched(engine, known)
    _check_members(engine, known)
    if engine.prune is not None:
        _check_gates(task, known)
    if engine.cost == "dual" and not constraints:
        raise UserError(
            "search.engine.cost=dual without a budget: it prices budgets; give one, --budget macs=1e9 say, or cost=filter"
        )
    if engine.cap is not None and constraints:
        _check_cap_within(engine, task, constraints)


def _check_phases(engine: Gradient, task: SystemTask, where: str) -> None:
    """What the two trainings of a search must be like; `where` begins the errors of one of several searches in a row."""
    phases = task.phases("relaxed")
    for phase in phases:
        for name, plain in (("ema", None), ("amp", "none"), ("accumulate", 1)):
            if (value := getattr(phase.settings, name)) != plain:
                raise UserError(
                    f"{where}{phase.name}: {name}={value}: a relaxed architecture learns from the weights of every step, in full "
                    f"precision; give {plain}"
                )
    weights = phases[0]
    optim = weights.settings.optim
    if engine.rule in ("second-order", "mixed-second-order") and (optim.name != "sgd" or optim.nesterov):
        told = "optim.nesterov=true" if optim.name == "sgd" else f"optim.name={optim.name}"
        raise UserError(
            f"{where}{weights.name}.{told} with search.engine.rule={engine.rule}: the rule looks a step of plain SGD ahead; give "
            "sgd without nesterov, or a rule of first order"
        )
    steps = weights.settings.steps
    if not (learning := engine.arch.learning(steps)):
        raise UserError(
            f"{where}search.engine.arch: with begin={engine.arch.begin:g} and every={engine.arch.every} none of {steps} steps "
            "teaches the architecture; give more steps, or lower ones"
        )
    if engine.shrink is not None and engine.shrink.curriculum and not getattr(weights, "curriculum", ()):
        raise UserError(f"search.engine.shrink.curriculum={list(engine.shrink.curriculum)}: this task has no classes; give none")
    _check_schedules(engine, steps, learning.start, decisions(task.space))
    _check_threshold(engine, len(learning), decisions(task.space))


def _check_kinds(engine: Gradient, known: Mapping[str, Decision]) -> None:
    """Refuses what needs decisions between options, or members with weights, in a space that has none."""
    options = any(isinstance(decision, OneOf) and len(decision) > 1 for decision in known.values())
    if engine.members is None and not options:
        raise UserError(
            "search.engine.members=null: every decision of this space is of members: nothing would be learnt; give them weights, "
            'search.engine.members={"kind":"sigmoid"}'
        )
    if engine.freeze is not None and not options:
        raise UserError("search.engine.freeze: every decision is of members, which it does not stop; set freeze=null")
    many = [path for path, decision in known.items() if isinstance(decision, ManyOf) and len(decision) > 1]
    if engine.derive is not None and many:
        raise UserError(
            f"search.engine.derive: decision {many[0]!r} takes several members, and options alone can be drawn; set derive=null"
        )


def _check_grow(engine: Gradient, task: SystemTask, overrides: Sequence[str], known: Mapping[str, Decision]) -> None:
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
    varied = task.variant(tuple(overrides))
    theirs = decisions(varied.space)
    if {path: (d.labels, len(d)) for path, d in theirs.items()} != {path: (d.labels, len(d)) for path, d in known.items()}:
        raise UserError(f"search.engine.grow: {list(overrides)} changes the decisions of the space; give other settings")
    _check_phases(engine, varied, f"search.engine.grow: with {', '.join(overrides)}: " if overrides else "")


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


def _check_threshold(engine: Gradient, learning: int, known: Mapping[str, Decision]) -> None:
    """Refuses a threshold without members to drop, and one that no strength reaches.

    A logit moves by the learning rate in each step of Adam, at most, so that a gate is at most sigmoid(start + moved), and of n
    options that share a softmax one has at most 1 / (1 + (n - 1) exp(-2 moved)).
    """
    if engine.threshold is None:
        return
    open_ones = [path for path, d in known.items() if isinstance(d, ManyOf) and d.low < d.high]
    if not open_ones:
        raise UserError(
            f"search.engine.threshold={engine.threshold:g}: every node of this space has a fixed number of inputs, and none is "
            "dropped; leave it out, or open their number (space.inputs=0 in the cells of DARTS)"
        )
    moved = 5 * engine.std + engine.arch.lr * learning
    operations = [
        len(d) for path, d in known.items() if isinstance(d, OneOf) and path.startswith(tuple(f"{p}[" for p in open_ones))
    ]
    if not operations or engine.shrink is not None or engine.grow:  # where options are dropped, others get stronger
        return
    match engine.options.kind:
        case "sigmoid":
            highest = 1 / (1 + exp(-min(30.0, engine.start + moved)))
        case "softmax":
            highest = 1 / (1 + (min(operations) - 1) * exp(-min(30.0, 2 * moved)))
        case _:
            return
    if highest < engine.threshold:
        raise UserError(
            f"search.engine.threshold={engine.threshold}: in {learning} steps at search.engine.arch.lr={engine.arch.lr:g} no "
            f"{'gate' if engine.options.kind == 'sigmoid' else 'strength'} rises above {highest:.3f}, so that cells would be "
            "empty; give a lower threshold, a higher rate or more steps"
        )


def _check_options(engine: Gradient, known: Mapping[str, Decision]) -> None:
    from common.differentiable.deriving import SKIP

    edges = {path: decision.labels for path, decision in known.items() if isinstance(decision, OneOf)}
    offered = sorted({label for labels in edges.values() for label in labels})
    if odd := sorted(set(engine.forbidden) - set(offered)):
        choose = f"choose among {', '.join(offered)}, or " if offered else ""
        raise UserError(f"search.engine.forbidden: {odd[0]!r} is no option of the space; {choose}set search.engine.forbidden=[]")
    keeps = {f"search.engine.grow: keep={stage.keep}": stage.keep for stage in engine.grow}
    if engine.shrink is not None:
        keeps = {f"search.engine.shrink: keep={keep}": keep for keep in engine.shrink.keep}
    at_last = [stage.keep for stage in engine.grow[:-1]] + ([] if engine.shrink is None else list(engine.shrink.keep))
    for path, labels in edges.items():
        left = [label for label in labels if label not in engine.forbidden]
        if not left:
            raise UserError(
                f"search.engine.forbidden: decision {path!r} is left without options; allow one of {', '.join(labels)}"
            )
        if engine.cap is not None and left == [SKIP]:
            raise UserError(f"search.engine.cap={engine.cap}: decision {path!r} can be {SKIP} alone; allow another operation")
        for name, keep in list(keeps.items())[:1]:
            if len(labels) <= keep:
                raise UserError(f"{name}: decision {path!r} has {len(labels)} options: nothing is dropped; keep fewer")
        lost = [label for label in labels if label in engine.forbidden or label == SKIP]
        if engine.cap is not None and SKIP in left and at_last and min(at_last) <= len(lost):
            raise UserError(
                f"search.engine.cap={engine.cap}: with keep={min(at_last)} decision {path!r} can be left with "
                f"{', '.join(lost)} alone; keep more, or leave the cap out"
            )


def _check_watched(engine: Gradient, known: Mapping[str, Decision]) -> None:
    """Refuses what counts operations where no decision is between operations: in a space of gates, say."""
    from common.differentiable.deriving import SKIP

    between = [set(d.labels) - set(engine.forbidden) for d in known.values() if isinstance(d, OneOf) and len(d) > 1]
    labels = {label for options in between for label in options}
    convolutions = any("conv" in label for label in labels)
    for setting, given, holds, what in (
        (f"cap={engine.cap}", engine.cap is not None, SKIP in labels, SKIP),
        ("stop=skips", engine.stop == "skips", SKIP in labels, SKIP),
        ("stop=size", engine.stop == "size", convolutions, "a convolution"),
        (f"scored={engine.scored}", engine.scored > 0, convolutions, "a convolution"),
        (
            "stop=ranks",
            engine.stop == "ranks",
            any(len(options - LEARN_NOTHING) > 1 for options in between),
            "two that learn",
        ),
    ):
        if given and not holds:
            raise UserError(
                f"search.engine.{setting}: no decision of this space is between {what} and other operations; leave it out"
            )
    wide = sum(isinstance(d, OneOf) and any("conv" in label for label in d.labels) for d in known.values())
    if engine.stop == "size" and engine.size > wide:
        raise UserError(f"search.engine.size={engine.size}: {wide} decisions can be convolutions; give fewer")


def _check_members(engine: Gradient, known: Mapping[str, Decision]) -> None:
    if engine.members is not None and not any(isinstance(d, ManyOf) and len(d.options) > 1 for d in known.values()):
        raise UserError(
            "search.engine.members: this space has no members to weigh: no decision takes several options; set members=null"
        )


def _check_gates(task: SystemTask, known: Mapping[str, Decision]) -> None:
    """Pruning takes a space of gates alone, whose costs are sums."""
    if task.networks.price is None:
        raise UserError("search.engine.prune: this system prices networks one by one; set prune=null")
    for path, decision in known.items():
        if not isinstance(decision, ManyOf) or decision.low:
            raise UserError(
                f"search.engine.prune: decision {path!r} needs an option; give a space whose operations are all gates "
                "(space.gated=true in the cells of DARTS), or prune=null"
            )


def _check_cap_within(engine: Gradient, task: SystemTask, constraints: Sequence[Constraint]) -> None:
    """When the cap has given up skips, a network within the budget must be left: one without any, or with as many as allowed."""
    from common.differentiable.deriving import SKIP, derived, normal_of
    from common.differentiable.strategies import feasible_of
    from common.stages.context import keeps

    known = decisions(task.space)
    alike = {path: [1.0] * len(d.options) for path, d in known.items() if len(d.options) > 1}
    skips = {path: [SKIP] for path, d in known.items() if SKIP in d.labels and path.startswith(normal_of(task.space))}
    feasible = feasible_of(task.networks, constraints, lambda arch: keeps(task, constraints, arch))
    try:
        derived(engine, task.space, alike, skips, feasible, LOOKS)
    except UserError:
        try:  # with as many skips as the cap allows
            derived(engine, task.space, alike, {}, feasible, LOOKS)
        except UserError as error:
            raise UserError(f"search.engine.cap={engine.cap}: {error}; or set search.engine.cap=null") from error
