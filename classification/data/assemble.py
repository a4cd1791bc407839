"""From pictures and labels, however stored, to a checked data set with three splits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from classification.data.splits import ClassificationData, Scale, Source, Split, by_class
from common.data.digits import SPLITS, SplitName
from common.errors import UserError
from common.streams import numpy_stream

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SHARE = 0.2  # of every class of train goes to a split that is missing
_MOST = 5_000  # images of a split cut from train: CIFAR's usual validation split
_CHUNK = 1_000  # images whose sums are taken at once


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """The pictures of one split as they were found.

    Attributes:
        source: the pictures.
        rows: the rows that can be used.
        labels: of these rows.
    """

    source: Source
    rows: NDArray[np.int64]
    labels: NDArray[np.int64]


def assemble(
    name: str,
    classes: Sequence[str],
    parts: Mapping[SplitName, Part],
    *,
    notes: Sequence[str] = (),
    skipped: Sequence[str] = (),
    split_seed: int = 0,
    mirrored: bool = True,
    measured: int | None = None,
) -> ClassificationData:
    """Check the parts, cut what is missing from train, measure the normalisation.

    A missing split takes a fifth of every class of train, at least one picture and at most 5,000 in all, drawn by
    (split_seed, split, class name); the notes say so.

    Args:
        name: of the data set, also in messages.
        classes: names in label order.
        parts: "train", and "val" and "test" as far as they exist.
        notes: kept.
        skipped: kept.
        split_seed: of the splits that are cut from train; not the run's seed, so that runs share their test pictures.
        mirrored: see `Split`.
        measured: most training pictures the normalisation is measured on, evenly spaced; None for all.

    Raises:
        UserError: fewer than two classes, a class named twice, an empty split, or a class with too few pictures in train.
    """
    classes = tuple(classes)
    if len(classes) < 2:
        raise UserError(f"{name} has {len(classes)} class(es): a classifier needs at least two")
    twice = sorted({label for label in classes if classes.count(label) > 1})
    if twice:
        raise UserError(f"{name}: class name(s) {', '.join(map(repr, twice[:4]))} occur twice: rename them")
    noted = list(notes)
    for split, part in parts.items():
        if not len(part.rows):
            raise UserError(f"{name}: split {split} has no usable image: add some{_or_drop(split)}")
        absent = [label for label, own in zip(classes, by_class(part.labels, len(classes))) if not len(own)]
        if absent and split == "train":
            raise UserError(
                f"{name}: no image in train for {_listing(absent)}: a class cannot be learnt without; add images or take it out"
            )
        if absent:
            noted.append(f"{split} has no image of {_listing(absent)}")
    missing: list[SplitName] = [split for split in SPLITS if split not in parts]
    whole = parts["train"]
    places = _cut(name, classes, whole.labels, missing, split_seed)
    for split in missing:
        noted.append(
            f"there is no {split} split: {len(places[split]):,} of the {len(whole.rows):,} training images serve as {split}, a "
            f"share of every class drawn with split seed {split_seed}"
        )
    found = {split: _select(whole, places[split]) if split in places else parts[split] for split in SPLITS}
    scale = measure(found["train"], measured)
    if measured is not None and len(found["train"].rows) > measured:
        noted.append(f"the normalisation was measured on {measured:,} training images, evenly spaced")
    splits = {
        split: Split(
            name=split,
            classes=classes,
            source=part.source,
            row_array=part.rows,
            label_array=part.labels,
            scale=scale,
            mirrored=mirrored,
        )
        for split, part in found.items()
    }
    return ClassificationData(
        name=name,
        train=splits["train"],
        val=splits["val"],
        test=splits["test"],
        skipped=tuple(skipped),
        notes=tuple(noted),
    )


def measure(part: Part, most: int | None = None) -> Scale:
    """Mean and standard deviation of every channel; sums are of whole numbers, hence exact in any order.

    Args:
        part: training pictures, at least one.
        most: how many are looked at, evenly spaced; None for all.
    """
    rows = part.rows
    if most is not None and len(rows) > most:
        rows = rows[np.linspace(0, len(rows) - 1, most).round().astype(np.int64)]
    sums, squares = np.zeros(3), np.zeros(3)
    for start in range(0, len(rows), _CHUNK):
        # Channels side by side: float64 sums of whole numbers below 2**53 are exact.
        values = part.source.take(rows[start : start + _CHUNK]).transpose(1, 0, 2, 3).reshape(3, -1).astype(np.float64)
        sums += values.sum(1)
        squares += np.square(values, out=values).sum(1)
    count = len(rows) * part.source.size**2
    mean = sums / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 0))
    std[std < 1e-6] = 255.0
    red, green, blue = (mean / 255).tolist()
    return Scale(mean=(red, green, blue), std=(float(std[0] / 255), float(std[1] / 255), float(std[2] / 255)))


def _cut(
    name: str, classes: tuple[str, ...], labels: NDArray[np.int64], missing: list[SplitName], seed: int
) -> dict[SplitName, NDArray[np.int64]]:
    """Positions of train's pictures that stay there and that go to each missing split, ascending."""
    places: dict[SplitName, list[NDArray[np.int64]]] = {split: [] for split in ("train", *missing)}
    for label, members in zip(classes, by_class(labels, len(classes))):
        if len(members) <= len(missing):
            raise UserError(
                f"{name}: class {label!r} has {len(members)} image(s) in train, of which {' and '.join(missing)} must be cut: "
                f"add images, or add the split(s) {' and '.join(missing)}"
            )
        share = max(1, min(round(_SHARE * len(members)), _MOST // len(classes)))
        left = members
        for split in missing:
            drawn = numpy_stream(seed, "split", split, label).permutation(left)[:share]
            places[split].append(drawn)
            left = np.setdiff1d(left, drawn)
        places["train"].append(left)
    return {split: np.sort(np.concatenate(found)) for split, found in places.items()}


def _or_drop(split: SplitName) -> str:
    return "" if split == "train" else f", or remove {split} to have it cut from train"


def _listing(names: list[str], shown: int = 5) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(map(repr, names[:shown])) + more


def _select(part: Part, places: NDArray[np.int64]) -> Part:
    return Part(source=part.source, rows=part.rows[places], labels=part.labels[places])
