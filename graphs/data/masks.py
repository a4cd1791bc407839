"""Cuts of the nodes of one graph into train, val and test, for data that comes without."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool
from numpy.typing import NDArray
from torch import Tensor

_TRAIN, _VAL, _LEAST = 20, 30, 60

Masks = tuple[Bool[Tensor, "n"], Bool[Tensor, "n"], Bool[Tensor, "n"]]
"""The nodes of train, val and test."""


def mask_of(nodes: NDArray[np.int64], count: int) -> Bool[Tensor, "n"]:
    """A mask over `count` nodes, True at `nodes`."""
    mask = torch.zeros(count, dtype=torch.bool)
    mask[torch.from_numpy(nodes)] = True
    return mask


def cut(labels: NDArray[np.int64], per_class: int, val: int, test: int, rng: np.random.Generator) -> Masks:
    """Equally many training nodes of every class; val and test are drawn from the rest without regard to the class.

    Args:
        labels: 0 to classes - 1, int64, shape (n,).
        per_class: training nodes a class; every class has at least as many.
        val: nodes.
        test: nodes; n >= classes * per_class + val + test.
        rng: of the draw.
    """
    order = rng.permutation(len(labels))
    train = np.concatenate([order[labels[order] == label][:per_class] for label in range(labels.max() + 1)])
    rest = order[~np.isin(order, train)]
    return mask_of(train, len(labels)), mask_of(rest[:val], len(labels)), mask_of(rest[val : val + test], len(labels))


def cut_classes(labels: NDArray[np.int64], rng: np.random.Generator) -> Masks:
    """20 training and 30 validation nodes of every class, the others for the test (O. Shchur et al., 2018, arXiv 1811.05868).

    A class of fewer than 60 nodes gives a third to train and a half to val instead.

    Args:
        labels: at least 0, int64, shape (n,).
        rng: of the draw.
    """
    parts: tuple[list[NDArray[np.int64]], ...] = ([], [], [])
    for label in range(labels.max() + 1):
        members = rng.permutation(np.flatnonzero(labels == label))
        share = min(1.0, len(members) / _LEAST)
        first = max(1, int(_TRAIN * share))
        for part, piece in zip(parts, np.split(members, [first, first + int(_VAL * share)]), strict=True):
            part.append(piece)
    train, val, test = (mask_of(np.concatenate(part), len(labels)) for part in parts)
    return train, val, test


def recut(
    labels: NDArray[np.int64] | None, train: Bool[Tensor, " n"], val: Bool[Tensor, " n"], rng: np.random.Generator
) -> tuple[Bool[Tensor, " n"], Bool[Tensor, " n"]]:
    """Another cut of the same nodes into train and val, for repeated hold-out: no node of the test is touched.

    Args:
        labels: of all nodes, int64, shape (n,): train gets as many nodes of every class as it had. None where a node may have
            several: as many in all.
        train: nodes of train.
        val: nodes of val; those in train as well count as train.
        rng: of the draw.
    """
    order = rng.permutation((train | val).nonzero().flatten().numpy())
    if labels is None:
        chosen = order[: int(train.sum())]
    else:
        counts = np.bincount(labels[train.numpy()], minlength=labels.max() + 1)
        chosen = np.concatenate([order[labels[order] == label][:count] for label, count in enumerate(counts)])
    first = mask_of(chosen, len(train))
    return first, (train | val) & ~first


def alternate(train: Bool[Tensor, "n"]) -> Masks:
    """The given training nodes; the others go to val and test in turn."""
    rest = (~train).nonzero().flatten()
    val, test = torch.zeros_like(train), torch.zeros_like(train)
    val[rest[::2]] = True
    test[rest[1::2]] = True
    return train, val, test
