"""What most phases of training share: the network itself is trained, and nothing is left to do afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from common.stages.settings import PhaseSettings


class WholeNetwork:
    """The half of a phase (see `common.task.Phase`) that says what is trained: the network itself."""

    __slots__ = ()

    def wrap(self, network: nn.Module, seed: int) -> nn.Module:
        """The network itself; a subclass may add a head, a second player or what else learns in this phase alone."""
        return network

    def finish(self, network: nn.Module, model: nn.Module) -> None:
        """Nothing is left to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPhase(WholeNetwork):
    """A phase that trains the network itself; see `common.task.Phase`. A subclass gives batches and losses.

    Attributes:
        name: of the phase.
        settings: steps, batch size, optimiser.
    """

    name: str
    settings: PhaseSettings
