"""Arrays of a benchmark table as they come from a file: read, checked and looked up by architecture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from common.data.npz import BadNpz, MissingArray, read_npz
from common.errors import UserError
from common.space import Arch

Value = TypeVar("Value", covariant=True)


class MissingTable(UserError):
    """The file of a table is not there."""


@dataclass(frozen=True, slots=True)
class Lookup(Generic[Value]):
    """What is known of every architecture of a space whose decisions are all always live: one item for each, found by position.

    Attributes:
        paths: Decision paths, the slowest first.
        sizes: Options of each.
        items: What is looked up, of length prod(sizes), in lexicographic order of the options (that of `enumerate_all`); None
            where a `Where` rule of the space forbids the combination.
    """

    paths: tuple[str, ...]
    sizes: tuple[int, ...]
    items: Sequence[Value | None] | NDArray[Any]

    def __call__(self, arch: Arch) -> Value:
        """The item of `arch`, in a few microseconds.

        Raises:
            UserError: The architecture is not one of this space.
        """
        place = 0
        try:
            for path, size in zip(self.paths, self.sizes, strict=True):
                index = arch[path]
                if not 0 <= index < size:
                    raise UserError(f"decision {path!r} is option {index}: this table's space has options 0 to {size - 1}")
                place = place * size + index
        except KeyError as missing:
            raise UserError(f"the architecture lacks decision {missing}: make it in the space of this table") from None
        item = self.items[place]
        if item is None:
            raise UserError(f"architecture {dict(arch)} breaks a rule of this table's space: it has no row; choose other options")
        return item


def read(file: Path, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """The named arrays of an `.npz` file.

    Raises:
        UserError: The file is missing, is not an archive of plain arrays, or lacks one of them.
    """
    try:
        return read_npz(file, names)
    except MissingArray as name:
        raise UserError(f"table {file} has no array {str(name)!r}: fetch the file anew; its SOURCE.md says from where") from None
    except FileNotFoundError:
        raise MissingTable(
            f"table {file} does not exist: put it there, or set TASKNAS_DATA to the folder of `nasbench/`"
        ) from None
    except BadNpz as error:
        raise UserError(f"table {file} cannot be read ({error}): fetch the file anew") from None


def check_names(source: str, what: str, names: Sequence[str], known: Sequence[str]) -> None:
    """Refuses a table whose options, by which its rows are numbered, are others than the space's.

    Raises:
        UserError: A name is not known, or the names are not exactly the known ones in their order.
    """
    for name in names:
        if name not in known:
            raise UserError(f"table {source}: unknown {what} {name!r}: this space has {', '.join(known)}; use the matching file")
    if list(names) != list(known):
        raise UserError(f"table {source}: its {what}s are {', '.join(names)}: they must be {', '.join(known)}, in this order")


def check_columns(source: str, columns: Mapping[str, NDArray[Any]], rows: int) -> None:
    """Refuses scores and costs that no search can be measured by.

    Args:
        source: The file, for errors.
        columns: Name -> numbers, one for each row.
        rows: How many rows there must be.

    Raises:
        UserError: A column of another shape, or a value that is nan or infinite.
    """
    for name, column in columns.items():
        if column.shape != (rows,):
            raise UserError(f"table {source}: column {name!r} has shape {column.shape}, not ({rows},): give one number per row")
        wrong = np.flatnonzero(~np.isfinite(column))
        if wrong.size:
            first = int(wrong[0])
            raise UserError(f"table {source}: row {first}: {name} is {column[first]}: put a number there or take the row out")


def positions(source: str, options: NDArray[np.integer], sizes: Sequence[int]) -> NDArray[np.int64]:
    """Where each row lies in lexicographic order of its options.

    Args:
        source: The file, for errors.
        options: Option index of every decision, shape (rows, decisions).
        sizes: How many options each decision has.

    Raises:
        UserError: A row with an option that does not exist, or two rows with the same options.
    """
    if options.ndim != 2 or options.shape[1] != len(sizes):
        raise UserError(f"table {source}: options of shape {options.shape}: give one row of {len(sizes)} for each architecture")
    wrong = np.argwhere((options < 0) | (options >= np.array(sizes)))
    if wrong.size:
        row, decision = (int(i) for i in wrong[0])
        value, most = int(options[row, decision]), sizes[decision] - 1
        raise UserError(f"table {source}: row {row}: unknown op {value} at decision {decision}: give 0 to {most}")
    strides = np.array([prod(sizes[i + 1 :]) for i in range(len(sizes))], dtype=np.int64)
    places = options.astype(np.int64) @ strides
    first: dict[int, int] = {}
    for row, place in enumerate(places.tolist()):
        if place in first:
            raise UserError(f"table {source}: rows {first[place]} and {row} are the same architecture: keep one of them")
        first[place] = row
    return places


def check_whole(source: str, rows: NDArray[np.integer], sizes: Sequence[int]) -> None:
    """Refuses a table that lacks architectures of its space.

    Args:
        source: The file, for errors.
        rows: Row of every architecture in lexicographic order, -1 for none; shape (prod(sizes),).
        sizes: How many options each decision has.

    Raises:
        UserError: An architecture has no row; the first of them is named by its options.
    """
    missing = np.flatnonzero(rows < 0)
    if missing.size:
        options = tuple(int(i) for i in np.unravel_index(int(missing[0]), tuple(sizes)))
        raise UserError(
            f"table {source}: {missing.size} of {rows.size} architectures have no row, the first has options {options}: add them"
        )


def row_of_each(source: str, options: NDArray[np.integer], sizes: Sequence[int]) -> list[int]:
    """Row of every architecture in lexicographic order, for a table that lists each exactly once.

    Raises:
        UserError: See `positions` and `check_whole`.
    """
    places = positions(source, options, sizes)
    rows = np.full(prod(sizes), -1, dtype=np.int64)
    rows[places] = np.arange(len(places))
    check_whole(source, rows, sizes)
    return rows.tolist()
