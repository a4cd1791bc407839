"""What a differentiable search asks of the decisions of its space: that its settings mean something there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import exp
from typing import TYPE_CHECKING

from common.engines import Gradient
from common.engines.gradient import gate_of
from common.engines.weighting import WeightingSettings
from common.errors import UserError
from common.relax.monitor import WITHOUT_WEIGHTS, count
from common.space import Decision, ManyOf, OneOf, decisions

if TYPE_CHECKING:
    from common.objective import Constraint
    from common.system_task import SystemTask

LEARN_NOTHING = frozenset(WITHOUT_WEIGHTS)
LOOKS = 1_000
"""Architectures that are tried for one within the budget and the cap."""


def check_options(engine: Gradient, task: SystemTask, constraints: Sequence[Constraint]) -> None:
    """Refuses settings that leave nothing to derive in the task's space, or that do nothing there.

    Raises:
        UserError: names the setting, the rule and the remedy.
    """
    known = decisions(task.space)
    _check_kinds(engine, known)
    _check_left(engine, known)
    _check_capped(engine, task, known)
    _check_kept(engine, known)
    _check_watched(engine, task, known)
    if engine.prune is not None:
        _check_gates(task, known)
    else:
        _check_decided(engine, known, dropped=engine.threshold is not None or bool(constraints))
    if engine.cap is not None and constraints:
        _check_cap_within(engine, task, constraints)


def _check_kinds(engine: Gradient, known: Mapping[str, Decision]) -> None:
    """Refuses what needs decisions between options, or members with weights, in a space that has none."""
    options = [len(d) for d in known.values() if isinstance(d, OneOf) and len(d) > 1]
    members = [len(d.options) for d in known.values() if isinstance(d, ManyOf) and len(d.options) > 1]
    if engine.abandon is not None and not options:
        raise UserError("search.engine.abandon: no decision of this space is between options; give more operations")
    if engine.members is None and not options:
        raise UserError(
            "search.engine.members=null: every decision of this space is of members: nothing would be learnt; give them weights, "
            'search.engine.members={"kind":"sigmoid"}'
        )
    if engine.members is not None and not members:
        raise UserError(
            "search.engine.members: this space has no members to weigh: no decision takes several options; set members=null"
        )
    if engine.options != WeightingSettings() and not options:
        raise UserError(
            "search.engine.options: every decision of this space is of members, which search.engine.members weighs; leave "
            'options as they are, {"kind":"softmax"}'
        )
    if engine.freeze is not None and not options:
        raise UserError("search.engine.freeze: every decision is of members, which it does not stop; set freeze=null")
    if engine.derive is not None and (many := [p for p, d in known.items() if isinstance(d, ManyOf) and len(d) > 1]):
        raise UserError(
            f"search.engine.derive: decision {many[0]!r} takes several members, and options alone can be drawn; set derive=null"
        )
    for name, weighting, sizes in (("options", engine.options, options), ("members", engine.members, members)):
        if weighting is not None:
            _check_parts(f"search.engine.{name}", weighting, sizes)


def _check_parts(name: str, weighting: WeightingSettings, sizes: Sequence[int]) -> None:
    """Refuses a part of the options that is all of them, in every decision: weightings tell which ones they compute."""
    import torch

    from common.differentiable.strategies import weighting_of

    if weighting.keep == 1 and weighting.kept == 1:
        return
    made = weighting_of(weighting)
    live = [made.weigh_frozen(torch.zeros(n), torch.Generator(), 0.0).live for n in sizes]
    if all(part is None or len(part) == n for part, n in zip(live, sizes, strict=True)):
        given = f"keep={weighting.keep:g}" if weighting.keep < 1 else f"kept={weighting.kept}"
        raise UserError(f"{name}.{given}: of {max(sizes)} options, the most of a decision, it takes all; give less, or 1")


def _check_left(engine: Gradient, known: Mapping[str, Decision]) -> None:
    """Refuses forbidden options that the space does not have, and what leaves a decision without any."""
    from common.differentiable.deriving import NONE, SKIP

    edges = {path: decision.labels for path, decision in known.items() if isinstance(decision, OneOf)}
    offered = sorted({label for labels in edges.values() for label in labels})
    if odd := sorted(set(engine.forbidden) - set(offered)):
        choose = f"choose among {', '.join(offered)}, or " if offered else ""
        raise UserError(f"search.engine.forbidden: {odd[0]!r} is no option of the space; {choose}set search.engine.forbidden=[]")
    if engine.discount != 1 and NONE not in offered:
        raise UserError(f"search.engine.discount={engine.discount:g}: no decision of this space has the option none; set it to 1")
    for path, labels in edges.items():
        left = [label for label in labels if label not in engine.forbidden]
        if not left:
            raise UserError(
                f"search.engine.forbidden: decision {path!r} is left without options; allow one of {', '.join(labels)}"
            )
        if engine.cap is not None and left == [SKIP]:
            raise UserError(f"search.engine.cap={engine.cap}: decision {path!r} can be {SKIP} alone; allow another operation")


def _check_capped(engine: Gradient, task: SystemTask, known: Mapping[str, Decision]) -> None:
    """Refuses to keep so few options that what the cap gives up can be the last of them; a cap that never binds gives up none."""
    from common.differentiable.deriving import SKIP, normal_of

    at_last = [stage.keep for stage in engine.grow[:-1]] + ([] if engine.shrink is None else list(engine.shrink.keep))
    if engine.cap is None or not at_last or engine.cap >= _most(engine, task, (SKIP,), normal_of(task.space)):
        return
    for path, decision in known.items():
        lost = [label for label in decision.labels if label in engine.forbidden or label == SKIP]
        if isinstance(decision, OneOf) and SKIP in decision.labels and SKIP not in engine.forbidden and min(at_last) <= len(lost):
            raise UserError(
                f"search.engine.cap={engine.cap}: with keep={min(at_last)} decision {path!r} can be left with "
                f"{', '.join(lost)} alone; keep more, or set search.engine.cap=null"
            )


def _check_kept(engine: Gradient, known: Mapping[str, Decision]) -> None:
    """Refuses a number of options to keep that no decision exceeds; those that follow are smaller."""
    keeps = [("grow", stage.keep) for stage in engine.grow]
    if engine.shrink is not None:
        keeps = [("shrink", keep) for keep in engine.shrink.keep]
    largest = max((len(d) for d in known.values() if isinstance(d, OneOf)), default=0)
    if keeps and largest < 2:
        plain = "[]" if engine.grow else "null"
        raise UserError(f"search.engine.{keeps[0][0]}: no decision of this space is between options; set it to {plain}")
    if keeps and keeps[0][1] >= largest:
        name, keep = keeps[0]
        raise UserError(
            f"search.engine.{name}: keep={keep}: no decision has more than {largest} options: nothing is dropped; keep fewer"
        )


def _check_watched(engine: Gradient, task: SystemTask, known: Mapping[str, Decision]) -> None:
    """Refuses what counts operations where no decision is between operations: in a space of gates, say."""
    from common.differentiable.deriving import SKIP, convolutions_of

    between = [set(d.labels) - set(engine.forbidden) for d in known.values() if isinstance(d, OneOf) and len(d) > 1]
    labels = {label for options in between for label in options}
    convolutions = not labels.isdisjoint(convolutions_of(task.space))
    learning = any(len(options - LEARN_NOTHING) > 1 for options in between)
    for setting, given, holds, what, plain in (
        (f"cap={engine.cap}", engine.cap is not None, SKIP in labels, SKIP, "cap=null"),
        ("stop=skips", engine.stop == "skips", SKIP in labels, SKIP, "stop=never"),
        ("stop=size", engine.stop == "size", convolutions, "a convolution", "stop=never"),
        (f"scored={engine.scored}", engine.scored > 0, convolutions, "a convolution", "scored=0"),
        ("stop=ranks", engine.stop == "ranks", learning, "two that learn", "stop=never"),
    ):
        if given and not holds:
            raise UserError(
                f"search.engine.{setting}: no decision of this space is between {what} and other operations; set "
                f"search.engine.{plain}"
            )
    if engine.stop == "size" and engine.size > (most := _most(engine, task, convolutions_of(task.space))):
        raise UserError(f"search.engine.size={engine.size}: a derived architecture has at most {most} convolutions; give fewer")


def _most(engine: Gradient, task: SystemTask, wanted: Sequence[str], within: str = "") -> int:
    """How many of some options an architecture has under a path that is derived where they are the strongest."""
    from common.arch import labels
    from common.differentiable.deriving import derived

    strengths = {
        path: [1.0 if label in wanted or isinstance(d, ManyOf) else 0.1 for label in d.labels]
        for path, d in decisions(task.space).items()
        if len(d.options) > 1
    }
    found = derived(replace(engine, cap=None, threshold=None), task.space, strengths, {})
    return count(labels(task.space, found.arch), wanted, within)


def _check_gates(task: SystemTask, known: Mapping[str, Decision]) -> None:
    """Pruning takes a space of gates alone, whose costs are sums."""
    if task.networks.price is None or task.networks.price("macs") is None:
        raise UserError("search.engine.prune: this system prices networks one by one; set prune=null")
    for path, decision in known.items():
        if not isinstance(decision, ManyOf) or decision.low:
            raise UserError(
                f"search.engine.prune: decision {path!r} needs an option; give a space whose operations are all gates "
                "(space.gated=true in the cells of DARTS), or prune=null"
            )


def _check_decided(engine: Gradient, known: Mapping[str, Decision], dropped: bool) -> None:
    """Refuses a search whose result is known: every decision takes all its members, or the one option that is allowed.

    Args:
        engine: the search.
        known: the decisions of its space.
        dropped: whether a threshold or a budget leaves members out.
    """
    open_ones = [d for d in known.values() if len(d.options) > 1]
    if all(isinstance(d, OneOf) and len(set(d.labels) - set(engine.forbidden)) == 1 for d in open_ones):
        raise UserError("search.engine.forbidden: one option of each decision is allowed: nothing is searched; allow more")
    if not dropped and all(isinstance(d, ManyOf) and d.high == len(d.options) for d in open_ones):
        raise UserError(
            "search.engine: every decision of this space takes all its members unless a rule drops some; give prune, a threshold "
            "(search.engine.threshold=0.5 say) or a budget"
        )


def check_threshold(engine: Gradient, learning: int, known: Mapping[str, Decision]) -> None:
    """Refuses a threshold without members to drop, one that no strength reaches, and one that all keep above.

    Args:
        engine: the search.
        learning: steps in which the architecture learns.
        known: the decisions of its space.

    Raises:
        UserError: names the setting, the rule and the remedy.
    """
    if engine.threshold is None:
        return
    open_ones = [path for path, d in known.items() if isinstance(d, ManyOf) and d.low < d.high]
    if not open_ones:
        raise UserError(
            f"search.engine.threshold={engine.threshold:g}: every node of this space has a fixed number of inputs, and none is "
            "dropped; set search.engine.threshold=null, or open their number (space.inputs=0 in the cells of DARTS)"
        )
    operations = [
        len(d) for path, d in known.items() if isinstance(d, OneOf) and path.startswith(tuple(f"{p}[" for p in open_ones))
    ]
    if not operations and engine.members is None:
        raise UserError(
            f"search.engine.threshold={engine.threshold:g} with members=null: members without weights are all of strength 1, and "
            'none is dropped; set search.engine.threshold=null, or give them weights, search.engine.members={"kind":"sigmoid"}'
        )
    if engine.shrink is not None or engine.grow:  # where options are dropped, others get stronger
        return
    lowest, highest = _strengths(engine, learning, operations)
    if highest < engine.threshold or lowest >= engine.threshold:
        what = (
            f"above {highest:.3f}: no input passes it" if highest < engine.threshold else f"below {lowest:.3f}: none is dropped"
        )
        raise UserError(
            f"search.engine.threshold={engine.threshold:g}: in {learning} steps at search.engine.arch.lr={engine.arch.lr:g} no "
            f"strength gets {what}, whatever is learnt; give another threshold, a higher rate or more steps"
        )


def _strengths(engine: Gradient, learning: int, operations: Sequence[int]) -> tuple[float, float]:
    """Between which strengths an input is after so many steps: with gates, or with options that share a softmax.

    A gate is at most sigmoid(start + moved), and of n options that share a softmax one has at most
    1 / (1 + (n - 1) exp(-2 moved)); see `moved_at_most`. The strongest of them has 1 / n at least. Other kinds: from 0 to 1.
    """
    moved = moved_at_most(engine, learning)
    gates = gate_of(engine.start - moved), gate_of(engine.start + moved)
    if not operations:
        return gates if engine.members is not None and engine.members.kind == "sigmoid" else (0.0, 1.0)
    alone = engine.members is None and not engine.forbidden
    match engine.options.kind:
        case "sigmoid":
            return gates[0] if alone else 0.0, gates[1]
        case "softmax" | "gumbel-softmax" | "hard-gumbel" | "annealed-gumbel" | "one-gate" | "two-gates":
            highest = 1 / (1 + (min(operations) - 1) * exp(-min(30.0, 2 * moved)))
            return 1 / max(operations) if alone else 0.0, highest
        case _:
            return 0.0, 1.0


def moved_at_most(engine: Gradient, learning: int) -> float:
    """How far a logit can be from `start` after so many steps of the architecture, by a rule of thumb.

    A step of Adam moves it by the learning rate where all its gradients are of one size, and by sqrt(5) = 2.2 times that where
    they grow as the square of the steps, as under a price that rises with every round. Three times is allowed: gradients that
    grow by 3 % in every step go 3.3 times as far.
    """
    return 5 * engine.std + 3 * engine.arch.lr * learning


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
