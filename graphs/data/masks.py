"""Cuts of the nodes of one graph into train, val and test, for data that comes without. No torch here."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool
from numpy.typing import NDArray

from common.data.pictures import VAL_IS_TEST
from common.errors import UserError
from common.streams import numpy_stream

_TRAIN, _VAL, _LEAST = 20, 30, 60
_SHARE = 0.2
"""Share of the training nodes that serves for validation where a graph has no validation nodes."""

Masks = tuple[Bool[np.ndarray, "n"], Bool[np.ndarray, "n"], Bool[np.ndarray, "n"]]
"""The nodes of train, val and test."""


def mask_of(nodes: NDArray[np.int64], count: int) -> Bool[np.ndarray, "n"]:
    """A mask over `count` nodes, True at `nodes`."""
    mask = np.zeros(count, dtype=bool)
    mask[nodes] = True
    return mask


def completed(found: Mapping[str, Bool[np.ndarray, "n"]], y: NDArray[np.number], name: str) -> tuple[Masks, list[str]]:
    """Masks of all three splits, from those that a graph has, and what a reader must know of them.

    Without any mask, every class gives 20 nodes to train, 30 to val and the rest to test. With `train_mask` alone, the other
    labelled nodes go to val and test in turn. Without `val_mask`, a fifth of the training nodes of every class is for
    validation. Without `test_mask`, val serves as test. All cuts are the same in every run.

    Args:
        found: masks by name: `train_mask`, `val_mask`, `test_mask`.
        y: class numbers, below 0 for nodes without a label; or 0 and 1, shape (n, classes).
        name: what messages call the graph.

    Raises:
        UserError: the nodes cannot be cut.
    """
    several = y.ndim == 2
    labelled = np.ones(len(y), dtype=bool) if several else y >= 0
    match [key.removesuffix("_mask") for key in found]:
        case ["train", "val", "test"]:
            return (found["train_mask"], found["val_mask"], found["test_mask"]), [f"{name}: its own split"]
        case ["train", "test"]:
            train, val = _held_out(found["train_mask"], None if several else y, name)
            note = f"{name}: it has no val_mask; {int(val.sum())} of its {int((train | val).sum())} training nodes serve as val"
            return (train, val, found["test_mask"]), [note]
        case ["train", "val"]:
            return (found["train_mask"], found["val_mask"], found["val_mask"]), [f"{name}: it has no test_mask; {VAL_IS_NODES}"]
        case ["train"]:
            note = f"{name}: its own training nodes; the others go to val and test in turn"
            return alternate(found["train_mask"], labelled), [note]
        case [] if several or not labelled.any():
            raise UserError(
                f"{name}: its graph has no masks, and only nodes with one label each can be split by class: add train_mask, "
                "val_mask and test_mask"
            )
        case []:
            note = f"{name}: it has no split; every class gives 20 nodes to train, 30 to val (fewer if it is small), the "
            note += "rest to test"
            return cut_classes(y.astype(np.int64), numpy_stream(0, "library", "split")), [note]
        case _:
            raise UserError(f"{name}: its graph has {', '.join(found)}, yet no train_mask: add what is missing")


VAL_IS_NODES = VAL_IS_TEST.replace("pictures", "nodes")
"""What the notes say, after the reason, where a graph has no test nodes of its own."""


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

    A class of fewer than 60 nodes gives a third to train and a half to val instead. Nodes without a label are in no split.

    Args:
        labels: class numbers, below 0 for nodes without a label, int64, shape (n,).
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
    labels: NDArray[np.int64] | None, train: Bool[np.ndarray, " n"], val: Bool[np.ndarray, " n"], rng: np.random.Generator
) -> tuple[Bool[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """Another cut of the same nodes into train and val, for repeated hold-out: no node of the test is touched.

    Args:
        labels: of all nodes, int64, shape (n,): train gets as many nodes of every class as it had. None where a node may have
            several: as many in all.
        train: nodes of train.
        val: nodes of val; those in train as well count as train.
        rng: of the draw.
    """
    order = rng.permutation(np.flatnonzero(train | val))
    if labels is None:
        chosen = order[: int(train.sum())]
    else:
        counts = np.bincount(labels[train], minlength=labels.max() + 1)
        chosen = np.concatenate([order[labels[order] == label][:count] for label, count in enumerate(counts)])
    first = mask_of(chosen, len(train))
    return first, (train | val) & ~first


def alternate(train: Bool[np.ndarray, "n"], labelled: Bool[np.ndarray, "n"]) -> Masks:
    """The given training nodes; the other labelled ones go to val and test in turn."""
    rest = np.flatnonzero(~train & labelled)
    return train, mask_of(rest[::2], len(train)), mask_of(rest[1::2], len(train))


def _held_out(train: Bool[np.ndarray, "n"], labels: NDArray[np.number] | None, name: str) -> tuple[Bool[np.ndarray, "n"], ...]:
    """The training nodes that stay, and those that serve for validation: a fifth of every class, of a single node none."""
    nodes = np.flatnonzero(train)
    groups = [nodes] if labels is None else [nodes[labels[nodes] == label] for label in np.unique(labels[nodes])]
    chosen = []
    for position, members in enumerate(groups):
        share = min(max(1, round(_SHARE * len(members))), len(members) - 1)
        chosen.append(numpy_stream(0, "library", "val", position).permutation(members)[: max(0, share)])
    val = mask_of(np.concatenate([*chosen, np.empty(0, dtype=np.int64)]), len(train))
    if not val.any():
        raise UserError(
            f"{name}: it has no val_mask, and no class has two training nodes, one of which could serve as val: add one"
        )
    return train & ~val, val
