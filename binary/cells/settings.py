"""A search for cells of binary networks as plain data. No torch here: `--help` reads it."""

from __future__ import annotations

from dataclasses import dataclass

from binary.cells.spaces import NetworkSettings, SpaceSettings, check_groups
from binary.settings import BinarySettings
from common.engines import Gradient
from common.errors import UserError
from common.stages.settings import PhaseSettings, check_trained


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(BinarySettings):
    """Everything that decides what a run computes."""

    method: str
    """One of the methods: bnas-kim, bnas-beihang, cp-nas or bats."""
    space: SpaceSettings
    weights: PhaseSettings
    """Training of the supernet's weights; a step of the architecture sees as many images."""
    network: NetworkSettings

    def __post_init__(self) -> None:
        """Checks what can be checked without data.

        Raises:
            UserError: an unknown budget, or a number out of range.
        """
        BinarySettings.__post_init__(self)
        self.check_reward(("loss", "class_loss", "accuracy"))
        check_trained({"weights": self.weights}, "supernet")
        engine, space = self.search.engine, self.space
        if self.paired and space.precision == "real":
            raise UserError(
                "space.precision=real with search.engine.abandon.parent: child and parent would be the same network; give "
                "space.precision=binary, or leave out the parent"
            )
        if isinstance(engine, Gradient) and set(space.names) <= {"none", *engine.forbidden}:
            raise UserError(f"search.engine.forbidden={list(engine.forbidden)}: no operation besides none is left; forbid fewer")
        if self.network.kernels and space.form == "grouped":
            raise UserError(
                f"network.kernels={self.network.kernels:g} with space.form=grouped: the scales of its filters are learnt behind "
                "the convolutions, and weights have no binary values to be near to; set network.kernels=0"
            )
        for name, width in (("space.width", space.width), ("network.width", self.network.width)):
            check_groups(name, width, space)

    @property
    def paired(self) -> bool:
        """Whether a parent with real weights and activations learns beside the searched network."""
        engine = self.search.engine
        return isinstance(engine, Gradient) and engine.abandon is not None and engine.abandon.parent is not None

    @property
    def abandons(self) -> bool:
        """Whether the search abandons operations by the scores of sub-networks."""
        engine = self.search.engine
        return isinstance(engine, Gradient) and engine.abandon is not None

    @property
    def two_levels(self) -> bool:
        """Whether weights and architecture learn from different halves of the training split, not both from the whole of it."""
        engine = self.search.engine
        return isinstance(engine, Gradient) and engine.rule not in ("one-level", "none")
