"""What the data of every task have in common: three splits, and what a reader of the figures must know of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar

from common.data.digest import digest

if TYPE_CHECKING:
    from common.task import SplitName


class Part(Protocol):
    """A split of a data set."""

    def head(self, count: int, /) -> Self:
        """A split of `count` items of this one (all if it has fewer)."""
        ...


S = TypeVar("S", bound=Part)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SplitData(Generic[S]):
    """Training, validation and test split of one data set.

    Attributes:
        name: "embedded" or the folder.
        train: what networks learn from.
        val: what candidates are compared on.
        test: read once, for the final figures.
        skipped: what was left out on request, each with its reason.
        notes: what a reader of the figures must know about this data.
    """

    name: str
    train: S
    val: S
    test: S
    skipped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def splits(self) -> tuple[S, S, S]:
        """All three."""
        return self.train, self.val, self.test

    def scored(self, split: SplitName, limit: int | None = None) -> S:
        """The validation or the test split; its first `limit` items only, if there is a limit."""
        chosen = self.val if split == "val" else self.test
        return chosen if limit is None else chosen.head(limit)

    @abstractmethod
    def facts(self) -> Mapping[str, Any]:
        """What the task's data say of themselves, as JSON values."""

    @abstractmethod
    def files(self) -> Mapping[str, Sequence[Path]]:
        """The files that hold the pictures of each split, in the order of its items; none for embedded data."""

    @abstractmethod
    def marks(self) -> Iterable[bytes]:
        """What training reads besides the files: labels, annotations, and the order of items."""

    def counts(self) -> Mapping[str, Mapping[str, int]]:
        """Split -> class -> how many items, boxes or pixels of it; none where data have no classes."""
        return {}

    def digest(self) -> str:
        """Digest of the content; see `common.data.digest`.

        Raises:
            UserError: a file cannot be read any more.
        """
        return digest([file for files in self.files().values() for file in files], self.marks())

    def describe(self) -> dict[str, Any]:
        """The entry `data` of `config.json`."""
        remarks = {"skipped": list(self.skipped), "notes": list(self.notes)}
        return {"name": self.name, "digest": self.digest(), **self.facts(), **remarks}
