"""Encoder, predictor and decoder of neural architecture optimisation: architectures as points that a gradient can move."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from random import Random
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.errors import UserError
from common.predict.base import Prediction, check
from common.predict.nao_network import Network, Tokens
from common.space import Arch
from common.streams import derive, stream, torch_stream

Symmetric = Callable[[Arch, Random], Arch]
"""Another way to write the same network down, drawn at random: e.g. the two inputs of a block swapped."""


@dataclass(frozen=True, slots=True)
class NAOModel:
    """Settings of the model of NAO (Luo et al. 2018, https://arxiv.org/abs/1808.07233, section 3).

    An LSTM reads the tokens of an architecture, one for each live decision; its outputs, of length 1 each, are the
    architecture's code, and their mean, scaled to length 1, is its embedding. A multilayer perceptron predicts the score from
    the embedding; an LSTM with dot attention over the code writes the tokens down again. Trained together, from scratch.

    The paper's values: embedding 48, hidden 96, widths (200, 200, 200), 1,000 epochs of batches of 100, which are 6,000 steps
    on its first 600 architectures, at a rate of 0.001. The defaults are for tables, where 300 queries shall not take minutes.

    Departures: the paper reads pairs (input, operation) as one step of the LSTM, a space in general has no such pairs; a token
    is predicted among those of its decision in training as in decoding; the paper goes on training the model of the round
    before, which a search that resumes anywhere cannot.

    Attributes:
        space: The description with open decisions.
        embedding: Width of a token's embedding.
        hidden: Width of the LSTMs and of the code.
        widths: Hidden layers of the predictor.
        dropout: In the predictor.
        trade: Weight of the squared error of the score; the rest is that of the reconstruction.
        steps: Steps of Adam.
        batch: Architectures per step.
        rate: Learning rate.
        decay: L2 penalty.
        clip: Largest norm of a gradient.
        symmetric: Draws another form of the same network, for augmentation; None where each has one form only.
        forms: How many forms of each architecture are trained on if there are several.
    """

    space: Any
    _: KW_ONLY
    embedding: int = 32
    hidden: int = 32
    widths: tuple[int, ...] = (64, 64)
    dropout: float = 0.1
    trade: float = 0.8
    steps: int = 150
    batch: int = 100
    rate: float = 0.01
    decay: float = 1e-4
    clip: float = 5.0
    symmetric: Symmetric | None = None
    forms: int = 4

    def __post_init__(self) -> None:
        counts = {name: getattr(self, name) for name in ("embedding", "hidden", "steps", "batch", "forms")}
        if low := [f"{name} {count}" for name, count in counts.items() if count < 1]:
            raise UserError(f"NAO's model: {', '.join(low)}: must be at least 1")
        if any(width < 1 for width in self.widths):
            raise UserError(f"NAO's model: widths {self.widths}: every layer needs a width of at least 1")
        if not (0 <= self.dropout < 1 and 0 <= self.trade <= 1 and self.rate > 0 and self.decay >= 0 and self.clip > 0):
            raise UserError(
                f"NAO's model: dropout {self.dropout}, trade {self.trade}, rate {self.rate}, decay {self.decay}, clip"
                f" {self.clip}: needs dropout in [0, 1), trade in [0, 1], rate > 0, decay >= 0 and clip > 0"
            )

    def fit(self, archs: Sequence[Arch], scores: Sequence[float], seed: int) -> FittedNAO:
        """Trains the three parts together; of `scores` larger is better. A function of its arguments alone.

        Raises:
            UserError: See `check`.
        """
        check(archs, scores)
        low, high = float(min(scores)), float(max(scores))
        tokens = Tokens(self.space)
        forms, targets = list(archs), [(score - low) / (high - low) if high > low else 0.5 for score in scores]
        if self.symmetric is not None:
            rng = stream(seed, "forms")
            forms += [self.symmetric(arch, rng) for _ in range(self.forms - 1) for arch in archs]
            targets *= self.forms
        with torch.random.fork_rng([]):  # layers and dropout draw from the global generator
            torch.default_generator.manual_seed(derive(seed, "nao_model"))
            network = Network(tokens.vocabulary, self.embedding, self.hidden, self.widths, self.dropout)
            self._train(network, tokens, *tokens.read(forms), torch.tensor(targets), torch_stream(seed, "batches"))
        return FittedNAO(network.eval().requires_grad_(False), tokens, low, high)

    def _train(
        self, network: Network, tokens: Tokens, ids: Tensor, places: Tensor, live: Tensor, y: Tensor, rng: torch.Generator
    ) -> None:
        network.train()
        optimizer = torch.optim.Adam(network.parameters(), lr=self.rate, weight_decay=self.decay, fused=True)
        for _ in range(self.steps):
            rows = slice(None) if len(y) <= self.batch else torch.randperm(len(y), generator=rng)[: self.batch]
            x, mask = ids[rows], live[rows]
            code = network.encode(x, mask)
            error = F.mse_loss(network.value(code, mask), y[rows])
            before = torch.cat([torch.full_like(x[:, :1], tokens.vocabulary), x[:, :-1]], 1)
            logits = network.write(code, mask, before, network.start(code, mask))[0]
            logits = logits.masked_fill(~tokens.allowed[places[rows]], -torch.inf)
            written = F.cross_entropy(logits[mask], x[mask])
            optimizer.zero_grad()
            (self.trade * error + (1 - self.trade) * written).backward()
            nn.utils.clip_grad_norm_(network.parameters(), self.clip)
            optimizer.step()


@dataclass(frozen=True, slots=True)
class Code:
    """n architectures as points.

    Attributes:
        outputs: Of the encoder, each of length 1, shape (n, steps, hidden).
        live: Which steps an architecture has, shape (n, steps).
    """

    outputs: Tensor
    live: Tensor


@dataclass(frozen=True, slots=True)
class FittedNAO:
    """A trained model; as a function of architectures it is a predictor without an uncertainty.

    Attributes:
        low: Smallest score fitted.
        high: Largest score fitted.
    """

    _network: Network
    _tokens: Tokens
    low: float
    high: float

    def __call__(self, archs: Sequence[Arch]) -> Prediction:
        """See `Fitted`; predictions lie between the smallest and the largest score fitted."""
        if not archs:
            return Prediction(np.zeros(0), np.zeros(0))
        with torch.no_grad():
            values = self.value(self.encode(archs)).double().numpy()
        return Prediction(self.low + (self.high - self.low) * values, np.zeros(len(archs)))

    def encode(self, archs: Sequence[Arch]) -> Code:
        """The points that stand for `archs`."""
        ids, _, live = self._tokens.read(archs)
        with torch.no_grad():
            return Code(self._network.encode(ids, live), live)

    def value(self, code: Code) -> Tensor:
        """Predicted scores, 0 and 1 being the smallest and the largest fitted; shape (n,)."""
        return self._network.value(code.outputs, code.live)

    def uphill(self, code: Code, step: float) -> Code:
        """Every output moved by `step` times the gradient of the predicted score, then scaled to length 1 again (eq. 4)."""
        with torch.enable_grad():
            outputs = code.outputs.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(self.value(Code(outputs, code.live)).sum(), outputs)
        return Code(F.normalize(code.outputs + step * gradient, dim=-1), code.live)

    def decode(self, code: Code) -> list[Arch | None]:
        """The architectures that the decoder writes down, always taking the most likely option of the decision met.

        The walk over the space says which decision that is, so what is written is always an architecture of the space, except
        that a `Where` rule which spans several decisions can be broken at the end: None stands for such a one.
        """
        network, tokens = self._network, self._tokens
        chosen: list[dict[str, int]] = [{} for _ in range(len(code.live))]
        written: list[Arch | str | None] = [tokens.walk(choices) for choices in chosen]
        with torch.no_grad():
            state = network.start(code.outputs, code.live)
            last = torch.full((len(code.live), 1), tokens.vocabulary)
            while any(isinstance(asked, str) for asked in written):
                logits, state = network.write(code.outputs, code.live, last, state)
                places = torch.tensor([tokens.place[asked] if isinstance(asked, str) else 0 for asked in written])
                best = logits[:, 0].masked_fill(~tokens.allowed[places], -torch.inf).argmax(1)
                last = best[:, None]
                for i, (asked, token) in enumerate(zip(written, best.tolist(), strict=True)):
                    if isinstance(asked, str):
                        chosen[i][asked] = token - tokens.offset[asked]
                        written[i] = tokens.walk(chosen[i])
        return [None if isinstance(arch, str) else arch for arch in written]
