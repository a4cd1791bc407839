"""What takes part in a training: the step that a loss is told of, and whoever acts beside the weights' optimiser."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from torch import Tensor, nn

if TYPE_CHECKING:
    from common.space import Arch


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The step, and the path of it, in which a loss is computed.

    Attributes:
        number: optimiser steps done before it, from 0.
        progress: share of the training that is done before it, in [0, 1).
        seed: of the training: what a loss draws for itself is a function of it and of `number`.
        path: the architecture that is active; None for a network of one architecture, and for a mixture.
        index: position of the path among those of the step, from 0 (the largest one, in the sandwich rule).
    """

    number: int = 0
    progress: float = 0.0
    seed: int = 0
    path: Arch | None = None
    index: int = 0


class Path(NamedTuple):
    """What is run in a step, once on each of its batches; the gradients of several are summed."""

    activate: Callable[[], object]
    """Switches the network to it."""
    arch: Arch | None = None
    """The architecture that it is, if it is one."""


class Participant:
    """Acts in every step of a training, beside the optimiser of the weights. A subclass overrides what it needs.

    Examples are a source of paths, architecture logits, a controller that learns with the weights, early stopping, a moving
    average of weights. `fit` calls participants in the order they are given in. What one does in a step must be a function of
    the training's seed, the step and of what `tensors` and `state` give: a resumed training then ends with the same bits.

    Attributes:
        name: of its part of a checkpoint; no two participants of a training have the same.
    """

    name: ClassVar[str]

    def before(self, step: Step) -> Sequence[Path] | None:
        """Acts before the weights are stepped on; gives the paths of the step, if this participant chooses them."""
        return None

    def stepping(self) -> AbstractContextManager[object]:
        """The context in which the optimiser of the weights makes its step."""
        return nullcontext()

    def after(self, step: Step, values: Mapping[str, float]) -> None:
        """Acts after the step; `values` are those that are observed."""

    def ended(self) -> bool:
        """Whether the training ends here, as if there were no more steps; asked after each step, and before the first."""
        return False

    def tensors(self) -> Mapping[str, Tensor]:
        """Named tensors that must survive."""
        return {}

    def state(self) -> Mapping[str, Any]:
        """What else must survive: states of optimisers, and what `torch.save` keeps without pickled code."""
        return {}

    def load(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Goes on from what was saved."""


class Losses(nn.Module):
    """A network and the losses of its training as one `forward`: what a step runs, and what can be wrapped whole.

    `DistributedDataParallel(Losses(network, loss))` trains networks whose losses run parts of them, such as two players.
    """

    def __init__(self, network: nn.Module, loss: Callable[[Any, Any, Step], Mapping[str, Tensor]]) -> None:
        """Keeps both; `loss` is (network, batch, step) -> named scalars."""
        super().__init__()
        self.network = network
        self.loss = loss

    def forward(self, batch: Any, step: Step) -> Mapping[str, Tensor]:
        """The loss terms of a batch."""
        return self.loss(self.network, batch, step)


def paths_of(participants: Sequence[Participant], step: Step) -> Sequence[Path]:
    """Lets every participant act before a step; gives the paths to run: the network as it is, if none chooses them.

    Raises:
        ValueError: two participants choose.
    """
    chosen = [(one.name, paths) for one in participants if (paths := one.before(step))]
    if len(chosen) > 1:
        raise ValueError(f"{chosen[0][0]!r} and {chosen[1][0]!r} both choose the paths of a step; give one source of paths")
    return chosen[0][1] if chosen else [Path(lambda: None)]
