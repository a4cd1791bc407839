"""The policy of NAS-RL, NASNet and ENAS: an LSTM reads the choices so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import entr
from torch import Tensor

from common.errors import UserError
from common.search.policy import NEVER, Softmax, WalkPolicy
from common.space import Arch
from common.streams import torch_stream


@dataclass(frozen=True, slots=True, kw_only=True)
class LSTM:
    """An LSTM reads the choices so far; one softmax per decision reads the LSTM.

    NAS-RL (https://arxiv.org/abs/1611.01578) has 2 layers of 35 units and scale 0.08; NASNet (https://arxiv.org/abs/1707.07012,
    appendix A) 1 layer of 100 units; ENAS (https://arxiv.org/abs/1802.03268) 1 layer of 64 (its code) or 100 units, scale 0.1,
    and for language models temperature 5 and tanh constant 2.5. The next input is the embedding of the previous choice. There
    is an embedding and an output vector for each option of each decision. Differences: no attention over earlier nodes for
    anchors and indices (NAS-RL, ENAS), which are options like others here; no initial preference for some operations
    (ENAS); the LSTM has no biases, as in ENAS's code; those of the softmaxes start at 0.

    Attributes:
        layers: Of the LSTM.
        hidden: Units of each layer, and the length of embeddings.
        scale: All weights start uniform in [-scale, scale].
        temperature: Logits are divided by it.
        tanh: Then they are squashed to tanh * tanh(logits), None to leave them: it keeps a policy from being certain.
    """

    layers: int = 1
    hidden: int = 100
    scale: float = 0.1
    temperature: float = 1.0
    tanh: float | None = None

    def __post_init__(self) -> None:
        if self.layers < 1 or self.hidden < 1:
            raise UserError(f"LSTM policy: {self.layers} layers of {self.hidden} units: needs at least one of each")
        if self.scale <= 0 or self.temperature <= 0 or (self.tanh is not None and self.tanh <= 0):
            raise UserError(f"{self}: scale, temperature and tanh must be positive")

    def policy(self, space: Any, seed: int) -> WalkPolicy:
        """See `PolicySettings.policy`."""
        return _LSTMPolicy(space, self, seed)


_State = list[tuple[Tensor, Tensor]]  # (output, cell) of each layer


@dataclass(slots=True)
class _LSTMPolicy(WalkPolicy):
    settings: LSTM
    seed: int
    _options: Tensor = field(init=False)  # (decisions, most options): tokens, 0 where there is no such option
    _absent: Tensor = field(init=False)
    _softmaxes: dict[tuple[int, ...], Softmax] = field(init=False, default_factory=dict)  # after these choices
    _states: dict[tuple[int, ...], _State] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        WalkPolicy.__post_init__(self)
        hidden, vocabulary = self.settings.hidden, sum(self.sizes)
        shapes = [(vocabulary + 1, hidden), (vocabulary, hidden), *[(4 * hidden, hidden)] * (2 * self.settings.layers)]
        draws = torch_stream(self.seed, "policy", "lstm")
        weights = [self.settings.scale * (2 * torch.rand(s, generator=draws, dtype=torch.float64) - 1) for s in shapes]
        self.parameters = [*weights, torch.zeros(vocabulary, dtype=torch.float64)]
        for parameter in self.parameters:
            parameter.requires_grad_(True)
        sizes, first = torch.tensor(self.sizes), torch.tensor(self.offsets[:-1])
        places = torch.arange(max(self.sizes))
        self._absent = places >= sizes[:, None]
        self._options = (first[:, None] + places).masked_fill(self._absent, 0)

    def moved(self) -> None:
        self._softmaxes.clear()
        self._states.clear()

    def _step(self, tokens: Tensor, before: _State | None) -> _State:
        """One more choice read: `tokens` has shape (1,)."""
        value = self.parameters[0][tokens]
        zero = torch.zeros_like(value)
        states: _State = []
        for layer in range(self.settings.layers):
            inner, recurrent = self.parameters[2 + 2 * layer : 4 + 2 * layer]
            output, cell = torch.lstm_cell(value, before[layer] if before else (zero, zero), inner, recurrent)
            states.append((output, cell))
            value = output
        return states

    def _squashed(self, logits: Tensor) -> Tensor:
        logits = logits / self.settings.temperature
        return logits if self.settings.tanh is None else self.settings.tanh * torch.tanh(logits)

    @torch.no_grad()
    def _next(self, tokens: Sequence[int], row: int) -> Softmax:
        way = tuple(tokens)
        if way not in self._softmaxes:
            last = torch.tensor([way[-1] if way else sum(self.sizes)])
            self._states[way] = states = self._step(last, self._states[way[:-1]] if way else None)
            part = slice(self.offsets[row], self.offsets[row + 1])
            logits = torch.nn.functional.linear(states[-1][0][0], self.parameters[1][part], self.parameters[-1][part])
            logs = torch.log_softmax(self._squashed(logits), -1).numpy()
            chances = np.exp(logs)
            self._softmaxes[way] = Softmax(np.cumsum(chances).tolist(), logs.tolist(), float(entr(chances).sum()))
        return self._softmaxes[way]

    def _forced(self, archs: Sequence[Arch]) -> tuple[Tensor, Tensor]:
        """Log-probabilities and entropies, shape (n,) each."""
        sequences = [self.sequence(arch) for arch in archs]
        shape = len(archs), max(1, *(len(sequence) for sequence in sequences))
        rows, taken, live = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.long), torch.zeros(shape)
        for k, sequence in enumerate(sequences):
            if sequence:
                rows[k, : len(sequence)], taken[k, : len(sequence)] = torch.tensor(sequence).T
                live[k, : len(sequence)] = 1
        tokens = torch.tensor(self.offsets)[rows] + taken
        read = torch.cat([torch.full((len(archs), 1), sum(self.sizes)), tokens[:, :-1]], 1)
        # as `_step` does, all at once
        zero = torch.zeros(self.settings.layers, len(archs), self.settings.hidden, dtype=torch.float64)
        inputs, weights, layers = self.parameters[0][read], self.parameters[2:-1], self.settings.layers
        outputs, _, _ = torch.lstm(inputs, (zero, zero), weights, False, layers, 0.0, False, False, True)
        logits = torch.nn.functional.linear(outputs, self.parameters[1], self.parameters[-1])
        logits = self._squashed(logits.gather(2, self._options[rows])).masked_fill(self._absent[rows], NEVER)
        logs = torch.log_softmax(logits, -1)
        log_prob = (logs.gather(2, taken[..., None])[..., 0] * live).sum(1)
        return log_prob, -((logs.exp() * logs).sum(2) * live).sum(1)

    @torch.no_grad()
    def log_prob(self, archs: Sequence[Arch]) -> NDArray[np.float64]:
        return self._forced(archs)[0].numpy()

    def gradient(self, archs: Sequence[Arch], weights: NDArray[np.float64], entropy: float = 0.0) -> list[Tensor]:
        log_prob, entropies = self._forced(archs)
        return list(torch.autograd.grad(torch.from_numpy(weights) @ log_prob + entropy * entropies.mean(), self.parameters))
