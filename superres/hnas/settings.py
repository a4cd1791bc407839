"""An HNAS run as plain data. No torch here: `--help` reads it."""

from __future__ import annotations

from dataclasses import dataclass

from common.engines import Controller
from common.errors import UserError, check_least
from common.stages.settings import PathPhaseSettings, PhaseSettings, check_trained
from superres.hnas.space import CELLS, WIDTH
from superres.settings import SuperResSettings

SHARE = 0.4
"""Share of the training pictures that weights learn from beside controllers: 320 of DIV2K's 800 in the released code."""
COSTS = ("params", "macs", "macs_deconv")
"""What an architecture costs, trained alone: parameters, and multiply-adds without and with transposed convolutions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceSettings:
    """What is searched."""

    width: int = 8
    """Channels of a node in the network that is searched."""
    cells: int = CELLS
    """Cells of the row, the upsampling cell among them."""
    residual: bool = False
    """Whether every network, also one outside of the space, adds its input, enlarged bicubically by torch's kernel, to what it
    makes: not the paper's, but quick to train."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        check_least(self, "space", ("width",), 1)
        check_least(self, "space", ("cells",), 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(SuperResSettings):
    """Everything that decides what a run computes."""

    space: SpaceSettings
    weights: PathPhaseSettings
    """Training of the supernet's weights. Controllers, where they search, choose its paths and learn from batches as large; with
    other engines `paths` chooses."""
    share: float = SHARE
    """Share of the training pictures that the weights learn from in turn with controllers, which learn from the others."""
    width: int = WIDTH
    """Channels of a node in networks that are trained alone."""
    train: PhaseSettings
    """Training of a single network."""

    def __post_init__(self) -> None:
        """Checks what can be checked without data.

        Raises:
            UserError: an unknown budget, or a number out of range.
        """
        SuperResSettings.__post_init__(self)  # not super(): slots make the class anew
        self.check_costs(COSTS, "super-resolution network")
        if self.share != SHARE and not isinstance(self.search.engine, Controller):
            raise UserError(
                f"share={self.share:g} with search.engine={self.search.engine.name}: it divides pictures between weights and "
                f"controllers; leave it {SHARE:g}, or give search.engine=controller"
            )
        if not 0 < self.share < 1:
            raise UserError(f"share={self.share}: weights and controllers need pictures each; give a number between 0 and 1")
        check_least(self, "", ("width",), 1)
        check_trained({"weights": self.weights, "train": self.train}, "network")
