"""What a data set of image-to-image translation is, wherever it comes from: inputs and targets of three splits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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

    def head(self, n: int) -> Split:
        """The first `n` pictures of both domains (all of a domain that has fewer), under the same name."""
        return Split(name=self.name, inputs=self.inputs.head(n), targets=self.targets.head(n))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TranslationData:
    """Training, validation and test split of one data set.

    Attributes:
        name: "embedded ..." or the folder.
        paired: item i of the inputs belongs to item i of the targets, in every split.
        train: to learn from.
        val: to judge candidates on; no picture of train or test, unless a note says otherwise.
        test: touched once, for the final figures.
        notes: what a reader of the figures must know about this data.
        skipped: what was left out on request, each with its reason.
    """

    name: str
    paired: bool
    train: Split
    val: Split
    test: Split
    notes: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse pairs that cannot be."""
        for split in (self.train, self.val, self.test):
            if self.paired and len(split.inputs) != len(split.targets):
                raise ValueError(f"{split.name}: {len(split.inputs)} inputs cannot be paired with {len(split.targets)} targets")

    def describe(self) -> dict[str, Any]:
        """The facts for a report, as JSON values."""
        splits = (self.train, self.val, self.test)
        return {
            "name": self.name,
            "paired": self.paired,
            "images": {split.name: {"inputs": len(split.inputs), "targets": len(split.targets)} for split in splits},
            "skipped": list(self.skipped),
            "notes": list(self.notes),
        }
