"""In which order training walks through a split: a function of seed and step, so that a resumed run sees the same."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from common.streams import numpy_stream


def positions_at(count: int, step: int, batch_size: int, seed: int, *names: str) -> NDArray[np.int64]:
    """Positions of the items of one step's batch, in a split of `count`; shape (batch_size,).

    Steps walk through one random order of the split per epoch, each item once; a batch may straddle epochs, so every batch is
    full.

    Args:
        count: items in the split, at least 1.
        step: counted from 0.
        batch_size: at least 1.
        seed: of the run.
        names: of the walk: the stage, and the split where a stage has several.
    """
    start, stop = step * batch_size, (step + 1) * batch_size
    epochs = range(start // count, (stop - 1) // count + 1)
    orders = [_epoch_order(count, seed, names, epoch) for epoch in epochs]
    return np.concatenate(orders)[start - epochs[0] * count : stop - epochs[0] * count]


@lru_cache(maxsize=16)
def _epoch_order(count: int, seed: int, names: tuple[str, ...], epoch: int) -> NDArray[np.int64]:
    return numpy_stream(seed, *names, "order", epoch).permutation(count)
