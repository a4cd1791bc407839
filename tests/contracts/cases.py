"""Which systems the laws are tried on: every one that a task lists in its `SYSTEMS`, with every space of it."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from common.space import Arch, ManyOf, OneOf, Repeat, Where, sample
from common.space.walk import fields_of
from common.streams import stream
from common.supernet import Supernet, opened
from common.system import System, systems_of, task_packages
from tests.toy.system import SYSTEM as TOY

WITHOUT_COUNTS = {"dcnas"}
"""Systems whose paper gives its architecture as a figure alone, and no count of it."""


def listed() -> Iterator[tuple[str, System]]:
    """Task and system of every entry, and the toy system of CONTRIBUTING.md."""
    for task in task_packages():
        for system in systems_of(task):
            yield task, system
    yield "toy", TOY


@dataclass(frozen=True)
class Case:
    """One space of one system."""

    task: str
    system: System
    name: str

    @cached_property
    def space(self) -> Any:
        return self.system.spaces()[self.name]

    @cached_property
    def supernet(self) -> Supernet:
        """Built once; its norms have weights and statistics that differ per channel, so that a wrong slice shows."""
        with torch.random.fork_rng([]):
            torch.manual_seed(0)
            net = Supernet(self.system.build(opened(self.space)), self.space)
            for norm in net.module.modules():
                if isinstance(norm, nn.modules.batchnorm._BatchNorm) and norm.running_mean is not None:
                    norm.running_mean.normal_(0, 0.1)
                    norm.running_var.uniform_(0.5, 2)
                    if norm.affine:
                        norm.weight.data.uniform_(0.5, 1.5)
                        norm.bias.data.normal_(0, 0.1)
        return net

    @cached_property
    def big(self) -> bool:
        """More than ten million weights: fewer repetitions are enough."""
        return sum(p.numel() for p in self.supernet.module.parameters()) > 10_000_000

    def archs(self, count: int, *names: str) -> list[Arch]:
        """Random architectures, the same ones every time; not all alike where the space has more than one."""
        rng = stream(0, self.task, self.system.name, self.name, *names)
        found: dict[Arch, None] = {}
        for _ in range(20 * count):
            if len(found) < count:
                found[sample(self.space, rng)] = None
        return list(found)

    def inputs(self, seed: int = 0) -> tuple[Tensor, ...]:
        """The example with random values; indices (graphs) are left as they are."""
        rng = torch.Generator().manual_seed(seed)
        return tuple(filled(x, rng) for x in self.system.example(self.name))


def filled(x: Tensor, rng: torch.Generator | None = None) -> Tensor:
    """Random values of the shape and type of `x`; indices (graphs) as they are."""
    rng = rng or torch.Generator().manual_seed(0)
    if x.is_floating_point():
        return torch.randn(x.shape, generator=rng)
    return torch.randint(0, 256, x.shape, generator=rng, dtype=x.dtype) if x.dtype == torch.uint8 else x


SYSTEMS = list(listed())
CASES = [Case(task, system, name) for task, system in SYSTEMS for name in system.spaces()]
"""Systems without a supernet have no spaces."""


def tensors(value: Any) -> list[Tensor]:
    """Every tensor in a network's output."""
    if isinstance(value, Tensor):
        return [value]
    parts = value.values() if isinstance(value, dict) else value
    return [x for part in parts for x in tensors(part)]


def equal(a: Any, b: Any) -> bool:
    """Bit for bit, all finite."""
    xs, ys = tensors(a), tensors(b)
    return len(xs) == len(ys) > 0 and all(torch.equal(x, y) and bool(x.isfinite().all()) for x, y in zip(xs, ys, strict=True))


def reordered(space: Any) -> Any:
    """`space` with the options of every decision in the opposite order."""
    match space:
        case OneOf():
            return OneOf(*(reordered(option) for option in reversed(space.options)))
        case ManyOf():
            return ManyOf([reordered(option) for option in reversed(space.options)], space.low, space.high)
        case Repeat():
            return Repeat(reordered(space.item), reordered(space.count))
        case Where():
            return Where(reordered(space.item), space.holds, space.why)
        case tuple() | list():
            return tuple(reordered(value) for value in space)
        case dict():
            return {key: reordered(value) for key, value in space.items()}
        case _ if dataclasses.is_dataclass(space) and not isinstance(space, type):
            return type(space)(**{name: reordered(getattr(space, name)) for name in fields_of(type(space))})
        case _:
            return space
