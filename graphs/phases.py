"""How graph networks are trained, in the search and alone: full batches of nodes whose class is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.network_phase import NetworkPhase
from common.streams import numpy_stream
from common.train.step import Step

if TYPE_CHECKING:
    from graphs.data.nodes import Graph


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodes(NetworkPhase):
    """Training on the nodes of one split.

    Attributes:
        graphs: of the split.
    """

    graphs: Sequence[Graph]

    def batch_at(self, step: int, seed: int) -> tuple[Graph, ...]:
        """The graphs of a step: the only one there is, or those next in an order that is shuffled anew in every epoch."""
        n = len(self.graphs)
        if n == 1:
            return (self.graphs[0],)
        size = min(self.settings.batch, n)
        epoch, place = divmod(step * size, n)
        order = [*_order(seed, self.name, epoch, n), *_order(seed, self.name, epoch + 1, n)]
        return tuple(self.graphs[i] for i in order[place : place + size])

    def loss(self, model: nn.Module, batch: tuple[Graph, ...], step: Step) -> Mapping[str, Tensor]:
        """Mean cross-entropy of the split's nodes, and the accuracy to look at."""
        scores, labels = scored(model, batch)
        return {"class_loss": loss_of(scores, labels), "accuracy": right(scores, labels).float().mean()}


def _order(seed: int, name: str, epoch: int, n: int) -> list[int]:
    return numpy_stream(seed, name, "order", epoch).permutation(n).tolist()


def scored(model: nn.Module, graphs: Sequence[Graph]) -> tuple[Tensor, Tensor]:
    """Class scores (m, k) and labels of the nodes that count, of all graphs."""
    found = [(model(x, edges)[mask], labels[mask]) for x, edges, labels, mask in graphs]
    return torch.cat([scores for scores, _ in found]), torch.cat([labels for _, labels in found])


def loss_of(scores: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy over nodes; over nodes and classes where a node may have several."""
    if labels.is_floating_point():
        return F.binary_cross_entropy_with_logits(scores, labels)
    return F.cross_entropy(scores, labels)


def right(scores: Tensor, labels: Tensor) -> Tensor:
    """Which nodes (which entries, where a node may have several classes) are classified right."""
    return (scores > 0) == (labels > 0.5) if labels.is_floating_point() else scores.argmax(1) == labels
