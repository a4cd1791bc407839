"""Encoder, predictor and decoder of neural architecture optimisation: architectures as points that a gradient can move."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, field
from itertools import pairwise
from random import Random
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.encode import Encoder
from common.errors import UserError
from common.predict.base import Prediction, check
from common.space import Arch, Decision, Invalid, decisions, record
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
    on its first 600 architectures, at a rate of 0.001. The defaults are for
    tables, where 300 queries shall not take minutes.

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
        if min(self.embedding, self.hidden, *self.widths, self.steps, self.batch, self.forms) < 1:
            raise UserError(f"{self}: embedding, hidden, widths, steps, batch and forms must be at least 1")
        if not (0 <= self.dropout < 1 and 0 <= self.trade <= 1 and self.rate > 0 and self.decay >= 0 and self.clip > 0):
            raise UserError(f"{self}: needs dropout in [0, 1), trade in [0, 1], rate > 0, decay >= 0 and clip > 0")

    def fit(self, archs: Sequence[Arch], scores: Sequence[float], seed: int) -> FittedNAO:
        """Trains the three parts together; of `scores` larger is better. A function of its arguments alone.

        Raises:
            UserError: See `check`.
        """
        check(archs, scores)
        low, high = float(min(scores)), float(max(scores))
        tokens = _Tokens(self.space)
        forms, targets = list(archs), [(score - low) / (high - low) if high > low else 0.5 for score in scores]
        if self.symmetric is not None:
            rng = stream(seed, "forms")
            forms += [self.symmetric(arch, rng) for _ in range(self.forms - 1) for arch in archs]
            targets *= self.forms
        with torch.random.fork_rng([]):  # layers and dropout draw from the global generator
            torch.manual_seed(derive(seed, "nao_model"))
            network = _Network(self, tokens.vocabulary)
            self._train(network, tokens, *tokens.read(forms), torch.tensor(targets), torch_stream(seed, "batches"))
        return FittedNAO(network.eval().requires_grad_(False), tokens, low, high)

    def _train(
        self, network: _Network, tokens: _Tokens, ids: Tensor, places: Tensor, live: Tensor, y: Tensor, rng: torch.Generator
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

    _network: _Network
    _tokens: _Tokens
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


class _Asked(Exception):
    """The walk met a decision that is not settled yet."""


@dataclass(slots=True)
class _Tokens:
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


class _Network(nn.Module):
    def __init__(self, settings: NAOModel, vocabulary: int) -> None:
        super().__init__()
        hidden, widths = settings.hidden, settings.widths
        self.tokens = nn.Embedding(vocabulary, settings.embedding)
        self.reader = nn.LSTM(settings.embedding, hidden, batch_first=True)
        self.before = nn.Embedding(vocabulary + 1, settings.embedding)  # one more: nothing is written yet
        self.writer = nn.LSTM(settings.embedding, hidden, batch_first=True)
        self.mix = nn.Linear(2 * hidden, hidden)
        self.out = nn.Linear(hidden, vocabulary)
        layers: list[nn.Module] = []
        for a, b in pairwise([hidden, *widths]):
            layers += [nn.Linear(a, b), nn.ReLU(), nn.Dropout(settings.dropout)]
        self.predictor = nn.Sequential(*layers, nn.Linear(widths[-1] if widths else hidden, 1), nn.Sigmoid())

    def encode(self, ids: Tensor, live: Tensor) -> Tensor:
        """Code of shape (n, steps, hidden); steps that are not live come last, so that they reach no other, and are 0."""
        return F.normalize(self.reader(self.tokens(ids))[0], dim=-1) * live[:, :, None]

    def pool(self, code: Tensor, live: Tensor) -> Tensor:
        """The embedding, shape (n, hidden)."""
        return F.normalize((code * live[:, :, None]).sum(1), dim=-1)  # the length is 1 in any case: a sum is as good as a mean

    def value(self, code: Tensor, live: Tensor) -> Tensor:
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
