"""The three controllers of HNAS (arXiv 2003.04619, section 3.3; sizes and order as in the released code).

Each cell has a controller, an LSTM. For every node it decides two sources, then the two operations on them, and reads each
decision before the next one. A source j is chosen by attention: its logit is v tanh(E e_j + H h), with e_j its embedding and h
the output of the LSTM. Then the controller of the position reads the last outputs of both, joined, in one step of an LSTM, and
chooses a place in the row by attention.

One function, `Controllers.walk`, makes every decision: whoever calls it says which option is taken of given logits. To sample,
that is one drawn by its probability; to score an architecture, that of the architecture.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from random import Random
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn

from common.search.policy import Draw
from common.space import Arch
from common.streams import derive, torch_stream
from superres.hnas.space import FIRST, Network

HIDDEN = 100
"""Units of every LSTM, and the length of embeddings."""
SCALE = 0.1
"""Parameters begin uniform in [-SCALE, SCALE], but for the biases of the normal cell's operations, which begin at 0."""
POSITION = 10.0
"""Weight of the position's log-probability and entropy in what is learned."""

Take = Callable[[str, Tensor], int]
"""(path of a decision, logarithms of the options' probabilities) -> the option taken."""


class Walk(NamedTuple):
    """What became of one pass through the decisions: scalars for the normal cell, the upsampling cell and the position."""

    log_probs: list[Tensor]
    entropies: list[Tensor]
    """In nats, summed over decisions."""


class Attention(nn.Module):
    """Logits of some embeddings, given the output of an LSTM."""

    def __init__(self) -> None:
        super().__init__()
        self.embedded = nn.Linear(HIDDEN, HIDDEN, bias=False)
        self.hidden = nn.Linear(HIDDEN, HIDDEN, bias=False)
        self.value = nn.Linear(HIDDEN, 1, bias=False)

    def forward(self, embeddings: Float[Tensor, "k d"], hidden: Float[Tensor, "1 d"]) -> Float[Tensor, " k"]:
        """One logit for each embedding."""
        return self.value(torch.tanh(self.embedded(embeddings) + self.hidden(hidden)))[:, 0]


class CellController(nn.Module):
    """Decides one cell.

    The embeddings are those of the sources 0 to n, for n nodes, then those of the operations.
    """

    def __init__(self, nodes: int, operations: int) -> None:
        super().__init__()
        self.nodes = nodes
        self.embeddings = nn.Embedding(nodes + 1 + operations, HIDDEN)
        self.lstm = nn.LSTMCell(HIDDEN, HIDDEN)
        self.sources = Attention()
        self.operations = nn.Linear(HIDDEN, operations)

    def walk(self, kind: str, take: Take) -> tuple[Tensor, Tensor, Float[Tensor, "1 d"]]:
        """Log-probability and entropy of the cell `kind`, and the last output of the LSTM."""
        zero = self.operations.weight.new_zeros(1, HIDDEN)
        read, state = zero, (zero, zero)
        logs: list[Tensor] = []
        entropies: list[Tensor] = []
        for number in range(self.nodes):
            for part, first in (("sources", 0), ("operations", self.nodes + 1)):
                for j in range(2):
                    state = self.lstm(read, state)
                    if part == "sources":
                        logits = self.sources(self.embeddings.weight[: FIRST + number], state[0])
                    else:
                        logits = self.operations(state[0])[0]
                    log_prob, entropy, option = decided(logits, f"{kind}.nodes.{number}.{part}.{j}", take)
                    logs.append(log_prob)
                    entropies.append(entropy)
                    read = self.embeddings.weight[first + option][None]
        return torch.stack(logs).sum(), torch.stack(entropies).sum(), state[0]


class PositionController(nn.Module):
    """Decides the place of the upsampling cell from the last outputs of both cells' controllers."""

    def __init__(self, cells: int) -> None:
        super().__init__()
        self.embeddings = nn.Embedding(cells, HIDDEN)
        self.lstm = nn.LSTMCell(2 * HIDDEN, HIDDEN)
        self.places = Attention()

    def walk(self, read: Float[Tensor, "1 e"], take: Take) -> tuple[Tensor, Tensor]:
        """Log-probability and entropy of the position."""
        hidden, _ = self.lstm(read)
        log_prob, entropy, _ = decided(self.places(self.embeddings.weight, hidden), "position", take)
        return log_prob, entropy


