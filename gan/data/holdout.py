"""From the splits a folder has to train, val and test: which pictures candidates are judged on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from common.data.pictures import VAL_IS_TEST
from common.errors import UserError
from common.streams import numpy_stream
from gan.data.check import Domains, Seen
from gan.data.layouts import Layout

_LEAST = {"train": 1, "val": 2, "test": 2}  # statistics are taken over val and test
_MOST_HELD_OUT = 300


def three_splits(
    root: Path, layout: Layout, found: Mapping[str, Domains], val: int | None
) -> tuple[dict[str, Domains], tuple[str, ...]]:
    """Train, val and test, and the notes on how they came about.

    With val and test pictures of its own, the data set is taken as it is. Otherwise val is held out of train by one fixed
    random stream, of each domain by itself if they are unpaired, and both parts keep their order; val pictures without test
    pictures are the test split, and without either the pictures held out are.

    Args:
        root: the data set.
        layout: its places, to name them.
        found: the usable pictures of "train" and, where they are there, "val" and "test".
        val: pictures (pairs, or of each domain) to hold out; by default one tenth, at least 2 and at most 300.

    Raises:
        UserError: a split has too few pictures, or `val` leaves too few.
    """
    for split, domains in found.items():
        for domain, place in zip(domains, layout.where[split], strict=True):
            if len(domain) < _LEAST[split]:
                raise UserError(f"{root}: {place} has {len(domain)} usable pictures, but needs {_LEAST[split]}: add some")
    if {"val", "test"} <= found.keys():
        unused = (f"val={val} is not used: {' and '.join(layout.where['val'])} are the val split",)
        return {name: found[name] for name in ("train", "val", "test")}, () if val is None else unused
    parts, told = [], []
    for name, domain, place in zip("AB", found["train"], layout.where["train"], strict=True):
        count = _share(root, len(domain), val, place)
        # Pairs stay together: both domains are cut by the same stream.
        parts.append(_cut(domain, count, "pairs" if layout.paired else name))
        told.append(f"{count} of {len(domain)} pairs" if layout.paired else f"{count} of {len(domain)} pictures of {place}")
    (held_a, rest_a), (held_b, rest_b) = parts
    held, rest = (held_a, held_b), (rest_a, rest_b)
    notes = [f"val is held out of train: {' and '.join(dict.fromkeys(told))}"]
    if "val" in found:
        notes.append(f"no test pictures: those of {' and '.join(layout.where['val'])} are the test split")
    elif "test" not in found:
        notes.append(f"no test pictures: {VAL_IS_TEST}")
    return {"train": rest, "val": held, "test": found.get("test") or found.get("val") or held}, tuple(notes)


def _share(root: Path, count: int, val: int | None, place: str) -> int:
    """How many of `count` training pictures are held out."""
    if val is not None and val < _LEAST["val"]:
        raise UserError(f"val={val}: statistics are taken over the val split; hold out at least {_LEAST['val']} pictures")
    share = min(max(count // 10, _LEAST["val"]), _MOST_HELD_OUT) if val is None else val
    if count - share < _LEAST["train"]:
        most = count - _LEAST["train"]
        remedy = f"hold out at most {most}" if val is not None and most >= _LEAST["val"] else "add some"
        raise UserError(
            f"{root}: {place} has {count} usable pictures, of which {share} held out as val leave none to train on; {remedy}"
        )
    return share


def _cut(domain: tuple[Seen, ...], count: int, name: str) -> tuple[tuple[Seen, ...], tuple[Seen, ...]]:
    """The pictures held out, and the rest."""
    held = set(numpy_stream(0, "gan", "val", name).permutation(len(domain))[:count].tolist())
    return (
        tuple(item for index, item in enumerate(domain) if index in held),
        tuple(item for index, item in enumerate(domain) if index not in held),
    )
