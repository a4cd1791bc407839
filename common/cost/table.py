"""A latency table: the time that each option of each decision adds to a network.

`build_table` measures the options once; `LatencyTable.predict` then sums them for any architecture. As in ProxylessNAS (Cai et
al., 2019) and FBNet (Wu et al., 2019), but each option is timed inside a network, on the tensors that reach the option there.
The sum is an estimate; `errors` compares it with measurements.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain
from math import isfinite
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from common.cost.conditions import assignments, conditions_of, with_options
from common.cost.latency import conditions, measure
from common.cost.shapes import tensors_in
from common.errors import UserError, cut
from common.json_text import NotJson, read_foreign
from common.overrides import from_plain
from common.space import Arch, Decision, decisions, decode, label, sample, space_fingerprint
from common.trace import active_children, readings, sums_members

Build = Callable[[Any], nn.Module]

MOST_PERCENT = 50.0
"""Largest median error of a table that networks may be chosen by, in percent of the measured time."""
LEAST_RANK = 0.5
"""Smallest rank correlation of predicted and measured times of such a table."""


class Opened(Protocol):
    """The part of a supernet that a latency table needs: its modules and their space, not its weights."""

    module: nn.Module
    space: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Errors of the predictions of a table, and whether they are too large to choose networks by it.

    Attributes:
        n: number of architectures measured.
        median_percent: the median of |predicted - measured| / measured, in percent.
        spearman: rank correlation of predicted and measured times, -1 to 1.
    """

    n: int
    median_percent: float
    spearman: float

    def faults(self) -> list[str]:
        """What speaks against the use of the table; empty where the check is passed."""
        found: list[str] = []
        if not self.median_percent <= MOST_PERCENT:
            found.append(f"an error of {self.median_percent:.1f} % (at most {MOST_PERCENT:g} %)")
        if not self.spearman >= LEAST_RANK:
            found.append(f"a rank correlation of {self.spearman:.2f} (at least {LEAST_RANK:g})")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyTable:
    """Times of options, to be summed for an architecture.

    Attributes:
        space: fingerprint of the space.
        base_ms: time of the network of all first options, in milliseconds.
        rows: decision path -> for each option, its time minus the first option's time (milliseconds, may be negative).
        labels: decision path -> the options' labels.
        conditions: conditions of the measurement: device, threads, batch and the like.
        check: the `Errors` of the table on random architectures, by name; empty before they are measured.
    """

    space: str
    base_ms: float
    rows: dict[str, list[float]]
    labels: dict[str, list[str]]
    conditions: dict[str, str | int]
    check: dict[str, float] = field(default_factory=dict)

    def predict(self, arch: Mapping[str, int]) -> float:
        """Returns the estimated milliseconds per pass: `base_ms` plus the row entry of each decision of `arch`.

        Raises:
            UserError: the table has no row for a decision of `arch`.
        """
        if unknown := [path for path in arch if path not in self.rows]:
            raise UserError(f"the latency table has no decision {unknown[0]!r}; build a table for this space")
        return self.base_ms + sum(self.rows[path][option] for path, option in arch.items())

    def faults(self) -> list[str]:
        """What its own check says against its use; empty where there is nothing, or where nothing was checked."""
        return from_plain(Errors, self.check, "check").faults() if self.check else []

    def text(self) -> str:
        """The table as JSON, what `load` reads; `common.run.files.write_atomic` writes it without leaving half a file."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def load(cls, path: Path, space: Any) -> LatencyTable:
        """Reads the table of `space` from the file `path`.

        Raises:
            UserError: the file is missing, is not a latency table, or is the table of another space.
        """
        try:
            table = from_plain(cls, read_foreign(path), "it")
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror}); build the latency table first") from error
        except (NotJson, UserError) as error:
            raise UserError(f"{path}: is not a latency table ({cut(str(error))}); build it again") from error
        if table.space != space_fingerprint(space):
            raise UserError(f"{path}: was measured for another space; build a latency table for this one")
        sizes = {name: len(decision) for name, decision in decisions(space).items()}
        if {name: len(row) for name, row in table.rows.items()} != sizes or not all(map(isfinite, chain(*table.rows.values()))):
            raise UserError(f"{path}: does not have a time for every option; build it again")
        return table


def build_table(
    supernet: Opened,
    inputs: Sequence[Tensor],
    build: Build,
    *,
    repeats: int = 30,
    device: torch.device | str = "cpu",
    observe: Callable[[str], None] = lambda line: None,
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
        observe: receives one line of text per decision.

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
    first = build(decode(space, _settled(space, {})))
    return LatencyTable(
        space=space_fingerprint(space),
        base_ms=measure(first, inputs, repeats=repeats, device=device).median_ms,
        rows=rows,
        labels={path: _labels(decision) for path, decision in found.items()},
        conditions={**conditions(torch.device(device), inputs), "repeats": repeats},
    )


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


def spearman(a: Sequence[float], b: Sequence[float]) -> float:
    """Returns the rank correlation of `a` and `b`: equal values share their mean rank; 0 if one side is constant."""
    ranks = torch.tensor([_ranks(a), _ranks(b)], dtype=torch.float64)
    ranks = ranks - ranks.mean(1, keepdim=True)
    norm = ranks.norm(dim=1).prod()
    return float((ranks[0] * ranks[1]).sum() / norm) if norm > 0 else 0.0


def _ranks(values: Sequence[float]) -> list[float]:
    return [sum(v < w for v in values) + (sum(v == w for v in values) - 1) / 2 for w in values]


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