def decided(logits: Float[Tensor, " k"], path: str, take: Take) -> tuple[Tensor, Tensor, int]:
    """Log-probability of the option taken, entropy of the softmax, and the option."""
    logs = torch.log_softmax(logits, 0)
    option = take(path, logs)
    return logs[option], -(logs.exp() * logs).sum(), option


class Controllers(nn.Module):
    """All three; 347,111 parameters for the published space.

    The released code has 1,212 more, of logits of operations in the position's controller, which nothing reads.
    """

    def __init__(self, space: Network, seed: int) -> None:
        """Makes the controllers of an open network; weights are a function of `seed`."""
        super().__init__()
        normal, upsampling = space.normal.nodes, space.upsampling.nodes
        self.normal = CellController(len(normal), len(normal[0].operations[0]))
        self.upsampling = CellController(len(upsampling), len(upsampling[0].operations[0]))
        self.position = PositionController(len(space.position))
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                draws = torch_stream(derive(seed, "controllers"), name)
                parameter.copy_(SCALE * (2 * torch.rand(parameter.shape, generator=draws) - 1))
            self.normal.operations.bias.zero_()

    def walk(self, take: Take) -> Walk:
        """One pass through all decisions, in the order of the paper."""
        normal, of_normal, hidden = self.normal.walk("normal", take)
        upsampling, of_upsampling, other = self.upsampling.walk("upsampling", take)
        position, of_position = self.position.walk(torch.cat([hidden, other], 1), take)
        return Walk([normal, upsampling, position], [of_normal, of_upsampling, of_position])


@dataclass(slots=True)
class HierarchicalPolicy:
    """The controllers as a policy (see `common.search.policy.Policy`) of an open network.

    What `gradient` follows weighs the log-probability and the entropy of the position ten times, as the released code does.
    """

    space: Network
    seed: int
    controllers: Controllers = field(init=False)
    parameters: list[Tensor] = field(init=False)

    def __post_init__(self) -> None:
        self.controllers = Controllers(self.space, self.seed)
        self.parameters = list(self.controllers.parameters())

    @torch.no_grad()
    def sample(self, rng: Random) -> Draw:
        """See `Policy.sample`."""
        choices: dict[str, int] = {}

        def take(path: str, logs: Tensor) -> int:
            cumulative = list(accumulate(logs.exp().tolist()))
            choices[path] = min(bisect_right(cumulative, rng.random() * cumulative[-1]), len(cumulative) - 1)
            return choices[path]

        walk = self.controllers.walk(take)
        return Draw(Arch(choices), float(sum(walk.log_probs)), float(sum(walk.entropies)))

    def moved(self) -> None:
        """See `Policy.moved`; nothing is kept."""

    @torch.no_grad()
    def log_prob(self, archs: Sequence[Arch]) -> NDArray[np.float64]:
        """See `Policy.log_prob`."""
        return np.array([float(sum(walk.log_probs)) for walk in self._forced(archs)], dtype=np.float64)

    def gradient(self, archs: Sequence[Arch], weights: NDArray[np.float64], entropy: float = 0.0) -> list[Tensor]:
        """See `Policy.gradient`, and the weight of the position above."""
        total = self.parameters[0].new_zeros(())
        for walk, weight in zip(self._forced(archs), weights, strict=True):
            total = total + weight * _weighted(walk.log_probs) + entropy / len(archs) * _weighted(walk.entropies)
        return list(torch.autograd.grad(total, self.parameters))

    def _forced(self, archs: Sequence[Arch]) -> Iterator[Walk]:
        for arch in archs:
            yield self.controllers.walk(lambda path, _, arch=arch: arch[path])


def _weighted(parts: Sequence[Tensor]) -> Tensor:
    normal, upsampling, position = parts
    return normal + upsampling + POSITION * position
