"""Parameters and multiply-adds (MACs) of any module, from one forward pass on the meta device: shapes only, no arithmetic."""

from __future__ import annotations

import copy
import re
import traceback
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import add
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._device import _device_constructors

from common.cost.conventions import Convention, contractions, nothing
from common.cost.inside import learns, look, name_of
from common.cost.shapes import FREE, perform
from common.errors import UserError

_MAKERS: frozenset[Any] = frozenset(_device_constructors())
Forward = Callable[..., Any]
"""How to run a module: `forward(module, *inputs)`, for modules whose `__call__` is not the pass to count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a network costs.

    Attributes:
        params: learnable numbers, frozen ones and the affine weights of norms included; buffers are not.
        macs: multiply-adds of one pass over the whole batch given.
        convention: name of the convention that `macs` are counted by.
        costs: everything that the convention counts, by name: parameters and multiply-adds too.
        uncounted: names of the operations that have weights or contractions which the convention does not count, in the order
            in which they ran; empty where `macs` are all there is.
    """

    params: int
    macs: int
    convention: str
    costs: Mapping[str, int] = field(default_factory=dict)
    uncounted: tuple[str, ...] = ()


class UncountedWarning(UserWarning):
    """A count lacks the multiply-adds of some operations."""


def uncounted_warning(names: Iterable[str], convention: Convention) -> UncountedWarning:
    """What to say of operations that a convention does not count."""
    remedy = (
        "give a convention with rules for them: contractions.extended(name, {operation: rule})"
        if convention is contractions
        else "the default convention, contractions, counts matrix products, attention and recurrent layers"
    )
    return UncountedWarning(f"{convention.name} does not count {', '.join(names)}; {remedy}")


class Meter(TorchFunctionMode):
    """Adds up what a convention counts of every tensor operation while it is on.

    Attributes:
        counted: Multiply-adds so far, and the further amounts of operations (`Convention.beside`) in their order.
        uncounted: Names of the operations so far that the convention does not count although they have weights or contractions.
    """

    def __init__(self, convention: Convention) -> None:
        super().__init__()
        self.convention = convention
        self.none = (0,) * (1 + len(convention.beside))
        self.counted = self.none
        self.uncounted: dict[str, None] = {}
        tables = (convention.rules, *convention.beside.values())
        self._rules = {function: [table.get(function, nothing) for table in tables] for table in tables for function in table}
        self._free = FREE.difference(self._rules)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Runs `func` and counts it."""
        out, counted = self.measured(func, args, placed(func, kwargs or {}))
        if counted is not self.none:
            self.counted = tuple(map(add, self.counted, counted))
        return out

    def measured(self, function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, tuple[int, ...]]:
        """Runs an operation.

        Returns:
            Its result and its amounts, in the order of `counted`; `none` itself for an operation that has none.
        """
        if function in self._free:
            return perform(function, args, kwargs), self.none
        if (rules := self._rules.get(function)) is not None:
            if function in self.convention.partly:
                self.uncounted[name_of(function)] = None
            out = perform(self.convention.like.get(function, function), args, kwargs)
            return out, tuple([rule(args, kwargs, out) for rule in rules])
        out, found = look(function, args, kwargs)
        macs = found.macs if self.convention.inside else 0
        if macs < found.macs or found.heavy or (found.odd and learns(args, kwargs)):
            self.uncounted[name_of(function)] = None
        return out, (macs, *self.none[1:]) if macs else self.none


def placed(function: Any, kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
    """The keyword arguments of an operation; what would make a tensor on the default device makes it on the meta device."""
    return {**kwargs, "device": "meta"} if function in _MAKERS and kwargs.get("device") is None else kwargs


def on_meta(module: nn.Module) -> nn.Module:
    """A copy of `module` in eval mode whose parameters and buffers have shapes but no data."""
    memo: dict[int, Any] = {}
    for parameter in module.parameters():
        empty = torch.empty_like(parameter, device="meta")
        memo[id(parameter)] = nn.Parameter(empty, requires_grad=parameter.requires_grad)
    for buffer in module.buffers():
        memo[id(buffer)] = torch.empty_like(buffer, device="meta")
    for part in module.modules():  # each has ten dictionaries of hooks; to copy the empty ones took half of the time
        memo.update((id(held), OrderedDict()) for held in vars(part).values() if type(held) is OrderedDict and not held)
    return copy.deepcopy(module, memo).eval()


def run(module: nn.Module, inputs: Iterable[Tensor], forward: Forward | None, mode: TorchFunctionMode) -> Any:
    """A pass of `module`, itself on the meta device, under `mode`.

    Raises:
        UserError: the pass needs numbers, which tensors on the meta device do not have.
    """
    empty = [x.to("meta") for x in inputs]
    try:
        with torch.no_grad(), mode:  # `placed` does the work of torch.device("meta"), at a fraction of its time
            return module(*empty) if forward is None else forward(module, *empty)
    except (RuntimeError, TypeError) as error:  # NotImplementedError is a RuntimeError
        if not re.search(r"(?<![a-z])meta(?![a-z])", str(error), re.IGNORECASE):  # an error of the network's own
            raise
        raise UserError(
            f"multiply-adds are counted from shapes, but the network needs numbers in {_place(error)} "
            f"({str(error).splitlines()[0].partition('. ')[0].rstrip('.!')}); "
            "compute masks, nonzero, item() and the like outside of the network and hand them in as inputs, and keep tensors of "
            "the network as buffers (register_buffer)"
        ) from error


def _place(error: BaseException) -> str:
    """The file and line of a network that an error comes from: the innermost that is neither torch's nor a counter's."""
    inside = (str(Path(torch.__file__).parent), str(Path(__file__).parent))
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(inside)]
    return f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else "a layer of torch's"


def count(
    module: nn.Module, inputs: Sequence[Tensor], *, forward: Forward | None = None, convention: Convention = contractions
) -> Cost:
    """Counts parameters and multiply-adds without computing anything.

    Operations with weights or contractions that the convention does not count are named in a warning and in the result.

    Args:
        module: any module, on any device; it is not changed. A shared parameter counts once.
        inputs: example inputs, one image usually; only shapes and types matter.
        forward: how to run it, where that is not `module(*inputs)`; a detector's raw outputs, for example.
        convention: what counts as a multiply-add: every contraction by default.
    """
    meter = Meter(convention)
    run(on_meta(module), inputs, forward, meter)
    if meter.uncounted:
        warnings.warn(uncounted_warning(meter.uncounted, convention), stacklevel=2)
    params, *held = _of_parameters(module, convention)
    macs, *beside = meter.counted
    costs = convention.vector((params, macs, *held, *beside))
    return Cost(
        params=costs["params"],
        macs=costs["macs"],
        convention=convention.name,
        costs=costs,
        uncounted=tuple(meter.uncounted),
    )


def _of_parameters(module: nn.Module, convention: Convention) -> list[int]:
    """How many learnable numbers there are, and the further amounts that they have; a shared parameter counts once."""
    totals, known = [0] * (1 + len(convention.held)), set[int]()
    for part in module.modules():
        for name, parameter in part._parameters.items():
            if parameter is not None and id(parameter) not in known:
                known.add(id(parameter))
                for i, each in enumerate(each_of(convention, part, name)):
                    totals[i] += parameter.numel() * each
    return totals


def each_of(convention: Convention, module: nn.Module, name: str) -> tuple[int, ...]:
    """What one number of a parameter counts: 1 parameter, and its further amounts.

    Args:
        convention: names the amounts.
        module: has the parameter.
        name: of the parameter in the module.
    """
    return (1, *[held(module, name) for held in convention.held.values()])
