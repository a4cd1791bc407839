"""What a task gives the core, and what a system is. The core knows networks, batches and metrics through these alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from common.objective import Objective
from common.space import Arch

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor, nn

    from common.stages.settings import PhaseSettings

Batch = TypeVar("Batch")
SplitName = Literal["val", "test"]


class Phase(Protocol):
    """One phase of training a network: what is optimised, on which batches, with which loss."""

    @property
    def name(self) -> str:
        """Names the phase in files and on the screen."""
        ...

    @property
    def settings(self) -> PhaseSettings:
        """Steps, batch size and optimiser."""
        ...

    def wrap(self, network: nn.Module, seed: int) -> nn.Module:
        """The module this phase trains: the network, or a part of it with a head for the phase; weights are shared."""
        ...

    def batch_at(self, step: int, seed: int) -> Any:
        """The batch of a step: a pure function of its arguments."""
        ...

    def loss(self, model: nn.Module, batch: Any) -> Mapping[str, Tensor]:
        """Named loss terms of the wrapped module; their sum is minimised."""
        ...

    def finish(self, network: nn.Module, model: nn.Module) -> None:
        """Called after the last step with the network and what `wrap` made of it; again if a run was killed just then."""
        ...


class Task(Protocol):
    """A searchable problem: a space, a build function, data and metrics."""

    @property
    def space(self) -> Any:
        """The description of the network with open decisions."""
        ...

    @property
    def objectives(self) -> Sequence[Objective]:
        """What is searched for; the first is the quality that networks are compared by."""
        ...

    @property
    def baseline(self) -> Arch:
        """The hand-made architecture of the space that a search has to beat."""
        ...

    def supernet(self, seed: int) -> nn.Module:
        """The build of the opened space; initial weights are a function of `seed`."""
        ...

    def network(self, arch: Arch, seed: int) -> nn.Module:
        """The network of an architecture as it is trained alone; initial weights are a function of `seed`."""
        ...

    def phases(self, kind: Literal["supernet", "standalone"]) -> Sequence[Phase]:
        """How a network is trained, in order."""
        ...

    def metrics(self, network: nn.Module, split: SplitName, limit: int | None = None) -> dict[str, float]:
        """Metrics on a split (its first `limit` items), the network in eval mode."""
        ...

    def costs(self, arch: Arch) -> dict[str, int]:
        """What an architecture costs, without building it; `params` and `macs` at least, of the whole model."""
        ...


class CalibratedTask(Task, Protocol):
    """A task whose supernet scores a path after re-estimating its BatchNorm statistics."""

    def calibration(self, batches: int, batch: int) -> Iterable[Any]:
        """Training batches, always the same ones, to re-estimate BatchNorm statistics with."""
        ...

    def calibrate(self, network: nn.Module, batch: Any) -> object:
        """Runs the network on a batch as far as its normalisations go."""
        ...


class TunedTask(Task, Protocol):
    """A task whose training can be tuned for each network."""

    def tuned(self, words: Sequence[str]) -> Task:
        """The same task, on the same data, with other settings.

        Args:
            words: `name=value`, as `--set` takes them.

        Raises:
            UserError: no such setting, or a value it refuses.
        """
        ...


class RecutTask(Task, Protocol):
    """A task whose training and validation data can be cut anew."""

    def recut(self, number: int) -> Task:
        """The same task on another cut of the same data, as large as its own; the test split stays.

        Args:
            number: of the cut, 1 or more: a function of it alone.
        """
        ...


class PresentedTask(Task, Protocol):
    """A task whose networks can be shown and exported."""

    def pictures(self, network: nn.Module, folder: Path, count: int) -> list[dict[str, str]]:
        """Writes sample predictions on test items as PNG files into `folder`; gives rows of `file` and `caption`."""
        ...

    def export(self, network: nn.Module, folder: Path) -> float:
        """Writes `model.onnx` and what else is needed to use the network; gives the largest difference to the ONNX outputs."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedRun:
    """A run folder made usable again from its own files, without the data it was made with.

    Attributes:
        space: the description of the run's networks with open decisions.
        build: description -> module (a network, or a supernet when opened).
        example: inputs of a network as it is exported.
        export: (network, folder) -> facts for the screen; writes `model.onnx`, checked, and `use.py` into the folder.
        predict: (network, image files, folder) -> one JSON object per image, in order; draws each into the folder.
    """

    space: Any
    build: Callable[[Any], nn.Module]
    example: Callable[[], tuple[Tensor, ...]]
    export: Callable[[nn.Module, Path], Mapping[str, Any]]
    predict: Callable[[nn.Module, Sequence[Path], Path], Iterable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A published system as the laws see it: every system listed in a task's `SYSTEMS` is held to them.

    Attributes:
        name: what is typed on the command line.
        title: the system's name in its paper.
        paper: where it was published, e.g. `arXiv:1903.10979`.
        spaces: name -> the open description.
        build: description -> module (a network, or a supernet when opened).
        example: space name -> inputs for the network of that space, small enough for tests.
        published: name -> what the paper and its code give for the architecture.
        describe: (text, space name or None) -> the JSON object that `describe` prints.
        open_run: run folder of this system -> what can be done with it.
    """

    name: str
    title: str
    paper: str
    spaces: Mapping[str, Callable[[], Any]]
    build: Callable[[Any], nn.Module]
    example: Callable[[str], tuple[Tensor, ...]]
    published: Mapping[str, PublishedNetwork]
    describe: Callable[[str, str | None], dict[str, Any]]
    open_run: Callable[[Path], OpenedRun]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedNetwork:
    """A published architecture as a value of its space, with the counts that were published for it, if any."""

    description: Callable[[], Any]
    arch: Callable[[], Arch]
    params: int | None = None
    macs: int | None = None
