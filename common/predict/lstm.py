"""Recurrent predictor on token sequences of any length: the predictor of PNAS."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from common.encode import Encoder
from common.errors import UserError
from common.predict.base import Fitted, Prediction, check
from common.predict.fitting import check_training
from common.space import Arch
from common.streams import torch_stream

Tokens = Callable[[Arch], Sequence[int]]
MARGIN = 0.1
"""Scores fitted lie in [MARGIN, 1 - MARGIN] of the sigmoid's range: room for what is better than all of them."""


@dataclass(frozen=True, slots=True)
class LSTM:
    """Embedding, one LSTM layer, a sigmoid of its last state (PNAS, https://arxiv.org/abs/1712.00559, section 4.2).

    L1 loss, Adam, the whole training set in every step; the bias of the output starts at the mean of the scores. Departures:
    scores are mapped linearly into the sigmoid's range, so that they may have any unit; every fit starts anew, with the paper's
    rate for the first level in its first half and the paper's for further levels in its second. The number of steps is not
    published. It has no notion of its uncertainty: see `Ensemble`.

    Attributes:
        tokens: Architecture -> its tokens, at least one: `pnas_space.Cells.tokens`, or `decision_tokens` for any space.
        vocabulary: Tokens are 0 to `vocabulary` - 1.
        hidden: Width of the state.
        embedding: Width of a token's embedding.
        steps: Steps of Adam, each on all points.
        rate: Its learning rate in the first half.
        later: Its learning rate in the second half.
    """

    tokens: Tokens
    vocabulary: int
    _: KW_ONLY
    hidden: int = 100
    embedding: int = 100
    steps: int = 60
    rate: float = 0.01
    later: float = 0.002

    def __post_init__(self) -> None:
        check_training("LSTM", self.steps, min(self.rate, self.later), 0.0)
        if min(self.vocabulary, self.hidden, self.embedding) < 1:
            raise UserError(
                f"LSTM: vocabulary {self.vocabulary}, hidden {self.hidden}, embedding {self.embedding}: each must be at least 1"
            )

    def fit(self, archs: Sequence[Arch], scores: Sequence[float], seed: int) -> Fitted:
        """Fits the scores; equal scores give a constant.

        Raises:
            UserError: See `check`; an architecture without tokens, or a token out of range.
        """
        check(archs, scores)
        raw = np.asarray(scores, dtype=np.float64)
        low, span = float(raw.min()), float(np.ptp(raw))
        if span == 0.0:
            return lambda archs: Prediction(np.full(len(archs), low), np.zeros(len(archs)))
        targets = MARGIN + (1 - 2 * MARGIN) * (raw - low) / span
        network = _Network(self, float(targets.mean()), torch_stream(seed, "lstm"))
        with torch.enable_grad():
            self._train(network, self._padded(archs), torch.from_numpy(targets.astype(np.float32)))

        def predict(archs: Sequence[Arch]) -> Prediction:
            zeros = np.zeros(len(archs))
            if not archs:
                return Prediction(zeros, zeros)
            with torch.no_grad():
                outputs = network(*self._padded(archs)).double().numpy()
            return Prediction(low + span * (outputs - MARGIN) / (1 - 2 * MARGIN), zeros)

        return predict

    def _train(self, network: _Network, inputs: tuple[Tensor, Tensor], targets: Tensor) -> None:
        optimizer = torch.optim.Adam(network.parameters(), lr=self.rate, fused=True)
        for step in range(self.steps):
            optimizer.param_groups[0]["lr"] = self.rate if 2 * step < self.steps else self.later
            optimizer.zero_grad()
            nn.functional.l1_loss(network(*inputs), targets).backward()
            optimizer.step()

    def _padded(self, archs: Sequence[Arch]) -> tuple[Tensor, Tensor]:
        """Tokens of shape (n, most), zeros behind the last, and how many each has; shape (n,)."""
        rows = [self.tokens(arch) for arch in archs]
        lengths = [len(row) for row in rows]
        padded = np.zeros((len(rows), max(lengths)), dtype=np.int64)
        for i, row in enumerate(rows):
            padded[i, : len(row)] = row
        if min(lengths) < 1 or padded.min() < 0 or padded.max() >= self.vocabulary:
            raise UserError(f"LSTM: tokens must be 0 to {self.vocabulary - 1}, at least one for each architecture")
        return torch.from_numpy(padded), torch.tensor(lengths)


class _Network(nn.Module):
    def __init__(self, settings: LSTM, mean: float, rng: torch.Generator) -> None:
        super().__init__()
        with torch.device("meta"):  # so that nothing is drawn from the global generator
            self.embed = nn.Embedding(settings.vocabulary, settings.embedding)
            self.lstm = nn.LSTM(settings.embedding, settings.hidden, batch_first=True)
            self.out = nn.Linear(settings.hidden, 1)
        self.to_empty(device="cpu")
        bound = 1 / math.sqrt(settings.hidden)
        with torch.no_grad():
            self.embed.weight.normal_(generator=rng)
            for parameter in [*self.lstm.parameters(), self.out.weight]:
                parameter.uniform_(-bound, bound, generator=rng)
            self.out.bias.fill_(math.log(mean / (1 - mean)))

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Scores in (0, 1); shape (n,)."""
        packed = pack_padded_sequence(self.embed(tokens), lengths, batch_first=True, enforce_sorted=False)
        _, (state, _) = self.lstm(packed)
        return torch.sigmoid(self.out(state[0])).squeeze(1)


def decision_tokens(space: object) -> tuple[Tokens, int]:
    """A token for each option of each decision, in the order of the space, for those that are live; and how many tokens exist."""
    encoder = Encoder(space)

    def tokens(arch: Arch) -> list[int]:
        ids, live = encoder.tokens(arch)
        return ids[live].tolist()

    return tokens, encoder.vocabulary
