"""The data set that needs no download: the handwritten digits inside scikit-learn, each joined to those most like it.

No torch here.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, cast

import numpy as np

from common.data.digits import NAMES
from common.errors import UserError
from common.streams import numpy_stream
from graphs.data.arrays import GraphSet, one_graph
from graphs.data.check import check
from graphs.data.masks import cut

if TYPE_CHECKING:
    from numpy.typing import NDArray

_VAL, _TEST = 500, 1000
_MOST = 100  # training nodes a class: the rarest digit has 174, and most must be left to validate and test on


@cache
def digits(neighbours: int = 10, per_class: int = 20) -> GraphSet:
    """1,797 digits as nodes with their 64 pixels (0 to 1) as features, joined to their nearest neighbours.

    Two digits are joined if either is among the nearest `neighbours` of the other. Distances are Euclidean and of whole numbers,
    thus exact, and of two that are equal the digit with the lower number is nearer: the graph is the same on every machine. So
    is the split, which depends on no seed; it has 500 validation and 1,000 test nodes (a third and two thirds of what
    training leaves, if that is fewer).

    Args:
        neighbours: of a digit, 1 to 1,796.
        per_class: training nodes of every digit, 1 to 100.

    Raises:
        UserError: a number outside its range.
    """
    pixels, labels = _table()
    if not 1 <= neighbours < len(labels):
        raise UserError(f"neighbours={neighbours}: there are {len(labels):,} digits; give 1 to {len(labels) - 1:,}")
    if not 1 <= per_class <= _MOST:
        raise UserError(f"per_class={per_class}: most digits must be left to validate and test on; give 1 to {_MOST}")
    rest = len(labels) - per_class * len(NAMES)
    val = min(_VAL, rest // 3)
    masks = cut(labels, per_class, val, min(_TEST, rest - val), numpy_stream(0, "digits graph", per_class))
    x = (pixels / 16).astype(np.float32)
    train, validation, test = one_graph(x, _joined(pixels, neighbours), labels, masks)
    note = (
        f"1,797 real handwritten digits of 8x8 pixels (scikit-learn), each joined to its {neighbours} nearest: the graph is made "
        "of the features, so it says less beyond them than a citation does; the split is the same in every run"
    )
    return check(
        GraphSet(name="digits", classes=NAMES, train=(train,), val=(validation,), test=(test,), multilabel=False, notes=(note,))
    )


def _table() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Pixels, whole numbers from 0 to 16, shape (1797, 64), and labels."""
    from sklearn.datasets import load_digits

    table = cast("dict[str, NDArray]", load_digits())
    return np.asarray(table["data"], dtype=np.float64), np.asarray(table["target"], dtype=np.int64)


def _joined(points: NDArray[np.float64], neighbours: int) -> NDArray[np.int64]:
    """Edges in both directions between points and their nearest; int64, shape (2, e)."""
    squares = (points**2).sum(axis=1)
    distances = squares[:, None] + squares - 2 * points @ points.T
    np.fill_diagonal(distances, np.inf)
    # a stable sort, as numpy's quicker ones order equal distances as the processor's vector width has it
    near = np.argsort(distances, axis=1, kind="stable")[:, :neighbours]
    pairs = np.stack([np.arange(len(points)).repeat(neighbours), near.reshape(-1)])
    return np.unique(np.concatenate([pairs, pairs[::-1]], axis=1), axis=1)
