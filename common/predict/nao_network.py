"""The parts of NAO's model: architectures as sequences of tokens, and the layers that read and write them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.encode import Encoder
from common.space import Arch, Decision, Invalid, decisions, record


class _Asked(Exception):
    """The walk met a decision that is not settled yet."""


@dataclass(slots=True)
class Tokens:
    """Sequences of tokens for architectures: one token for each live decision, in the order of the walk."""

    space: Any
    vocabulary: int = field(init=False)
    place: dict[str, int] = field(init=False)
    offset: dict[str, int] = field(init=False)
    allowed: Tensor = field(init=False)  # (decisions, vocabulary): which tokens are a decision's own
    _encoder: Encoder = field(init=False)

    def __post_init__(self) -> None:
        self._encoder = Encoder(self.space)
        self.vocabulary = self._encoder.vocabulary
        self.place, self.offset = {}, {}
        self.allowed = torch.zeros(len(self._encoder.paths), self.vocabulary, dtype=torch.bool)
        end = 0
        for i, (path, decision) in enumerate(decisions(self.space).items()):
            self.place[path], self.offset[path] = i, end
            end += len(decision)
            self.allowed[i, self.offset[path] : end] = True

    def read(self, archs: Sequence[Arch]) -> tuple[Tensor, Tensor, Tensor]:
        """Tokens, places of their decisions, and whether there is one; each of shape (n, most live decisions of any)."""
        pairs = [self._encoder.tokens(arch) for arch in archs]
        length = max(int(live.sum()) for _, live in pairs)
        ids = np.zeros((2, len(archs), length), dtype=np.int64)
        mask = np.zeros((len(archs), length), dtype=np.bool_)
        for row, (tokens, live) in enumerate(pairs):
            (places,) = live.nonzero()
            ids[:, row, : len(places)] = tokens[places], places
            mask[row, : len(places)] = True
        return torch.from_numpy(ids[0]), torch.from_numpy(ids[1]), torch.from_numpy(mask)

    def walk(self, chosen: dict[str, int]) -> Arch | str | None:
        """The path of the first decision that `chosen` leaves open, else the architecture; None if it breaks a rule."""

        def oracle(path: str, _: Decision) -> int:
            if path in chosen:
                return chosen[path]
            raise _Asked(path)

        try:
            return record(self.space, oracle)
        except _Asked as asked:
            return str(asked)
        except Invalid:
            return None


class Network(nn.Module):
    """Encoder, predictor and decoder.

    Args:
        vocabulary: Number of tokens.
        embedding: Width of a token's embedding.
        hidden: Width of the LSTMs.
        widths: Hidden layers of the predictor.
        dropout: In the predictor.
    """

    def __init__(self, vocabulary: int, embedding: int, hidden: int, widths: tuple[int, ...], dropout: float) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, embedding)
        self.reader = nn.LSTM(embedding, hidden, batch_first=True)
        self.before = nn.Embedding(vocabulary + 1, embedding)  # one more: nothing is written yet
        self.writer = nn.LSTM(embedding, hidden, batch_first=True)
        self.mix = nn.Linear(2 * hidden, hidden)
        self.out = nn.Linear(hidden, vocabulary)
        layers: list[nn.Module] = []
        for a, b in pairwise([hidden, *widths]):
            layers += [nn.Linear(a, b), nn.ReLU(), nn.Dropout(dropout)]
        self.predictor = nn.Sequential(*layers, nn.Linear(widths[-1] if widths else hidden, 1), nn.Sigmoid())

    def encode(self, ids: Tensor, live: Tensor) -> Tensor:
        """Code of shape (n, steps, hidden); steps that are not live come last, so that they reach no other, and are 0."""
        return F.normalize(self.reader(self.tokens(ids))[0], dim=-1) * live[:, :, None]

    def pool(self, code: Tensor, live: Tensor) -> Tensor:
        """The embedding, shape (n, hidden)."""
        return F.normalize((code * live[:, :, None]).sum(1), dim=-1)  # the length is 1 in any case: a sum is as good as a mean

    def value(self, code: Tensor, live: Tensor) -> Tensor:
        """Predicted scores, shape (n,)."""
        return self.predictor(self.pool(code, live)).squeeze(1)

    def start(self, code: Tensor, live: Tensor) -> tuple[Tensor, Tensor]:
        """State of the decoder before anything is written."""
        embedding = self.pool(code, live)[None]
        return embedding, embedding

    def write(
        self, code: Tensor, live: Tensor, before: Tensor, state: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Logits of the tokens that follow `before`, shape (n, steps, vocabulary), and the state after them."""
        hidden, state = self.writer(self.before(before), state)
        weights = (hidden @ code.transpose(1, 2)).masked_fill(~live[:, None], -torch.inf).softmax(-1)
        return self.out(torch.tanh(self.mix(torch.cat([weights @ code, hidden], -1)))), state
