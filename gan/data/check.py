"""Every picture of a folder decoded and checked before training: what is wrong with it, and what must be told of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.data.pictures import Conversion, conversion_notes, in_threads
from common.data.problems import Problems
from common.data.reader import Unusable
from gan.data.files import Picture, decoded
from gan.data.layouts import Layout

_LEAST_SIDE = 16  # pixels: below it no generator has anything to work with


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What decoding one picture found.

    Attributes:
        picture: the file, or its half.
        side: the shorter side in pixels.
        grey: its file holds no colours.
        digest: of the RGB pixels: equal pictures have equal ones.
        conversion: what reading its file as RGB changed.
    """

    picture: Picture
    side: int
    grey: bool
    digest: bytes
    conversion: Conversion


Domains = tuple[tuple[Seen, ...], tuple[Seen, ...]]
"""Pictures of A and of B; paired, they have the same length."""


def inspected(layout: Layout, problems: Problems, notes: list[str]) -> dict[str, Domains]:
    """The pictures of each split that can be used.

    Args:
        layout: the files.
        problems: what is wrong is added here.
        notes: what a reader must know is added here.
    """
    every = [picture for domains in layout.splits.values() for domain in domains for picture in domain]
    seen = _decoded(every, problems)
    for domain, name in enumerate("AB"):
        # Anew for B, so that a file which shows both domains is told of once.
        kept = _kept(layout, seen)
        for item in _grey([item for domains in kept.values() for item in domains[domain]], name, problems, notes):
            seen.pop(item.picture)
    if layout.paired:
        _identical(_kept(layout, seen), seen, problems)
    for split, domains in _kept(layout, seen).items():
        for domain, name in zip(domains, "AB", strict=True):
            notes.extend(conversion_notes(f"domain {name} in {split}", [item.conversion for item in domain]))
    return _kept(layout, seen)


def repeated(splits: Mapping[str, Domains], paired: bool) -> Iterator[str]:
    """A note for each two splits that share pictures (of pairs: both of them), judged by their pixels, not by their names."""
    for first, second in (("train", "val"), ("train", "test"), ("val", "test")):
        if splits[first] is splits[second]:
            continue  # val serves as test, which is noted elsewhere
        if paired:
            common = len(_digests(splits[first]) & _digests(splits[second]))
            if common:
                yield f"{common} pairs of {first} are in {second} as well: the same pixels"
            continue
        for a, b, name in zip(splits[first], splits[second], "AB", strict=True):
            common = len({item.digest for item in a} & {item.digest for item in b})
            if common:
                yield f"{common} pictures of domain {name} in {first} are in {second} as well: the same pixels"


def _digests(domains: Domains) -> set[tuple[bytes, bytes]]:
    return {(a.digest, b.digest) for a, b in zip(*domains, strict=True)}


def _decoded(pictures: Sequence[Picture], problems: Problems) -> dict[Picture, Seen]:
    """The usable ones; each file is decoded once, also if it holds two pictures."""
    files: dict[Path, list[Picture]] = {}
    for picture in pictures:
        files.setdefault(picture.path, []).append(picture)
    seen = {}
    for found in in_threads(_of_file, files.values()):
        if isinstance(found, str):
            problems.skippable.append(found)
        else:
            seen |= {item.picture: item for item in found}
    return seen


def _of_file(pictures: list[Picture]) -> list[Seen] | str:
    """What is in the pictures of one file, or why none can be used."""
    first = pictures[0]
    try:
        file = decoded(first.path)
    except Unusable as error:
        return f"{first.file}: {error}"
    width = file.rgb.width
    if first.half and width % 2:
        return f"{first.file} is {width} pixels wide: A and B side by side need an even width"
    seen = []
    for picture in pictures:
        cut = picture.cut(file.rgb)
        side = min(cut.size)
        if side < _LEAST_SIDE:
            return f"{picture.name} is {cut.width}x{cut.height}: pictures need at least {_LEAST_SIDE} pixels a side"
        digest = hashlib.blake2b(cut.tobytes(), key=str(cut.size).encode(), digest_size=16).digest()
        seen.append(Seen(picture=picture, side=side, grey=file.grey, digest=digest, conversion=file.conversion))
    return seen


def _kept(layout: Layout, seen: Mapping[Picture, Seen]) -> dict[str, Domains]:
    """What was seen of the pictures of each split; a pair counts only as a whole."""
    kept = {}
    for split, (a, b) in layout.splits.items():
        if layout.paired:
            whole = [pair for pair in zip(a, b, strict=True) if pair[0] in seen and pair[1] in seen]
            a, b = tuple(pair[0] for pair in whole), tuple(pair[1] for pair in whole)
        kept[split] = tuple(seen[x] for x in a if x in seen), tuple(seen[y] for y in b if y in seen)
    return kept


def _grey(items: list[Seen], name: str, problems: Problems, notes: list[str]) -> list[Seen]:
    """The grey pictures of a domain that has colours too; a domain without any colour is as it should be, and noted."""
    grey = [item for item in items if item.grey]
    if items and len(grey) == len(items):
        notes.append(f"all pictures of domain {name} are grey: they are read as RGB with three equal channels")
        return []
    problems.skippable.extend(
        f"{item.picture.file} is grey, as {len(grey)} of the {len(items)} pictures of domain {name} are: all or none should be"
        for item in grey
    )
    return grey


def _identical(splits: Mapping[str, Domains], seen: dict[Picture, Seen], problems: Problems) -> None:
    """Takes pairs of two equal pictures out of `seen`."""
    pairs = [pair for domains in splits.values() for pair in zip(*domains, strict=True)]
    same = [(a, b) for a, b in pairs if a.digest == b.digest]
    if same and len(same) == len(pairs):
        a, b = same[0]
        problems.fatal.append(
            f"A and B are the same pictures ({a.picture.name} and {b.picture.name}, ...): give both sides of a translation"
        )
        return
    for a, b in same:
        problems.skippable.append(f"{a.picture.name} and {b.picture.name} are the same picture: nothing to translate")
        seen.pop(a.picture, None)
        seen.pop(b.picture, None)
