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
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from common.cost.conditions import Condition
from common.cost.conventions import Convention
from common.cost.count import Forward, Meter, run
from common.cost.dims import Dims, aligned, depends, everything, mark, plus, through
from common.cost.presence import NONE, Membership, Paths, conditioned, memberships, parameter_groups
from common.cost.shapes import perform, tensors_in
from common.errors import UserError
from common.layers import EmptySum
from common.trace import Slot, active_children, feature_axis, is_elastic, readings, sets_width, sums_members

_SHAPE_READS = {
    torch.Tensor.shape.__get__,  # pyright: ignore[reportAttributeAccessIssue]
    torch.Tensor.size,
    torch.Tensor.numel,
    torch.Tensor.nelement,
    torch.Tensor.__len__,
}


def _shapes(value: Any) -> Any:
    """Everything that code after a module can read from the module's output without data: shapes and plain values."""
    if isinstance(value, Tensor):
        return value.shape
    if isinstance(value, tuple | list):
        return tuple(_shapes(part) for part in value)
    if isinstance(value, dict):
        return tuple((key, _shapes(part)) for key, part in value.items())
    return value if isinstance(value, int | float | str) else type(value)


def _mapped(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_mapped(part, change) for part in value))
    if isinstance(value, tuple | list):
        return type(value)(_mapped(part, change) for part in value)
    return {key: _mapped(part, change) for key, part in value.items()} if isinstance(value, dict) else value


