"""Measures a latency table: each option inside a network, or the whole network where an option changes more than its own output.

Worked example: two 1x1 convolutions of widths a and b, both of (1, 2), so that the second layer takes a * b ms. From a = b = 1
the second options add 1 ms each, but a = b = 2 adds 3 ms and not 2. Rows alone predict 1 ms too little; the pair (a, b) has this
1 ms in its last entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from random import Random
from statistics import median
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from common.cost.conditions import assignments, conditions_of, with_options
from common.cost.latency import conditions, measure
from common.cost.shapes import tensors_in
from common.cost.table import Errors, LatencyTable, spearman
from common.errors import UserError
from common.space import Arch, Decision, decisions, decode, label, sample, space_fingerprint
from common.trace import active_children, readings, sums_members

Build = Callable[[Any], nn.Module]


class Opened(Protocol):
    """The part of a supernet that a latency table needs: its modules and their space, not its weights."""

    module: nn.Module
    space: Any


def build_table(
    supernet: Opened,
    inputs: Sequence[Tensor],
    build: Build,
    *,
    repeats: int = 30,
    device: torch.device | str = "cpu",
    observe: Callable[[str], None] = lambda line: None,
    pairs: Sequence[tuple[str, str]] = (),
) -> LatencyTable:
    """Measures every option of every decision.

    The options of a `Choice` are timed alone, each on the tensors that it gets in the network, provided that all options have
    the same output shapes. The options of any other decision (width, depth, resolution) are timed by the whole network.

    Args:
        supernet: the supernet whose options are measured.
        inputs: example inputs; their batch size is the batch size timed.
        build: builds the standalone network.
        repeats: timed passes per measurement, at least 2.
        device: device to measure on.
        observe: receives one line of text per decision, and per pair.
        pairs: decisions whose options are timed together as well, by the whole network.

    Raises:
        UserError: a `Where` rule forbids an option next to the first options of the other decisions.
    """
    space = supernet.space
    found, parents = decisions(space), conditions_of(space)
    homes = _homes(supernet.module)
    sizes = {path: len(decision) for path, decision in found.items()}

    rows: dict[str, list[float]] = {}
    for path, decision in found.items():
        around = next(taken for taken in assignments([path], sizes, parents) if taken[path] == 0)
        archs = [_settled(space, {**around, path: option}) for option in range(len(decision))]
        networks = [build(decode(space, arch)).to(device).eval() for arch in archs]
        calls = [_calls(network, homes.get(path, []), inputs, device) for network in networks]
        shapes = [[(call.name, call.shapes) for call in called] for called in calls]
        if not calls[0] or shapes != [shapes[0]] * len(shapes):
            calls = [[_Call(name="", args=tuple(inputs), named={}, shapes=None)]] * len(networks)  # "" is the whole network
        times = [
            sum(call.median_ms(network, repeats, device) for call in called)
            for network, called in zip(networks, calls, strict=True)
        ]
        rows[path] = [round(t - times[0], 6) for t in times]
        observe(f"{path}: " + ", ".join(f"{name} {t:.3f} ms" for name, t in zip(_labels(decision), times, strict=True)))

    def whole(wanted: Mapping[str, int]) -> float:
        network = build(decode(space, _settled(space, wanted)))
        return measure(network, inputs, repeats=repeats, device=device).median_ms

    base = whole({})
    return LatencyTable(
        space=space_fingerprint(space),
        base_ms=base,
        rows=rows,
        labels={path: _labels(decision) for path, decision in found.items()},
        conditions={**conditions(torch.device(device), inputs), "repeats": repeats},
        pairs=_together(rows, base, pairs, whole, observe),
    )


def _together(
    rows: Mapping[str, list[float]],
    base: float,
    pairs: Sequence[tuple[str, str]],
    whole: Callable[[Mapping[str, int]], float],
    observe: Callable[[str], None],
) -> dict[str, dict[str, list[list[float]]]]:
    """What the options of each pair take together beyond both rows; nothing where one of them is the first option.

    Args:
        rows: of the table.
        base: milliseconds of the network of all first options.
        pairs: decisions.
        whole: options -> milliseconds of the network of these and of first options.
        observe: receives a line for each pair.
    """
    found: dict[str, dict[str, list[list[float]]]] = {}
    for first, second in pairs:
        times = [[0.0] * len(rows[second]) for _ in rows[first]]
        for a, b in product(range(1, len(rows[first])), range(1, len(rows[second]))):
            times[a][b] = round(whole({first: a, second: b}) - base - rows[first][a] - rows[second][b], 6)
        found.setdefault(first, {})[second] = times
        observe(f"{first} with {second}: {min(map(min, times)):+.3f} to {max(map(max, times)):+.3f} ms")
    return found


def errors(
    table: LatencyTable,
    supernet: Opened,
    inputs: Sequence[Tensor],
    build: Build,
    *,
    n: int = 10,
    seed: int = 0,
    repeats: int = 30,
    device: torch.device | str = "cpu",
) -> Errors:
    """Compares predictions with measurements on `n` architectures (at least 2), sampled at random with `seed`."""
    rng = Random(seed)
    archs = [sample(supernet.space, rng) for _ in range(n)]
    predicted = [table.predict(arch) for arch in archs]
    measured = [measure(build(decode(supernet.space, arch)), inputs, repeats=repeats, device=device).median_ms for arch in archs]
    off = median(100 * abs(p - m) / m for p, m in zip(predicted, measured, strict=True))
    return Errors(n=n, median_percent=off, spearman=spearman(predicted, measured))


def _labels(decision: Decision) -> list[str]:
    return [label(decision, option) for option in range(len(decision))]


def _settled(space: Any, wanted: Mapping[str, int]) -> Arch:
    arch = with_options(space, wanted)
    if arch is None:
        raise UserError("a rule of this space forbids options on their own; a latency table needs a space without such rules")
    return arch


def _homes(module: nn.Module) -> dict[str, list[str]]:
    """Returns decision path -> names of the `Choice` modules that the decision alone selects from.

    Decisions that any other module reads are left out. The standalone network has its modules under the same names.
    """
    places: dict[str, list[str]] = {}
    elsewhere: set[str] = set()

    def walk(part: nn.Module, name: str | None) -> Iterator[None]:  # None inside a sum: `extract` renumbers members
        read = readings(part)
        paths = [slot.path for reading in read for slot in reading.slots]
        if len(paths) == 1 and hasattr(part, "options") and name is not None:
            places.setdefault(paths[0], []).append(name)
        else:
            elsewhere.update(paths)
        names = {id(child): child_name for child_name, child in part.named_children()}
        for child, _ in active_children(part):
            if name is None or sums_members(part):
                yield from walk(child, None)
            else:
                inner = name if hasattr(part, "options") and read else f"{name}.{names[id(child)]}".lstrip(".")
                yield from walk(child, inner)

    list(walk(module, ""))
    return {path: names for path, names in places.items() if path not in elsewhere}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """One call of a module inside a network: the module's name, its arguments, and the shapes of what it gave."""

    name: str
    args: tuple[Any, ...]
    named: Mapping[str, Any]
    shapes: Any

    def median_ms(self, network: nn.Module, repeats: int, device: torch.device | str) -> float:
        """Median time of the call, in milliseconds."""
        module = network.get_submodule(self.name)
        return measure(module, self.args, named=self.named, repeats=repeats, device=device).median_ms


def _calls(network: nn.Module, names: Sequence[str], inputs: Sequence[Tensor], device: torch.device | str) -> list[_Call]:
    """Runs `network` once and returns every call of the modules `names`, in order."""
    seen: list[_Call] = []

    def listen(name: str) -> RemovableHandle:
        def note(module: nn.Module, args: tuple[Any, ...], named: dict[str, Any], out: Any) -> None:
            seen.append(_Call(name=name, args=args, named=named, shapes=[tensor.shape for tensor in tensors_in(out)]))

        return network.get_submodule(name).register_forward_hook(note, with_kwargs=True)

    present = dict(network.named_modules())  # a network leaves out a cell that nothing reads
    if not (names := [name for name in names if name in present]):
        return seen
    hooks = [listen(name) for name in names]
    with torch.inference_mode():
        network(*(x.to(device) for x in inputs))
    for hook in hooks:
        hook.remove()
    return seen
