"""What a run remembers of data whose items are files: every file a user names is read before the first result is written."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from common.run.files import free_path

if TYPE_CHECKING:
    from torch import nn


class FileFacts(ABC):
    """Facts of data whose items are files; see `common.task.Facts`. A subclass is a frozen dataclass.

    Attributes:
        words: what a file and its result are called in the rows of `predict`.
        result: what the name of a file of results has after the name of the item's file: a mark, and the ending.
    """

    __slots__ = ()
    words: ClassVar[tuple[str, str]] = ("image", "picture")
    result: ClassVar[tuple[str, str]] = ("-found", ".png")

    @abstractmethod
    def read(self, file: Path) -> Any:
        """What a file holds, as `predicted` takes it.

        Raises:
            UserError: the file is missing or cannot be used.
        """

    @abstractmethod
    def predicted(self, network: nn.Module, item: Any, target: Path) -> Mapping[str, Any]:
        """Writes what the network makes of an item into the file `target`; gives what is printed of it besides."""

    def predict(self, network: nn.Module, files: Sequence[Path], folder: Path) -> Iterator[dict[str, Any]]:
        """Results of a network for each file, in order, in a file of its own each.

        Args:
            network: in eval mode.
            files: the items; every one is read before the first result is written, so a bad name costs nothing.
            folder: where results go; it exists. None of `files` is overwritten.

        Yields:
            The file, the file of results (see `words`), and what `predicted` gives.

        Raises:
            UserError: a file is missing or cannot be used.
        """
        items = [self.read(file) for file in files]
        taken = {file.resolve() for file in files}
        mark, ending = self.result
        for file, item in zip(files, items, strict=True):
            target = free_path(folder, f"{file.stem}{mark}", ending, taken)
            with torch.no_grad():
                said = self.predicted(network, item, target)
            yield {self.words[0]: str(file), self.words[1]: str(target), **said}
