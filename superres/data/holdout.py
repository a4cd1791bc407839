"""From the splits a folder has to train, val and test: which pictures candidates are evaluated on, and which are tested on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from common.data.pictures import VAL_IS_TEST
from common.errors import UserError
from common.streams import numpy_stream
from superres.data.check import Found
from superres.data.layouts import Layout

_MOST_HELD_OUT = 100


def three_splits(
    root: Path, layout: Layout, found: Mapping[str, Found], val: int | None
) -> tuple[dict[str, Found], tuple[str, ...]]:
    """Train, val and test, and the notes on how they came about.

    - Test set and validation set: they are taken as they are, of the validation set the first `val` pictures.
    - Test set alone: val is held out of the training pictures.
    - Validation set alone: it is the test split, and val is held out of the training pictures.
    - Neither: val is held out of the training pictures, and is the test split as well.
    - Pictures right in the folder: a tenth is the test split, val is held out of the others, and the rest is trained on.

    What is held out is chosen by one fixed random stream, whatever the seed of the run; pictures keep their order.

    Args:
        root: the data set.
        layout: its sets, to name them.
        found: the usable pictures of "train" and, where they are there, "val" and "test".
        val: pictures of the validation split; by default all of a validation set, or a tenth of what they are held out of, at
            least 1 and at most 100.

    Raises:
        UserError: a set has no usable picture, or `val` is more than there is.
    """
    for place in (place for places in layout.places.values() for place in places):
        if not any(item.picture.place == place for items in found.values() for item in items):
            raise UserError(f"{root}: {place}/ has no usable picture: add some, or remove the folder")
    if layout.kind == "plain":
        return _of_plain(root, found["train"], val)
    if {"val", "test"} <= found.keys():
        return _as_they_are(root, layout, found, val)
    held, rest = _held_out(root, layout.where("train"), found["train"], val)
    notes = [f"val is held out of {layout.where('train')}: {len(held)} of {len(found['train'])} pictures"]
    if "val" in found:
        notes.append(f"no test pictures: those of {layout.where('val')} are the test split")
    elif "test" not in found:
        notes.append(f"no test pictures: {VAL_IS_TEST}")
    return {"train": rest, "val": held, "test": found.get("test") or found.get("val") or held}, tuple(notes)


def _as_they_are(
    root: Path, layout: Layout, found: Mapping[str, Found], val: int | None
) -> tuple[dict[str, Found], tuple[str, ...]]:
    count = len(found["val"])
    if val is None or val == count:
        return {name: found[name] for name in ("train", "val", "test")}, ()
    if val > count:
        raise UserError(f"data.val={val}: {root} has {count} usable pictures in {layout.where('val')}; give at most {count}")
    notes = (f"val is the first {val} of {count} pictures of {layout.where('val')}",)
    return {"train": found["train"], "val": found["val"][:val], "test": found["test"]}, notes


def _of_plain(root: Path, pictures: Found, val: int | None) -> tuple[dict[str, Found], tuple[str, ...]]:
    if len(pictures) < 3:
        raise UserError(f"{root} has {len(pictures)} usable pictures right in it; train, val and test need 3 at least: add some")
    test, others = _cut(pictures, _tenth(len(pictures)), "test")
    held, rest = _held_out(root, "the folder without test pictures", others, val)
    note = f"of {len(pictures)} pictures, {len(test)} chosen at random are the test split, and {len(held)} others are val"
    return {"train": rest, "val": held, "test": test}, (note,)


def _held_out(root: Path, where: str, pictures: Found, val: int | None) -> tuple[Found, Found]:
    """The pictures held out as val, and the rest."""
    count = _tenth(len(pictures)) if val is None else val
    if count >= len(pictures):
        most = len(pictures) - 1
        remedy = f"give data.val={most} at most" if most else "add some"
        raise UserError(
            f"{root}: {where} has {len(pictures)} usable pictures, of which {count} held out as val leave none to train on; "
            f"{remedy}"
        )
    return _cut(pictures, count, "val")


def _tenth(count: int) -> int:
    return min(max(count // 10, 1), _MOST_HELD_OUT)


def _cut(pictures: Found, count: int, name: str) -> tuple[Found, Found]:
    """`count` pictures chosen at random, and the rest."""
    chosen = set(numpy_stream(0, "superres", name).permutation(len(pictures))[:count].tolist())
    return (
        tuple(item for index, item in enumerate(pictures) if index in chosen),
        tuple(item for index, item in enumerate(pictures) if index not in chosen),
    )
