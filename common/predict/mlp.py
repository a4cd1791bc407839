"""Multilayer perceptron on vectors that describe architectures, e.g. one-hot encodings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from common.errors import UserError
from common.predict.base import Fitted, Prediction, check
from common.predict.fitting import Scale, check_training, dense, descend
from common.space import Arch
from common.streams import torch_stream

Features = Callable[[Arch], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class MLP:
    """ReLU layers and a linear output, trained with the L1 loss on standardised scores, the whole training set in every step.

    L1, as PNAS uses it (1712.00559, section 4.2): a few networks that hardly train at all lie many standard deviations below
    the rest in most tables, and a squared loss spends the fit on them. It has no notion of its uncertainty: see `Ensemble`.

    Attributes:
        features: Architecture -> vector; all of one length. Columns are standardised by what is fitted.
        hidden: Widths of the hidden layers.
        steps: Steps of AdamW, each on all points.
        rate: Its highest learning rate; see `descend`.
        decay: Its weight decay.
    """

    features: Features
    _: KW_ONLY
    hidden: tuple[int, ...] = (128, 128)
    steps: int = 100
    rate: float = 0.01
    decay: float = 0.1

    def __post_init__(self) -> None:
        check_training("MLP", self.steps, self.rate, self.decay)
        if any(width < 1 for width in self.hidden):
            raise UserError(f"MLP: hidden is {self.hidden}: every layer needs a width of at least 1")

    def fit(self, archs: Sequence[Arch], scores: Sequence[float], seed: int) -> Fitted:
        """Fits the scores; equal scores give a constant.

        Raises:
            UserError: See `check`; vectors of different lengths.
        """
        check(archs, scores)
        scale = Scale.of(scores)
        raw = stacked(self.features, archs)
        std, shift = torch.std_mean(raw, dim=0, correction=0)
        std = torch.where(std > 0, std, torch.inf)  # what never varied in the fit has nothing learnt about it: it reads as 0
        rng = torch_stream(seed, "mlp")
        widths = [raw.shape[1], *self.hidden, 1]
        layers = [dense(rng, a, b) for a, b in pairwise(widths)]
        if not scale.constant:
            inputs, targets = (raw - shift) / std, scale.standard(scores)
            parameters = [parameter for layer in layers for parameter in layer]
            descend(parameters, lambda step: F.l1_loss(_forward(layers, inputs), targets), self.steps, self.rate, self.decay)

        def predict(archs: Sequence[Arch]) -> Prediction:
            zeros = np.zeros(len(archs))
            if scale.constant or not archs:
                return Prediction(zeros + scale.centre, zeros)
            with torch.no_grad():
                outputs = _forward(layers, (stacked(self.features, archs) - shift) / std)
            return Prediction(scale.original(outputs), zeros)

        return predict


def stacked(features: Features, archs: Sequence[Arch]) -> Tensor:
    """The vectors of some architectures; shape (n, features).

    Raises:
        UserError: They differ in length, or are no vectors.
    """
    vectors = [features(arch) for arch in archs]
    shapes = {vector.shape for vector in vectors}
    if len(shapes) != 1 or len(next(iter(shapes))) != 1:
        raise UserError(f"features of shapes {sorted(shapes)}: a predictor needs vectors of one length")
    return torch.from_numpy(np.stack(vectors).astype(np.float32, copy=False))


def _forward(layers: Sequence[Sequence[Tensor]], x: Tensor) -> Tensor:
    for weight, bias in layers[:-1]:
        x = F.relu(F.linear(x, weight, bias))
    return F.linear(x, *layers[-1]).squeeze(1)
