"""A search for graph networks as plain data. No torch here: `--help` reads it."""

from __future__ import annotations

from dataclasses import dataclass

from common.errors import UserError
from common.stages.settings import PhaseSettings, RunSettings, check_trained
from graphs.pdnas.space import Network, SpaceSettings, pdnas_space
from graphs.settings import DataSettings

COSTS = ("params", "macs")
"""What an architecture costs: see `graphs.pdnas.networks.networks`."""

REWARDS = ("loss", "class_loss", "accuracy")
"""What a gradient-based search can be rewarded by: see `graphs.phases.Nodes.loss`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSettings:
    """What all networks share."""

    dropout: float = 0.6
    """Probability that an entry of a block's input is dropped in training."""
    attention_dropout: float = 0.6
    """Probability that a neighbour's weight is."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        for name in ("dropout", "attention_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(f"network.{name}={getattr(self, name)}: give a probability from 0 to below 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(RunSettings):
    """Everything that decides what a run computes."""

    data: DataSettings
    space: SpaceSettings
    network: NetworkSettings
    weights: PhaseSettings
    """Training of the supernet's weights; only searches with a supernet have such a training."""
    train: PhaseSettings
    """Training of a network alone."""

    def __post_init__(self) -> None:
        """Checks what one setting says of another.

        Raises:
            UserError: names the setting.
        """
        RunSettings.__post_init__(self)
        self.check_costs(COSTS, "graph network")
        check_trained({"weights": self.weights, "train": self.train}, "graph network")
        self.check_reward(REWARDS)
        if self.weights.stop is not None:
            raise UserError("weights.stop: a search ends by search.engine.stop; leave weights.stop out")

    def open_network(self, features: int, classes: int) -> Network:
        """The open network of a run on nodes of so many features and classes."""
        s, n = self.space, self.network
        return pdnas_space(
            features,
            classes,
            s.blocks,
            extended=s.extended,
            shortcuts=s.shortcuts,
            widths=s.widths,
            heads=s.heads,
            dropout=n.dropout,
            attention_dropout=n.attention_dropout,
        )
