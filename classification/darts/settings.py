"""A search for cells of classifiers as plain data. No torch here: `--help` reads it."""

from __future__ import annotations

from dataclasses import dataclass

from classification.darts.methods import METHODS, check_idea
from classification.darts.spaces import SpaceSettings, TableSpaceSettings
from classification.settings import DataSettings
from common.engines import Gradient
from common.errors import UserError, check_least
from common.stages.settings import PhaseSettings, RunSettings, check_trained

COSTS = ("params", "macs")
"""What an architecture costs: parameters and MACs of the network that is trained alone, without the second classifier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSettings:
    """The network in which cells are trained alone and measured."""

    width: int = 36
    """Channels of a node in the first cells."""
    cells: int = 20
    """Cells, those after a third and two thirds of them halve the resolution; in the space nasbench201 those of a stage."""
    drop_path: float = 0.2
    """Probability at the end of training that a sample is dropped on an edge; it rises linearly from 0."""
    auxiliary: float = 0.4
    """Weight of the second classifier's loss; 0 leaves it out. It reads images of 32 to 40 pixels."""
    cutout: int = 16
    """Side of the square that is cut out of training images, in pixels; 0 for none."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        if not 0 <= self.drop_path < 1:
            raise UserError(f"network.drop_path={self.drop_path}: give a probability from 0 to below 1")
        if self.auxiliary < 0:
            raise UserError(f"network.auxiliary={self.auxiliary}: give 0 or more")
        check_least(self, "network", ("cutout",), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(RunSettings):
    """Everything that decides what a run computes."""

    method: str
    """One of the methods of the family: darts, p-darts and so on."""
    data: DataSettings
    space: SpaceSettings | TableSpaceSettings
    """What is searched: cells of DARTS, or the cell of NAS-Bench-201."""
    weights: PhaseSettings
    """Training of the supernet's weights; a step of the architecture sees as many images."""
    network: NetworkSettings
    train: PhaseSettings
    """Training of a single network."""

    def __post_init__(self) -> None:
        """Checks what can be checked without data.

        Raises:
            UserError: an unknown method or budget, or a number out of range.
        """
        RunSettings.__post_init__(self)  # not super(): slots make the class anew
        if self.method not in METHODS:
            raise UserError(f"method {self.method!r} does not exist; choose one of {', '.join(METHODS)}")
        self.check_costs(COSTS, "classifier")
        self.check_reward(("loss", "class_loss", "accuracy"))
        check_trained({"weights": self.weights, "train": self.train}, "network")
        check_idea(self.method, self.space, self.search.engine)
        if isinstance(self.space, TableSpaceSettings) and (self.network.auxiliary or self.network.drop_path):
            raise UserError("space=nasbench201: its network has no second classifier and no drop-path; set both of network to 0")
        check_least(self.network, "network", ("cells", "width"), 1)
        if isinstance(self.space, SpaceSettings) and not self.space.gated and self.network.cells < 3:
            raise UserError(
                f"network.cells={self.network.cells}: a stack of fewer than 3 cells has no normal cell; give 3 or more"
            )

    @property
    def two_levels(self) -> bool:
        """Whether weights and architecture learn from different halves of the training split, not both from the whole of it."""
        return isinstance(self.search.engine, Gradient) and self.search.engine.rule != "one-level"
