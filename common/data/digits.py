"""Real handwritten digits that come inside scikit-learn, in three disjoint parts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal, cast

import numpy as np

from common.streams import numpy_stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

SplitName = Literal["train", "val", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "val", "test")
NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_ENDS = {"train": (0.0, 0.6), "val": (0.6, 0.8), "test": (0.8, 1.0)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Digits:
    """One part of the 1,797 digits.

    Attributes:
        images: ink from 0 to 1, float32, shape (n, 8, 8).
        labels: the digit, 0 to 9, int64, shape (n,).
        indices: position of each digit in scikit-learn's table, int64, shape (n,).
    """

    images: NDArray[np.float32]
    labels: NDArray[np.int64]
    indices: NDArray[np.int64]


@cache
def digits(split: SplitName) -> Digits:
    """The digits of one split: 60 % train, 20 % val, 20 % test of every class.

    The parts do not depend on any seed, so no run can ever train on another run's test digits.
    Data: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998.
    """
    from sklearn.datasets import load_digits

    table = cast("dict[str, NDArray]", load_digits())
    target = np.asarray(table["target"], dtype=np.int64)
    low, high = _ENDS[split]
    parts = []
    for digit in range(10):
        members = numpy_stream(0, "digits", digit).permutation(np.flatnonzero(target == digit))
        parts.append(members[round(low * len(members)) : round(high * len(members))])
    indices = np.sort(np.concatenate(parts))
    images = np.asarray(table["images"], dtype=np.float32)[indices] / 16.0
    return Digits(images=images, labels=target[indices], indices=indices)
