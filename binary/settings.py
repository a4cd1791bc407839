"""Settings of runs that search binary networks. No torch here: `--help` reads it."""

from __future__ import annotations

from dataclasses import dataclass

from classification.settings import DataSettings
from common.stages.settings import PhaseSettings, RunSettings, check_trained

__all__ = ["COSTS", "BinarySettings", "DataSettings"]

COSTS = ("params", "macs", "bits", "bops", "activation_bytes", "ops", "binary_weights")
"""What a binary network costs; see `binary.costs.BINARY`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BinarySettings(RunSettings):
    """What the settings of every system of binary networks begin with."""

    data: DataSettings
    activations: PhaseSettings
    """Training of a single network before `train`, with binary activations and real weights; 0 steps leave it out."""
    train: PhaseSettings
    """Training of a single network, with binary activations and weights."""

    def __post_init__(self) -> None:
        """Checks what can be checked without data.

        Raises:
            UserError: an unknown budget, or a number out of range.
        """
        RunSettings.__post_init__(self)  # not super(): slots make the class anew
        self.check_costs(COSTS, "binary network")
        check_trained({"train": self.train}, "network")


def cost_notes() -> list[str]:
    """What a reader of a report must know of its costs."""
    return [
        "Costs are those of one image of the data's size: macs of layers with real weights, bops of binary convolutions, ops = "
        "macs + bops / 64; bits of the parameters, 1 for a binary weight and 32 for any other.",
    ]
