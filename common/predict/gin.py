"""Graph isomorphism network on cells: the predictor of NPENAS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from common.encode import Graph
from common.errors import UserError
from common.predict.base import Fitted, Prediction, check
from common.predict.fitting import Scale, check_training, dense, descend
from common.space import Arch
from common.streams import torch_stream


@dataclass(frozen=True, slots=True)
class GIN:
    """GIN layers, mean over the nodes, two linear layers (Wei et al., NPENAS, 2003.12857, section III.B and III.C).

    A layer is h_v <- CELU(norm(MLP(h_v + sum of h_u over the neighbours u))) with an MLP of two layers; nodes start as one-hot
    operations. Numbering the nodes of a cell differently changes nothing but the order of sums.

    Cells have a dozen nodes at most, so graphs are padded to the largest and a layer is a batched product with dense
    adjacencies; a library of sparse graphs would be one more dependency of the core.

    Departures from the paper's code: every step sees the whole training set (there: mini-batches of 16), so fewer steps
    are needed; layer normalisation of nodes instead of batch normalisation, so that a prediction does not depend on the
    others; no dropout; AdamW on scores standardised inside, in either direction (there: Adam on errors); the L1 loss where
    the output is a mean alone, as in `MLP` (there: MSE).

    Attributes:
        graph: Architecture -> its cell, with operations on the nodes.
        operations: Every operation that a graph can hold.
        layers: GIN layers.
        hidden: Their width; the layer before the output has half of it.
        both: Whether messages also go against the edges; without it a node knows only what comes before it.
        uncertain: Two outputs, mean and standard deviation, trained with the Gaussian negative log-likelihood (NPENAS-BO);
            without it standard deviations are 0.
        steps: Steps of AdamW, each on all points.
        rate: Its highest learning rate; see `descend`.
        decay: Its weight decay.
    """

    graph: Callable[[Arch], Graph]
    operations: Sequence[str]
    _: KW_ONLY
    layers: int = 3
    hidden: int = 32
    both: bool = True
    uncertain: bool = False
    steps: int = 150
    rate: float = 0.01
    decay: float = 0.1

    def __post_init__(self) -> None:
        check_training("GIN", self.steps, self.rate, self.decay)
        if self.layers < 1 or self.hidden < 2:
            raise UserError(f"GIN: layers {self.layers}, hidden {self.hidden}: at least 1 layer of width 2 is needed")
        if not self.operations or len(set(self.operations)) != len(self.operations):
            raise UserError(f"GIN: operations {list(self.operations)} are empty or repeat one: list every operation once")

    def fit(self, archs: Sequence[Arch], scores: Sequence[float], seed: int) -> Fitted:
        """Fits the scores; equal scores give a constant with standard deviation 0.

        Raises:
            UserError: See `check`; a graph without nodes or with an operation that is not in `operations`.
        """
        check(archs, scores)
        scale = Scale.of(scores)
        rng = torch_stream(seed, "gin")
        convolutions = []
        for width in [len(self.operations), *[self.hidden] * (self.layers - 1)]:
            gain_shift = [torch.ones(self.hidden), torch.zeros(self.hidden)]
            convolutions.append([*dense(rng, width, self.hidden), *dense(rng, self.hidden, self.hidden), *gain_shift])
        half = self.hidden // 2
        head = [*dense(rng, self.hidden, half), *dense(rng, half, 2 if self.uncertain else 1)]
        batch = self._batch(archs)
        if not scale.constant:
            targets = scale.standard(scores)
            parameters = [parameter for group in (*convolutions, head) for parameter in group]

            def loss(step: int) -> Tensor:
                mean, std = _forward(convolutions, head, *batch)
                return F.l1_loss(mean, targets) if std is None else F.gaussian_nll_loss(mean, targets, std.square())

            descend(parameters, loss, self.steps, self.rate, self.decay)

        def predict(archs: Sequence[Arch]) -> Prediction:
            zeros = np.zeros(len(archs))
            if scale.constant or not archs:
                return Prediction(zeros + scale.centre, zeros)
            with torch.no_grad():
                mean, std = _forward(convolutions, head, *self._batch(archs))
            return Prediction(scale.original(mean), zeros if std is None else std.double().numpy() * scale.spread)

        return predict

    def _batch(self, archs: Sequence[Arch]) -> tuple[Tensor, Tensor, Tensor]:
        """Padded one-hot nodes (n, nodes, operations), I + A (n, nodes, nodes), and weights (n, 1, nodes) of the mean."""
        place = {operation: i for i, operation in enumerate(self.operations)}
        graphs = [self.graph(arch) for arch in archs]
        sizes = np.array([len(graph.ops) for graph in graphs])
        unknown = {op for graph in graphs for op in graph.ops if op not in place}
        if unknown:
            raise UserError(f"GIN: a graph has operations {sorted(unknown)}: the predictor knows {', '.join(self.operations)}")
        if not sizes.all():
            raise UserError("GIN: a graph has no nodes: give at least one")
        owner = np.repeat(np.arange(len(graphs)), sizes)
        node = np.concatenate([np.arange(size) for size in sizes])
        nodes = np.zeros((len(graphs), sizes.max(), len(place)), dtype=np.float32)
        nodes[owner, node, [place[op] for graph in graphs for op in graph.ops]] = 1.0
        links = np.zeros((len(graphs), sizes.max(), sizes.max()), dtype=np.float32)
        links[owner, node, node] = 1.0
        edges = np.array([(i, a, b) for i, graph in enumerate(graphs) for a, b in graph.edges], dtype=np.int64).reshape(-1, 3)
        which, source, target = edges.T
        links[which, target, source] = 1.0  # a row gathers what comes into its node
        if self.both:
            links[which, source, target] = 1.0
        weights = np.zeros((len(graphs), 1, sizes.max()), dtype=np.float32)
        weights[owner, 0, node] = np.repeat(1 / sizes, sizes)
        return torch.from_numpy(nodes), torch.from_numpy(links), torch.from_numpy(weights)


def _forward(
    convolutions: Sequence[Sequence[Tensor]], head: Sequence[Tensor], nodes: Tensor, links: Tensor, weights: Tensor
) -> tuple[Tensor, Tensor | None]:
    """Mean, and standard deviation if the head gives one; each of shape (n,), in standard units."""
    x = nodes
    for inner, inner_bias, outer, outer_bias, gain, shift in convolutions:
        x = F.relu(F.linear(torch.bmm(links, x), inner, inner_bias))
        x = F.celu(F.layer_norm(F.linear(x, outer, outer_bias), (len(gain),), gain, shift))
    pooled = torch.bmm(weights, x).squeeze(1)  # padding weighs nothing here, and no real node is linked to it
    hidden, hidden_bias, last, last_bias = head
    outputs = F.linear(F.celu(F.linear(pooled, hidden, hidden_bias)), last, last_bias)
    if len(last) == 1:
        return outputs[:, 0], None
    return outputs[:, 0], F.softplus(outputs[:, 1]) + 1e-3
