"""What a data set of image-to-image translation is, wherever it comes from: inputs and targets of three splits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.data.record import SplitData
from gan.data.images import Images


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """Pictures of both domains; in paired data item i of the inputs belongs to item i of the targets.

    Attributes:
        name: "train", "val" or "test".
        inputs: what a generator is given.
        targets: what it should make of them, or, unpaired, pictures of the domain it should reach.
    """

    name: str
    inputs: Images
    targets: Images

    def head(self, count: int) -> Split:
        """The first `count` pictures of both domains (all of a domain that has fewer), under the same name."""
        return Split(name=self.name, inputs=self.inputs.head(count), targets=self.targets.head(count))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TranslationData(SplitData[Split]):
    """Splits of pictures of two domains; no picture of train or test is in val, unless a note says otherwise.

    Attributes:
        paired: item i of the inputs belongs to item i of the targets, in every split.
    """

    paired: bool

    def __post_init__(self) -> None:
        """Refuse pairs that cannot be."""
        for split in self.splits:
            if self.paired and len(split.inputs) != len(split.targets):
                raise ValueError(f"{split.name}: {len(split.inputs)} inputs cannot be paired with {len(split.targets)} targets")

    def files(self) -> dict[str, tuple[Path, ...]]:
        """See `SplitData.files`: those of the inputs, then those of the targets."""
        return {split.name: (*split.inputs.paths, *split.targets.paths) for split in self.splits}

    def marks(self) -> Iterator[bytes]:
        """See `SplitData.marks`: which pictures are inputs, and which half of its file each one is."""
        for split in self.splits:
            sides = [[file.endswith("(left half)") for file in images.files] for images in (split.inputs, split.targets)]
            yield repr((self.paired, sides)).encode()

    def facts(self) -> dict[str, Any]:
        """See `SplitData.facts`."""
        sizes = {split.name: {"inputs": len(split.inputs), "targets": len(split.targets)} for split in self.splits}
        return {"paired": self.paired, "images": sizes}
