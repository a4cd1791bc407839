"""Files that two splits share, noticed by what they are and hold, not by how their names are spelled."""

from __future__ import annotations

import hashlib
import os
import stat
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.data.problems import Problems

_ENDS = 1 << 12  # bytes at either end of a file that are compared before all of it is


def check_disjoint(splits: Mapping[Any, Iterable[Path]], root: Path, problems: Problems) -> None:
    """Adds a fatal problem for each file that is in two splits: links, hard links and other spellings of a path count.

    Args:
        splits: their files; those that cannot be read are not looked at. The first split owns a file.
        root: the data set, which messages name files below.
        problems: what was found is added here.
    """
    owner: dict[tuple[int, int], tuple[str, Path]] = {}
    for split, files in splits.items():
        for file in files:
            found = _stat(file)
            if found is None:
                continue
            first, known = owner.setdefault((found.st_dev, found.st_ino), (split, file))
            if first != split:
                also = "" if known == file else f" (as {_name(known, root)})"
                problems.fatal.append(f"{_name(file, root)} of {split} is in {first} as well{also}: splits must be disjoint")


def copies(splits: Mapping[Any, Iterable[Path]], root: Path) -> list[str]:
    """A note for each two splits of which one holds copies of files of the other: other files with the same bytes.

    Args:
        splits: as for `check_disjoint`.
        root: the data set, which messages name files below.
    """
    by_size: dict[int, list[tuple[str, Path]]] = defaultdict(list)
    for split, files in splits.items():
        for file in files:
            found = _stat(file)
            if found is not None:
                by_size[found.st_size].append((split, file))
    return _copies([group for group in by_size.values() if len({split for split, _ in group}) > 1], root)


def same_pixels(splits: Mapping[Any, NDArray[np.uint8]]) -> list[str]:
    """A note for each two splits that share pictures, told by their pixels: of data sets that are one file.

    Args:
        splits: the pictures of each, one a row of the array; all of one shape.
    """
    digests = {split: [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in rows] for split, rows in splits.items()}
    notes = []
    for (first, known), (split, own) in combinations(digests.items(), 2):
        count = len(set(known) & set(own))
        if count:
            notes.append(f"{count:,} pictures of {split} are in {first} as well: the same pixels")
    return notes


def _stat(file: Path) -> os.stat_result | None:
    """What the file system says of a regular file; None of anything else."""
    try:
        found = file.stat()
    except (OSError, ValueError):
        return None
    return found if stat.S_ISREG(found.st_mode) else None


def _copies(groups: list[list[tuple[str, Path]]], root: Path) -> list[str]:
    """Notes on the files of each group, of one size, that are equal and in different splits."""
    counts: Counter[tuple[str, str]] = Counter()
    examples: dict[tuple[str, str], str] = {}
    for whole in (False, True):  # most files of one size differ at their ends already
        groups = [same for group in groups for same in _equal(group, whole=whole)]
    for group in groups:
        first, known = group[0]
        for split, file in group[1:]:
            if split != first:
                counts[first, split] += 1
                examples.setdefault((first, split), f"{_name(file, root)} and {_name(known, root)}")
    return [
        f"{count:,} pictures of {split} are copies of pictures of {first}, such as {examples[first, split]}: figures of {split} "
        f"are in part of pictures that {first} has"
        for (first, split), count in counts.items()
    ]


def _equal(group: list[tuple[str, Path]], *, whole: bool) -> list[list[tuple[str, Path]]]:
    """The group's parts whose bytes agree, at both ends or as a whole, and that are of several splits."""
    parts: dict[bytes, list[tuple[str, Path]]] = defaultdict(list)
    for split, file in group:
        try:
            parts[_digest(file, whole=whole)].append((split, file))
        except OSError:
            continue
    return [part for part in parts.values() if len({split for split, _ in part}) > 1]


def _digest(file: Path, *, whole: bool) -> bytes:
    with file.open("rb") as stored:
        if whole:
            return hashlib.file_digest(stored, "blake2b").digest()
        start = stored.read(_ENDS)
        stored.seek(max(0, os.fstat(stored.fileno()).st_size - _ENDS))
        return hashlib.blake2b(start + stored.read()).digest()


def _name(file: Path, root: Path) -> str:
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else str(file)
