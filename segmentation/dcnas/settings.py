"""A DCNAS run as plain data. No torch here: `--help` reads it."""

from __future__ import annotations

from dataclasses import dataclass

from common.errors import UserError, check_least
from common.stages.settings import PhaseSettings, RunSettings, check_trained
from segmentation.dcnas.sizes import SIZES, SpaceSettings
from segmentation.heads import DecodeHead
from segmentation.settings import DataSettings

COSTS = ("params", "macs")
"""What an architecture costs: parameters and MACs of the network that is trained alone, for one training picture."""

REWARDS = ("loss", "loss_ce")
"""What training tells of a network: the sum of its losses, and the cross entropy of the head."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(RunSettings):
    """Everything that decides what a run computes."""

    data: DataSettings
    space: SpaceSettings
    head: DecodeHead
    """What is put on the cells."""
    weights: PhaseSettings
    """Training of the supernet's weights; a step of the architecture sees as many pictures."""
    train: PhaseSettings
    """Training of a single network."""

    def __post_init__(self) -> None:
        """Checks what can be checked without data.

        Raises:
            UserError: an unknown space or budget, or a number out of range.
        """
        RunSettings.__post_init__(self)  # not super(): slots make the class anew
        space = self.space
        if space.size not in SIZES:
            raise UserError(f"space.size={space.size}: no such size; choose one of {', '.join(SIZES)}")
        for name in ("inputs", "width", "partial"):
            if getattr(space, name) is not None:
                check_least(space, "space", (name,), 1)
        net = space.open()
        if net.width % net.partial:
            raise UserError(f"space.width={net.width} cannot be shared out to space.partial={net.partial}; give a multiple of it")
        self.check_costs(COSTS, "segmentation network")
        self.check_reward(REWARDS)
        check_trained({"weights": self.weights, "train": self.train}, "network")
