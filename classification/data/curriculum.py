"""Which classes are easy, and splits of some classes alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch

from classification.data.splits import Split

PER_CLASS = 200
"""Pictures of a class that a probe learns from and is tested on, half and half."""


@lru_cache(maxsize=2)  # phases are asked for several times in a run
def class_order(split: Split) -> tuple[int, ...]:
    """Labels from the easiest class to the hardest, those of equal difficulty in order; a class without pictures comes last.

    DA-NAS (2003.12563) orders classes by the accuracy of a probe; which probe is a reconstruction: every picture is given the
    class whose mean picture is nearest, the means being those of one half of its pictures, the accuracy that on the other half.
    """
    places = [np.flatnonzero(split.label_array == label)[:PER_CLASS] for label in range(len(split.classes))]
    halves = [(rows[: (len(rows) + 1) // 2], rows[(len(rows) + 1) // 2 :]) for rows in places]
    known = [label for label, (first, _) in enumerate(halves) if len(first)]

    def pictures(rows: np.ndarray) -> torch.Tensor:
        return split.scale(split.images(torch.from_numpy(rows))).flatten(1)

    means = torch.stack([pictures(halves[label][0]).mean(0) for label in known])
    found = {}
    for label in known:
        rest = halves[label][1]
        nearest = torch.cdist(pictures(rest), means).argmin(1) if len(rest) else torch.zeros(0)
        found[label] = float((nearest == known.index(label)).float().mean()) if len(rest) else 0.0
    return tuple(sorted(range(len(split.classes)), key=lambda label: (-found.get(label, -1.0), label)))


def of_classes(split: Split, labels: Sequence[int]) -> Split:
    """The pictures of some classes; labels stay as they are."""
    rows = np.flatnonzero(np.isin(split.label_array, labels))
    return split.part(torch.from_numpy(rows), split.name)
