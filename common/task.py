"""What the core knows of a task, and what a system gives its task: the networks that a run works on. No torch here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from common.space import Arch

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    from torch import Tensor, nn

    from common.cost.bounds import Least
    from common.cost.prices import Metric, Prices
    from common.objective import Objective
    from common.relax.ranked import Bound
    from common.search.policy import Policy
    from common.stages.settings import TrainSettings
    from common.train.step import Step

SplitName = Literal["val", "test"]
Kind = Literal["supernet", "relaxed", "standalone"]
"""What is trained: a supernet whose paths are sampled; weights and architecture of a relaxed one in turn; one network."""


class Phase(Protocol):
    """One phase of training a network: what is optimised, on which batches, with which loss."""

    @property
    def name(self) -> str:
        """Names the phase in files and on the screen."""
        ...

    @property
    def settings(self) -> TrainSettings:
        """Steps and optimiser, at least."""
        ...

    def wrap(self, network: nn.Module, seed: int) -> nn.Module:
        """The module this phase trains: the network, or a part of it with a head for the phase; weights are shared."""
        ...

    def batch_at(self, step: int, seed: int) -> Any:
        """The batch of a step (of a part of it, where a step accumulates several): a pure function of its arguments."""
        ...

    def loss(self, model: nn.Module, batch: Any, step: Step) -> Mapping[str, Tensor]:
        """Named loss terms of the wrapped module; those with "loss" in their name are summed and minimised."""
        ...

    def finish(self, network: nn.Module, model: nn.Module) -> None:
        """Called after the last step with the network and what `wrap` made of it; again if a run was killed just then."""
        ...


class Costs(Protocol):
    """What architectures cost, without training them."""

    def of(self, arch: Arch) -> Mapping[str, float]:
        """Costs by name: `params` and `macs` at least, of the whole model."""
        ...

    def least(self, metric: str) -> Least:
        """What the cheapest architecture costs, as far as that is known."""
        ...


def unchanged(description: Any) -> Any:
    """The description itself."""
    return description


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """A network that is no architecture of the space, which is retrained beside what was found.

    Attributes:
        build: seed -> module; it can be pickled.
        cost: by name, as of architectures.
    """

    build: Callable[[int], nn.Module]
    cost: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks:
    """The networks of a run: what a system makes from its settings and what the data are.

    Attributes:
        space: description with open decisions; what is searched.
        build: (description, seed) -> module; the supernet of an opened description, else a standalone network. Initial weights
            are a function of the seed.
        baseline: the hand-made architecture that a search has to beat.
        costs: what architectures cost.
        alone: description of the space, open or fixed -> that of the network which is trained alone (another stack of the same
            cells, say).
        hand_made: further hand-made architectures by name.
        outside: what was found -> networks outside of the space by name, of the same cost say; None without any. They are left
            out where settings are tuned for every network.
        order: groups of decisions from simple to complex, for progressive search; None where there is no such order.
        random_like: (found architecture, rng) -> a random architecture of the same form; None: uniform ones are compared with.
        draw: architecture -> a picture of it as SVG text; None: the report draws the decisions.
        price: cost name -> a table of prices and its entry, for costs that are sums over decisions, None for the latency of a
            table; None where no cost is such a sum.
        policy: seed -> the policy over the architectures that the system brings, for the engine `controller`; None without one.
        guide: cost name -> roughly what each option adds to it, where costs are no such sums; None without one.
        has_supernet: whether `build` takes an opened description; a system of fixed networks has no supernet.
    """

    space: Any
    build: Callable[[Any, int], nn.Module]
    baseline: Arch
    costs: Costs
    alone: Callable[[Any], Any] = unchanged
    hand_made: Mapping[str, Arch] = field(default_factory=dict)
    outside: Callable[[Arch], Mapping[str, Outside]] | None = None
    order: Sequence[Sequence[str]] | None = None
    random_like: Callable[[Arch, Random], Arch] | None = None
    draw: Callable[[Arch], str] | None = None
    price: Callable[[str], tuple[Prices, Metric] | None] | None = None
    policy: Callable[[int], Policy] | None = None
    guide: Callable[[str], Sequence[Bound]] | None = None
    has_supernet: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How BatchNorm statistics of a path of the supernet are estimated again before it is evaluated.

    Attributes:
        batches: (number of batches, batch size) -> training batches, always the same ones.
        forward: runs a network on a batch, as far as its normalisations go.
    """

    batches: Callable[[int, int], Iterable[Any]]
    forward: Callable[[nn.Module, Any], object]


class Task(Protocol):
    """A searchable problem as stages see it: networks, training and metrics; see `common.system_task.SystemTask`."""

    @property
    def networks(self) -> Networks:
        """The networks of the system, with what is optional about them."""
        ...

    @property
    def space(self) -> Any:
        """The description of the network with open decisions."""
        ...

    @property
    def baseline(self) -> Arch:
        """The hand-made architecture of the space that a search has to beat."""
        ...

    @property
    def objectives(self) -> Sequence[Objective]:
        """What is searched for; the first is the quality that networks are compared by."""
        ...

    @property
    def calibration(self) -> Calibration | None:
        """For networks with BatchNorm: how statistics are estimated again; None where nothing is to be estimated."""
        ...

    def supernet(self, seed: int) -> nn.Module:
        """The build of the opened space; initial weights are a function of `seed`."""
        ...

    def network(self, arch: Arch, seed: int) -> nn.Module:
        """The network of an architecture as it is trained alone; initial weights are a function of `seed`."""
        ...

    def costs(self, arch: Arch) -> Mapping[str, float]:
        """What an architecture costs, without building it; `params` and `macs` at least, of the whole model."""
        ...

    def phases(self, kind: Kind) -> Sequence[Phase]:
        """How a network is trained, in order; empty for a kind that the system does not train."""
        ...

    def metrics(self, network: nn.Module, split: SplitName, limit: int | None = None) -> dict[str, float]:
        """Metrics on a split (its first `limit` items), the network in eval mode."""
        ...

    def variant(self, overrides: Sequence[str] = (), cut: int = 0) -> Task:
        """The same task with other settings, or on another cut of the same data.

        Args:
            overrides: `name=value`, as `--set` takes them.
            cut: number of the cut of training and validation data; 0 is the task's own. The test split stays.

        Raises:
            UserError: no such setting, a value it refuses, or data that cannot be cut anew.
        """
        ...

    def pictures(self, network: nn.Module, folder: Path, count: int) -> list[dict[str, str]]:
        """Writes sample predictions on test items as PNG files into `folder`; gives rows of `file` and `caption`."""
        ...

    def export(self, network: nn.Module, folder: Path) -> float:
        """Writes `model.onnx` and what else is needed to use the network; gives the largest difference to the ONNX outputs."""
        ...


class Facts(Protocol):
    """What a run remembers of its data: enough to build, export and use its networks without them."""

    def example(self) -> tuple[Tensor, ...]:
        """Inputs of a network as it is exported."""
        ...

    def export(self, network: nn.Module, folder: Path) -> Any:
        """Writes `model.onnx`, checked against torch, and `use.py` into `folder`; gives a `common.export.Parity`."""
        ...

    def predict(self, network: nn.Module, files: Sequence[Path], folder: Path) -> Iterator[Mapping[str, Any]]:
        """One JSON object per input file, in order; each prediction is drawn or written into `folder`.

        Raises:
            UserError: a file is missing or cannot be used; nothing is written before every file is read.
        """
        ...
