"""One pass of a supernet on the meta device that finds which decisions each cost depends on.

Example: `conv2d(3, width, 1)` and then `conv2d(width, 5, kernel)`, no biases, a 2x2 image, width 8 of (4, 8), kernel 3 of (1, 3).
The trace yields `{width}: [24, 96]` (parameters, MACs) for the first layer and `{width, kernel}: [360, 1440]` for the second:
that layer reads `kernel` alone, but its input carries `width`. A plain `Conv2d(5, 2, 1)` after them adds `{}: [10, 40]`.

Every tensor carries the decisions that its shape depends on. A module that reads decisions is run under every combination of
their options. The module's output depends on the decisions that change its shape, and on all that the outputs of its options
depend on. A cost depends on the shapes it is computed from, on the decisions its layer reads and on the decisions that put the
layer on the path. A term therefore holds for every architecture with the same options of the term's decisions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import product
from operator import add
from typing import Any

import torch
from torch import Tensor, nn

from common.cost.compare import mapped, merged, setting, shapes_of, widened
from common.cost.conditions import Condition
from common.cost.conventions import Convention
from common.cost.count import Forward, Meter, each_of, placed, run
from common.cost.dims import (
    Dims,
    aligned,
    changes_rank,
    depends,
    everything,
    mark,
    mark_rank,
    plus,
    rank_depends,
    through,
)
from common.cost.known import Known, KnownRuns, described
from common.cost.presence import NONE, Living, Membership, Paths, conditioned, memberships, parameter_groups
from common.cost.shapes import perform, tensors_in
from common.errors import UserError
from common.layers import EmptySum
from common.trace import (
    Slot,
    active_children,
    feature_axis,
    is_elastic,
    readings,
    sets_width,
    shaped_by,
    sized_by,
    slots_of,
    sums_members,
)

_SHAPE_READS = {
    torch.Tensor.shape.__get__,  # pyright: ignore[reportAttributeAccessIssue]
    torch.Tensor.size,
    torch.Tensor.numel,
    torch.Tensor.nelement,
    torch.Tensor.__len__,
}
_RANK_READS = {torch.Tensor.dim, torch.Tensor.ndimension, torch.Tensor.ndim.__get__}  # pyright: ignore[reportAttributeAccessIssue]


def _holds_numbers(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return any(_holds_numbers(part) for part in value)
    return isinstance(value, int) or (isinstance(value, dict) and _holds_numbers(list(value.values())))


class Dependencies(Meter):
    """Traces `module`, a private copy of a supernet on the meta device; `conditions`: see `common.cost.conditions`.

    `trace()` fills `terms`: set of decisions -> the amounts that the convention counts, in the order of `Convention.amounts`,
    summed over all costs that depend on exactly these decisions.
    """

    def __init__(self, module: nn.Module, convention: Convention, conditions: Mapping[str, Condition | None]) -> None:
        super().__init__(convention)
        self.module = module
        self._slots = slots_of(module)  # found once: a walk of all modules for each one that runs took a third of the time
        self.terms: dict[Paths, list[int]] = {}
        self._held = len(convention.held)
        self._recording = True
        self._conditions: Paths = NONE  # the decisions that put the running layer on the path
        self._within: tuple[Membership, ...] = ()  # the members of subsets that it is part of
        self._frames: list[Paths] = [NONE]  # per running module: decisions behind the shapes it has read
        self._around: list[Paths] = [NONE]  # per running module: those of the module and of all modules around it
        self._runs = KnownRuns()
        self._composite = [True]  # per running module: whether it has children
        self._aside = False  # while the tracer itself reads shapes
        self._ran: set[int] = set()
        self._slices: dict[int, tuple[int, Paths]] = {}
        members = {id(part): memberships(part, conditions) for part in module.modules() if sums_members(part)}
        self._groups = parameter_groups(module, members, partial(each_of, convention))
        self._sliced = {group.elastic[1] for group in self._groups if group.elastic is not None}
        for part in list(module.modules()):
            part.register_forward_pre_hook(self._enter)
            part.register_forward_hook(self._leave)
            if is_elastic(part):
                part.forward = self._with_width_apart(part, part.forward)
            if id(part) in members:
                part.forward = self._over_every_member(part, part.forward, members[id(part)])
            elif (sizes := sized_by(part)) is not None:
                part.forward = self._as_declared(part, part.forward, setting(sizes))
            elif slots := {slot.path: (slot, n) for r in readings(part) for slot, n in zip(r.slots, r.sizes, strict=True)}:
                part.forward = self._under_every_option(part, part.forward, list(slots.values()))

    def trace(self, inputs: Sequence[Tensor], forward: Forward | None) -> None:
        """Fills `terms` for the options that are active now; raises `UserError` if an active elastic layer never runs."""
        self.terms, self._slices, self._ran = {}, {}, set()
        self._frames, self._around, self._composite = [NONE], [NONE], [True]
        self._conditions, self._recording = NONE, True
        self._within = ()
        self._aside = False
        run(self.module, inputs, forward, self)
        self._add_parameters()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Runs `func`, records its cost and gives its output the decisions that its operands depend on."""
        kwargs = placed(func, kwargs or {})
        if self._aside:
            return perform(func, args, kwargs)
        same = self.convention.like.get(func, func)
        out, counted = self.measured(func, args, kwargs) if self._recording else (perform(same, args, kwargs), self.none)
        tensors = tensors_in((args, kwargs))
        depending = everything(tensors)
        if func in _SHAPE_READS:  # a number carries no decisions: all that this module does from here may depend on it
            self._look(depending)
            return out
        rank = rank_depends(tensors)
        if func in _RANK_READS:
            self._look(rank)
            return out
        around = self._around[-1]
        if self._recording:
            if counted is not self.none:
                self._add(self._here(depending | around), (0, counted[0], *(0,) * self._held, *counted[1:]))
            if func is torch.Tensor.__getitem__ and id(args[0]) in self._sliced:
                most, before = self._slices.get(id(args[0]), (0, NONE))
                self._slices[id(args[0])] = max(most, out.numel()), before | self._here(around)
        if depending or around:
            if changes_rank(func):
                rank |= depending
            for tensor in tensors_in(out):
                found = plus(through(same, args, kwargs, tensor, depending), around)
                mark(tensor, aligned((depends(tensor), found), tensor.dim()) or found)
                if rank:
                    mark_rank(tensor, rank)
        return out

    def _here(self, depends: Paths) -> Paths:
        """Returns `depends` plus the decisions that put the running layer on the path."""
        return conditioned(depends | self._conditions, self._within)

    def _add(self, depends: Paths, amounts: Sequence[int]) -> None:
        term = self.terms.get(depends)
        self.terms[depends] = list(amounts) if term is None else list(map(add, term, amounts))

    def _look(self, depends: Paths) -> None:
        if not depends <= self._frames[-1]:
            self._frames[-1] |= depends
            self._around[-1] |= depends
            if self._composite[-1]:
                self._fork()

    def _fork(self) -> None:
        """Adds a term of cost 0: which operations follow may depend on the decisions behind the shapes read so far."""
        if self._recording:
            self._add(self._here(self._around[-1]), (0,) * len(self.convention.amounts))

    @contextmanager
    def _looking(self) -> Iterator[None]:
        self._aside = True
        try:
            with torch._C.DisableTorchFunction():
                yield
        finally:
            self._aside = False

    def _enter(self, module: nn.Module, _: Any) -> None:
        self._frames.append(NONE)
        self._around.append(self._around[-1])
        self._composite.append(next(module.children(), None) is not None)
        if self._recording:
            self._ran.add(id(module))

    def _leave(self, module: nn.Module, _: Any, out: Any) -> None:
        seen = self._frames.pop()
        self._around.pop()
        self._composite.pop()
        if _holds_numbers(out):
            self._look(seen)

    def _with_width_apart(self, module: nn.Module, forward: Any) -> Callable[..., Any]:
        """The output of an elastic layer depends on what its input depends on, apart from the width if the layer sets its own."""
        axis, own = feature_axis(module), sets_width(module)

        def run_apart(*inputs: Any) -> Any:
            out = forward(*inputs)
            if len(inputs) != 1 or not isinstance(out, Tensor):
                return out  # a parameter, without input, or several inputs: what the operations say
            (input,) = inputs
            theirs = depends(input)
            with self._looking():
                if out.dim() != input.dim():
                    theirs = (everything([input]),) * out.dim()
                elif own:
                    theirs = tuple(NONE if i == axis % input.dim() else paths for i, paths in enumerate(theirs))
                mark(out, plus(theirs, self._around[-2]))
                if rank := rank_depends([input]):
                    mark_rank(out, rank)
            return out

        return run_apart

    def _under_every_option(self, module: nn.Module, forward: Any, slots: list[tuple[Slot, int]]) -> Callable[..., Any]:
        paths = [slot.path for slot, _ in slots]
        own = frozenset(paths)
        inside = _slots_inside(module)
        others = [slot for slot in inside.values() if slot.path not in own]
        combinations = list(product(*(range(n) for _, n in slots)))
        has_children = next(module.children(), None) is not None
        width = None if (widths := shaped_by(module)) is None else setting(widths)

        def run_option(combination: tuple[int, ...], active: tuple[int, ...], inputs: tuple[Any, ...], recording: bool) -> Any:
            self._recording = recording and combination == active
            for (slot, _), option in zip(slots, combination, strict=True):
                slot.active = option
            return forward(*inputs)

        def run_all(*inputs: Any) -> Any:
            active = tuple([slot.active for slot, _ in slots])
            recording, conditions, depth = self._recording, self._conditions, len(self._frames)
            before = self._frames[-1], self._around[-1]
            self._conditions |= own
            if has_children:
                self._fork()
            try:
                if width is not None:
                    out = run_option(active, active, inputs, recording)
                    with self._looking():
                        return widened(out, feature_axis(module), width)
                with self._looking():
                    key = described((inputs, before, [slot.active for slot in others]))
                known = self._runs.get(module, key)
                if known is not None and active in known.outputs:
                    out = run_option(active, active, inputs, recording) if recording else known.outputs[active]
                    with self._looking():
                        if shapes_of(out) == shapes_of(known.outputs[active]):
                            self._frames[-1], self._around[-1] = before[0] | known.seen, before[1] | known.seen
                            return mapped(out, known.marked())
                    recording = False  # a module that remembers: its costs are recorded, and its options are compared anew
                outputs: dict[tuple[int, ...], Any] = {}
                unknown, seen = NONE, NONE
                for combination in combinations:
                    self._frames[-1], self._around[-1] = before  # what another option has read does not bear on this one
                    try:
                        outputs[combination] = run_option(combination, active, inputs, recording)
                    except (RuntimeError, ValueError, EmptySum):
                        if combination == active:
                            raise
                        # An idle option that cannot take this input: whether it can depends on anything in sight.
                        self._cut(depth)
                        unknown = frozenset(inside) | everything(tensors_in(inputs))
                    seen |= self._frames[-1]
                self._frames[-1], self._around[-1] = before[0] | seen, before[1] | seen
            finally:  # an option around this one may go on without it
                self._recording, self._conditions = recording, conditions
                for (slot, _), option in zip(slots, active, strict=True):
                    slot.active = option
            with self._looking():
                dims, rank = merged(outputs, active, paths, unknown)
                known = Known(outputs=outputs, seen=seen, dims=dims, rank=rank)
                self._runs.keep(module, key, known)
                return mapped(outputs[active], known.marked())

        return run_all

    def _over_every_member(self, module: nn.Module, forward: Any, members: Sequence[Membership]) -> Callable[..., Any]:
        """As `_under_every_option`, but each member runs once, whatever the number of subsets."""
        own = frozenset(member.path for member in members)
        inside = frozenset(_slots_inside(module))
        slots = [list(_slots_inside(part).values()) for part, _ in active_children(module)]

        def run_member(i: int, part: nn.Module, inputs: tuple[Any, ...]) -> Any:
            """A member's output, which is known where its costs are not recorded and its inputs have been seen before."""
            if self._recording:
                return part(*inputs)
            before = self._frames[-1], self._around[-1]
            with self._looking():
                key = described((inputs, before, [slot.active for slot in slots[i]]))
            if (known := self._runs.get(part, key)) is None:
                known = Known(outputs={(): part(*inputs)}, seen=NONE, dims=[], rank=NONE)
                self._runs.keep(part, key, known)
            return known.outputs[()]

        def run_all(*inputs: Any) -> Any:
            branches = list(active_children(module))
            if not any(active for _, active in branches):
                return forward(*inputs)  # raises EmptySum
            recording, conditions, within, depth = self._recording, self._conditions, self._within, len(self._frames)
            self._conditions |= own
            self._fork()
            before = self._frames[-1], self._around[-1]
            outputs: dict[tuple[int, ...], Any] = {}
            unknown = NONE
            try:
                for i, (part, active) in enumerate(branches):
                    self._recording, self._conditions, self._within = recording and active, conditions, (*within, members[i])
                    self._frames[-1], self._around[-1] = before  # what one member reads of a shape is nothing to the others
                    try:
                        outputs[i,] = run_member(i, part, inputs)
                    except (RuntimeError, ValueError, EmptySum):
                        if active:
                            raise
                        self._cut(depth)
                        unknown = inside | everything(tensors_in(inputs))
                self._recording, self._conditions, self._within = recording, conditions | own, within
                taken = [outputs[i,] for i, (_, active) in enumerate(branches) if active]
                total = sum(taken[1:], taken[0])
            finally:
                self._recording, self._conditions, self._within = recording, conditions, within
            with self._looking():
                dims, rank = merged({**outputs, (len(branches),): total}, (len(branches),), list(own), unknown)
                return mapped(total, Known(outputs={}, seen=NONE, dims=dims, rank=rank).marked())

        return run_all

    def _as_declared(self, module: nn.Module, forward: Any, sizes: Paths) -> Callable[..., Any]:
        """The output's sizes depend on the decisions that the module names, and on those of its inputs that are not its own."""
        own = frozenset(_slots_inside(module))
        found: dict[Any, Any] = {}

        def run_active(*inputs: Any) -> Any:
            conditions, before = self._conditions, (self._frames[-1], self._around[-1])
            self._conditions |= own
            try:
                out = forward(*inputs)
            finally:
                self._conditions = conditions
            self._frames[-1], self._around[-1] = before  # sizes that it has read are of its inputs
            with self._looking():
                given = NONE.union(*(paths for x in tensors_in(inputs) for paths in depends(x)[2:])) - own
                shape = tuple([x.shape[2:] for x in tensors_in(out)])
                key = tuple([(path, self._slots[path].active) for path in sorted(sizes | given)])
                if found.setdefault(key, shape) != shape:
                    raise UserError(
                        f"a module made by weightless gives sizes {found[key]} and {shape} under the same options of "
                        f"{', '.join(map(repr, sorted(sizes))) or 'no decision'}; name what else sets its sizes in sized_by"
                    )
                return mapped(out, lambda x: _declared(inputs, x, plus((sizes | given,) * x.dim(), self._around[-1])))

        return run_active

    def _cut(self, depth: int) -> None:
        """Forgets the modules that an error has left."""
        del self._frames[depth:], self._around[depth:], self._composite[depth:]

    def _add_parameters(self) -> None:
        living = Living()
        rest = (0,) * len(self.none[1:])
        for group in self._groups:
            paths, amounts = group.paths, group.amounts
            if not group.present(living):
                amounts = [0] * len(amounts)
            elif group.elastic is not None:
                module, key = group.elastic
                if key in self._slices:
                    numel, seen = self._slices[key]
                    amounts = [numel * one for one in group.each]
                    paths |= seen
                elif id(module) not in self._ran:
                    raise UserError(
                        f"an elastic {type(module).__name__} is on the path but the forward pass given never runs it, so its "
                        "width is unknown; price the supernet with a forward pass that runs every layer"
                    )
            params, *held = amounts
            self._add(paths, (params, 0, *held, *rest))


def _declared(inputs: Any, out: Tensor, sizes: Dims) -> Tensor:
    """`out` marked: batch and channels depend on what the inputs' own do, later dimensions on `sizes`."""
    theirs = aligned([depends(x) for x in tensors_in(inputs) if x.dim() == out.dim()], out.dim()) or sizes
    out = out.view(out.shape)  # an input that is given on keeps its own marks
    mark(out, (*theirs[:2], *sizes[2:]))
    return out


def _slots_inside(module: nn.Module) -> dict[str, Slot]:
    return {slot.path: slot for part in module.modules() for r in readings(part) for slot in r.slots}
