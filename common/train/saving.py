"""What a checkpoint of a training holds: the network, its optimiser, and what its participants keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler

from common.errors import UserError, cut
from common.train.step import Participant

if TYPE_CHECKING:
    from torch.optim import Optimizer


@runtime_checkable
class SavedState(Protocol):
    """What a store gives back."""

    @property
    def step(self) -> int:
        """Steps done."""
        ...

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """Named tensors."""
        ...

    @property
    def optimizer_state(self) -> Mapping[str, Any]:
        """States of optimiser, gradient scaler and participants."""
        ...

    @property
    def extra(self) -> Mapping[str, Any]:
        """JSON values."""
        ...


@runtime_checkable
class Store(Protocol):
    """Where training is saved: `common.run.checkpoint.Checkpoint`."""

    def save(
        self, step: int, tensors: Mapping[str, Tensor], optimizer_state: Mapping[str, Any], extra: Mapping[str, Any]
    ) -> None:
        """Replaces what was saved."""
        ...

    def load(self) -> SavedState | None:
        """What was saved last, if anything."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """Everything that a training changes, as it is saved and restored.

    Attributes:
        store: where; None saves nothing.
        network: what is trained.
        optimizer: of its weights.
        scaler: of gradients in mixed precision.
        participants: whose names all differ.
        writes: whether this process saves: one of those that train together does.
        recent: running means of the observed values.

    Raises:
        ValueError: two participants have one name.
    """

    store: Store | None
    network: nn.Module
    optimizer: Optimizer
    scaler: GradScaler
    participants: Sequence[Participant]
    writes: bool = True
    recent: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [one.name for one in self.participants]
        if len({*names, "model", "optimizer", "scaler"}) < len(names) + 3:
            raise ValueError(f"participants {names}: each needs a name of its own, other than model, optimizer and scaler")

    def load(self, steps: int) -> int:
        """Goes on from what was saved; gives the steps that are done.

        Raises:
            UserError: the checkpoint is damaged, of another training, or holds more than `steps`.
        """
        saved = None if self.store is None else self.store.load()
        if saved is None:
            return 0
        if saved.step > steps:
            raise UserError(f"the checkpoint holds {saved.step} steps, more than the {steps} asked for; ask for as many")
        try:
            self._restore(saved)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise UserError(
                f"{getattr(self.store, 'path', 'the checkpoint')} holds another state than this training's ({cut(repr(error))}); "
                "delete the folder to train this stage again from its beginning, then run again with --resume"
            ) from error
        return saved.step

    def save(self, done: int) -> None:
        """Replaces what was saved by the state after so many steps."""
        if self.store is None or not self.writes:
            return
        tensors = {f"model/{name}": value for name, value in self.network.state_dict().items()}
        states: dict[str, Any] = {"optimizer": self.optimizer.state_dict(), "scaler": self.scaler.state_dict()}
        for one in self.participants:
            tensors |= {f"{one.name}/{name}": value for name, value in one.tensors().items()}
            states[one.name] = dict(one.state())
        self.store.save(done, tensors, states, {"recent": self.recent})

    def _restore(self, saved: SavedState) -> None:
        def under(name: str) -> dict[str, Tensor]:
            prefix = f"{name}/"
            return {key.removeprefix(prefix): value for key, value in saved.tensors.items() if key.startswith(prefix)}

        self.network.load_state_dict(under("model"))
        self.optimizer.load_state_dict(dict(saved.optimizer_state["optimizer"]))
        self.scaler.load_state_dict(saved.optimizer_state["scaler"])
        for one in self.participants:
            one.load(under(one.name), saved.optimizer_state[one.name])
        self.recent.update({name: float(value) for name, value in saved.extra["recent"].items()})
