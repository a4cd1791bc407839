"""One network trained on one graph as the benchmark does it, see `train`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer

from common.errors import UserError
from common.tables.nasbench_graph import Network
from common.train.fit import TrainingDiverged, fit
from common.train.schedules import constant
from common.train.step import Losses, Step
from graphs.nasbench.data import Graph
from graphs.nasbench.model import build
from graphs.nasbench.settings import Hyper


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a training gave: accuracies in percent, as the table has them."""

    valid: float
    """Best validation accuracy of any epoch: what the table's column holds, by reconstruction (see `train`)."""
    test: float
    """Test accuracy after the epoch with the lowest validation loss; 0 if no loss was a number."""
    chosen: float
    """Validation accuracy after that epoch."""
    epoch: int
    """That epoch, from 1; 0 if there is none."""
    epochs: int
    """Epochs done: fewer than wanted where the loss was no number any more."""
    seconds: float
    """Wall-clock of the training with its evaluations."""


def _optimizer(model: nn.Module, hyper: Hyper) -> Optimizer:
    # every parameter decays here, norms and biases too: not the groups of `common.train.optim`
    kind = SGD if hyper.optimizer == "sgd" else Adam
    return kind(model.parameters(), lr=hyper.lr, weight_decay=hyper.weight_decay)


def train(network: Network, graph: Graph, hyper: Hyper, seed: int = 0, epochs: int | None = None, every: int = 1) -> Outcome:
    """Trains a network from scratch, full batch, with a constant learning rate; on a CPU the same arguments give the same bits.

    The test accuracy is that after the epoch with the lowest validation loss, as the benchmark's training script has it.
    Which validation accuracy the table lists is not written down. The 164 networks of Cora with less
    than 20 % in the test column have 29 % there on average, and 15 % in the test column: it can hardly be that of the same
    epoch, and is taken for the best of all.

    Args:
        network: Settled.
        graph: Trained and judged on.
        hyper: The data set's setting.
        seed: Of weights and dropout.
        epochs: Instead of the setting's.
        every: Epochs between two evaluations, of which the last epoch always has one; the benchmark evaluates after each.

    Raises:
        UserError: No epochs, or none between evaluations.
    """
    wanted = hyper.epochs if epochs is None else epochs
    if wanted < 1 or every < 1:
        raise UserError(f"epochs={wanted}, every={every}: give numbers of at least 1")
    model = build(network, graph.x.features, graph.classes, hyper, seed)
    judged = torch.cat([graph.valid, graph.test])
    best = {"loss": float("inf"), "valid": 0.0, "test": 0.0, "chosen": 0.0}
    chosen_at = done = 0
    begin = time.perf_counter()

    def loss(module: nn.Module, given: Graph, step: Step) -> Mapping[str, Tensor]:
        return {"loss": F.cross_entropy(module(given.x, given.edges, given.train), given.y[given.train])}

    @torch.no_grad()
    def observe(step: int, values: Mapping[str, float]) -> None:
        nonlocal chosen_at, done
        done = step + 1
        if done % every and done != wanted:
            return
        model.eval()
        scores = model(graph.x, graph.edges, judged)
        model.train()
        hits = scores.argmax(dim=1) == graph.y[judged]
        valid, test = (100 * float(part.float().mean()) for part in hits.split([len(graph.valid), len(graph.test)]))
        best["valid"] = max(best["valid"], valid)
        if (now := float(F.cross_entropy(scores[: len(graph.valid)], graph.y[graph.valid]))) < best["loss"]:
            best.update(loss=now, test=test, chosen=valid)
            chosen_at = done

    # The benchmark goes on where a loss is no number, to no better epoch: such a loss is never the lowest.
    with suppress(TrainingDiverged):
        fit(
            Losses(model, loss),
            batch_at=lambda step: graph,
            optimizer=_optimizer(model, hyper),
            schedule=constant(),
            steps=wanted,
            seed=seed,
            observe=observe,
        )
    return Outcome(
        valid=best["valid"],
        test=best["test"],
        chosen=best["chosen"],
        epoch=chosen_at,
        epochs=done,
        seconds=time.perf_counter() - begin,
    )