def _holds_numbers(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return any(_holds_numbers(part) for part in value)
    return isinstance(value, int) or (isinstance(value, dict) and _holds_numbers(list(value.values())))


class Dependencies(Meter):
    """Traces `module`, a private copy of a supernet on the meta device; `conditions`: see `common.cost.conditions`.

    `trace()` fills `terms`: set of decisions -> `[params, macs]`, summed over all costs that depend on exactly these decisions.
    """

    def __init__(self, module: nn.Module, convention: Convention, conditions: Mapping[str, Condition | None]) -> None:
        super().__init__(convention)
        self.module = module
        self.terms: dict[Paths, list[int]] = {}
        self._recording = True
        self._conditions: Paths = NONE  # the decisions that put the running layer on the path
        self._within: tuple[Membership, ...] = ()  # the members of subsets that it is part of
        self._frames: list[Paths] = [NONE]  # per running module: decisions behind the shapes it has read
        self._composite = [True]  # per running module: whether it has children
        self._aside = False  # while the tracer itself reads shapes
        self._ran: set[int] = set()
        self._slices: dict[int, tuple[int, Paths]] = {}
        members = {id(part): memberships(part, conditions) for part in module.modules() if sums_members(part)}
        self._groups = parameter_groups(module, members)
        self._sliced = {group.elastic[1] for group in self._groups if group.elastic is not None}
        for part in list(module.modules()):
            part.register_forward_pre_hook(self._enter)
            part.register_forward_hook(self._leave)
            if is_elastic(part):
                part.forward = self._with_width_apart(part, part.forward)
            if id(part) in members:
                part.forward = self._over_every_member(part, part.forward, members[id(part)])
            elif slots := {slot.path: (slot, n) for r in readings(part) for slot, n in zip(r.slots, r.sizes, strict=True)}:
                part.forward = self._under_every_option(part, part.forward, list(slots.values()))

    def trace(self, inputs: Sequence[Tensor], forward: Forward | None) -> None:
        """Fills `terms` for the options that are active now; raises `UserError` if an active elastic layer never runs."""
        self.terms, self._slices, self._ran = {}, {}, set()
        self._frames, self._composite, self._conditions, self._recording = [NONE], [True], NONE, True
        self._within = ()
        self._aside = False
        run(self.module, inputs, forward, self)
        self._add_parameters()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Runs `func`, records its cost and gives its output the decisions that its operands depend on."""
        kwargs = kwargs or {}
        if self._aside:
            return perform(func, args, kwargs)
        out, macs = self.measured(func, args, kwargs) if self._recording else (perform(func, args, kwargs), 0)
        tensors = tensors_in((args, kwargs))
        depending = everything(tensors)
        if func in _SHAPE_READS:  # a number carries no decisions: all that this module does from here may depend on it
            self._look(depending)
            return out
        around = NONE.union(*self._frames)
        if self._recording:
            if macs:
                self._add(self._here(depending | around), 0, macs)
            if func is torch.Tensor.__getitem__ and id(args[0]) in self._sliced:
                most, before = self._slices.get(id(args[0]), (0, NONE))
                self._slices[id(args[0])] = max(most, out.numel()), before | self._here(around)
        if depending or around:
            for tensor in tensors_in(out):
                found = plus(through(func, args, kwargs, tensor, depending), around)
                mark(tensor, aligned((depends(tensor), found), tensor.dim()) or found)
        return out

    def _here(self, depends: Paths) -> Paths:
        """Returns `depends` plus the decisions that put the running layer on the path."""
        return conditioned(depends | self._conditions, self._within)

    def _add(self, depends: Paths, params: int, macs: int) -> None:
        term = self.terms.setdefault(depends, [0, 0])
        term[0] += params
        term[1] += macs

    def _look(self, depends: Paths) -> None:
        if not depends <= self._frames[-1]:
            self._frames[-1] |= depends
            if self._composite[-1]:
                self._fork()

    def _fork(self) -> None:
        """Adds a term of cost 0: which operations follow may depend on the decisions behind the shapes read so far."""
        if self._recording:
            self._add(self._here(NONE.union(*self._frames)), 0, 0)

    @contextmanager
    def _looking(self) -> Iterator[None]:
        self._aside = True
        yield
        self._aside = False

    def _enter(self, module: nn.Module, _: Any) -> None:
        self._frames.append(NONE)
        self._composite.append(next(module.children(), None) is not None)
        if self._recording:
            self._ran.add(id(module))

    def _leave(self, module: nn.Module, _: Any, out: Any) -> None:
        seen = self._frames.pop()
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
                mark(out, plus(theirs, NONE.union(*self._frames[:-1])))
            return out

        return run_apart

    def _under_every_option(self, module: nn.Module, forward: Any, slots: list[tuple[Slot, int]]) -> Callable[..., Any]:
        own = frozenset(slot.path for slot, _ in slots)
        inside = frozenset(slot.path for part in module.modules() for r in readings(part) for slot in r.slots)
        combinations = list(product(*(range(n) for _, n in slots)))
        has_children = next(module.children(), None) is not None

        def run_all(*inputs: Any) -> Any:
            active = tuple(slot.active for slot, _ in slots)
            recording, conditions, depth = self._recording, self._conditions, len(self._frames)
            self._conditions |= own
            if has_children:
                self._fork()
            outputs: dict[tuple[int, ...], Any] = {}
            unknown = NONE
            try:
                for combination in combinations:
                    self._recording = recording and combination == active
                    for (slot, _), option in zip(slots, combination, strict=True):
                        slot.active = option
                    try:
                        outputs[combination] = forward(*inputs)
                    except (RuntimeError, ValueError, EmptySum):
                        if combination == active:
                            raise
                        # An idle option that cannot take this input: whether it can depends on anything in sight.
                        del self._frames[depth:], self._composite[depth:]
                        unknown = inside | everything(tensors_in(inputs))
            finally:  # an option around this one may go on without it
                self._recording, self._conditions = recording, conditions
                for (slot, _), option in zip(slots, active, strict=True):
                    slot.active = option
            with self._looking():
                return self._merged(outputs, active, [slot.path for slot, _ in slots], unknown)

        return run_all

    def _over_every_member(self, module: nn.Module, forward: Any, members: Sequence[Membership]) -> Callable[..., Any]:
        """As `_under_every_option`, but each member runs once, whatever the number of subsets."""
        own = frozenset(member.path for member in members)
        inside = frozenset(slot.path for part in module.modules() for r in readings(part) for slot in r.slots)

        def run_all(*inputs: Any) -> Any:
            branches = list(active_children(module))
            if not any(active for _, active in branches):
                return forward(*inputs)  # raises EmptySum
            recording, conditions, within, depth = self._recording, self._conditions, self._within, len(self._frames)
            self._conditions |= own
            self._fork()
            outputs: dict[tuple[int, ...], Any] = {}
            unknown = NONE
            try:
                for i, (part, active) in enumerate(branches):
                    self._recording, self._conditions, self._within = recording and active, conditions, (*within, members[i])
                    try:
                        outputs[i,] = part(*inputs)
                    except (RuntimeError, ValueError, EmptySum):
                        if active:
                            raise
                        del self._frames[depth:], self._composite[depth:]
                        unknown = inside | everything(tensors_in(inputs))
                self._recording, self._conditions, self._within = recording, conditions | own, within
                taken = [outputs[i,] for i, (_, active) in enumerate(branches) if active]
                total = sum(taken[1:], taken[0])
            finally:
                self._recording, self._conditions, self._within = recording, conditions, within
            with self._looking():
                out = self._merged({**outputs, (len(branches),): total}, (len(branches),), list(own), unknown)
            return out

        return run_all

    def _merged(self, outputs: dict[tuple[int, ...], Any], active: tuple[int, ...], paths: list[str], unknown: Paths) -> Any:
        """The active output, with the decisions that change its shape and those that any option's output depends on."""
        out = outputs[active]
        shapes = {combination: _shapes(value) for combination, value in outputs.items()}
        tensors = {combination: tensors_in(value) for combination, value in outputs.items()}
        sizes = {combination: tuple([tensor.shape for tensor in found]) for combination, found in tensors.items()}
        comparable = len({tuple(map(len, found)) for found in sizes.values()}) == 1
        differ = len(set(sizes.values())) > 1
        if not (differ and comparable):  # numbers, or the nesting of the output
            unknown |= _mattering(paths, shapes)
        if not comparable:
            unknown |= everything(tensor for found in tensors.values() for tensor in found)
        positions = iter(range(len(tensors[active])))

        def renamed(tensor: Tensor) -> Tensor:
            i = next(positions)
            twin = tensor.detach()  # an option that returns its input must not change what the input depends on
            theirs: Dims = (NONE,) * tensor.dim()
            if comparable:
                theirs = aligned([depends(found[i]) for found in tensors.values()], tensor.dim()) or theirs
            if differ and comparable:
                by_size = [{key: found[i][d] for key, found in sizes.items()} for d in range(tensor.dim())]
                theirs = tuple([own | _mattering(paths, size) for own, size in zip(theirs, by_size, strict=True)])
            mark(twin, plus(theirs, unknown))
            return twin

        return _mapped(out, renamed)

    def _add_parameters(self) -> None:
        for group in self._groups:
            paths, numel = group.paths, group.numel
            if not group.present():
                numel = 0
            elif group.elastic is not None:
                module, key = group.elastic
                if key in self._slices:
                    numel, seen = self._slices[key]
                    paths |= seen
                elif id(module) not in self._ran:
                    raise UserError(
                        f"an elastic {type(module).__name__} is on the path but the forward pass given never runs it, so its "
                        "width is unknown; price the supernet with a forward pass that runs every layer"
                    )
            self._add(paths, numel, 0)


def _mattering(paths: list[str], results: dict[tuple[int, ...], Any]) -> Paths:
    """The decisions that change the result when the other decisions keep their options."""
    found: set[str] = set()
    for position, path in enumerate(paths):
        apart: dict[tuple[int, ...], Any] = {}
        for combination, result in results.items():
            rest = (*combination[:position], *combination[position + 1 :])
            if apart.setdefault(rest, result) != result:
                found.add(path)
    return frozenset(found)
