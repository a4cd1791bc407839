"""The pictures of a folder, before any is opened: which set each belongs to, and what is left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from common.data.folder import folders, hidden_in, walk
from common.errors import UserError
from superres.data.files import Picture
from superres.layout import Kind, check_layout, holds_low, listed, sets_in

SPLITS = ("train", "val", "test")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layout:
    """What was found in a folder.

    Attributes:
        kind: of the layout.
        splits: of each split that is there, the pictures, set by set in the order of `superres.layout.SETS`, sorted by name. Of a
            plain folder all pictures are in "train".
        places: of each split that is there, the folders of its sets.
        left_out: what is no data, with the reason.
        low: folders of low-resolution pictures, which are left out.
    """

    kind: Kind
    splits: Mapping[str, tuple[Picture, ...]]
    places: Mapping[str, tuple[str, ...]]
    left_out: tuple[str, ...]
    low: tuple[str, ...]

    def where(self, split: str) -> str:
        """The folders of a split in words."""
        return listed(self.places[split]) if self.places else "the folder"

    def title(self) -> str:
        """The layout in words."""
        if not self.places:
            return "pictures right in the folder"
        return "sets of pictures, " + ", ".join(f"{split} {listed(places)}" for split, places in self.places.items())


def layout_of(root: Path) -> Layout:
    """The files of a data set.

    Raises:
        UserError: see `superres.layout.check_layout`; or a set has no picture.
    """
    kind = check_layout(root)
    low = tuple(name for name in folders(root) if holds_low(name))
    return _plain(root, low) if kind == "plain" else _sets(root, low)


def _plain(root: Path, low: tuple[str, ...]) -> Layout:
    found = walk(root, root, deep=False)
    pictures = tuple(Picture(path=path, file=path.name) for path in found.pictures)
    left_out = tuple(entry for entry in found.left_out if entry.partition("/")[0] not in low)
    return Layout(kind="plain", splits={"train": pictures}, places={}, left_out=left_out, low=low)


def _sets(root: Path, low: tuple[str, ...]) -> Layout:
    sets = sets_in(root)
    left_out = hidden_in(root, root)
    left_out += [f"{name}/ (a folder of no known name)" for name in folders(root) if name not in sets and name not in low]
    left_out += [f"{path.name} (beside the folders of pictures)" for path in walk(root, root, deep=False).pictures]
    splits: dict[str, tuple[Picture, ...]] = {}
    places: dict[str, tuple[str, ...]] = {}
    for split in SPLITS:
        for name, known in sets.items():
            if known.split != split:
                continue
            found = walk(root / name, root, deep=False)
            left_out += found.left_out
            if not found.pictures:
                raise UserError(f"{root}: {name}/ has no pictures right in it: add some, or remove the folder")
            pictures = [Picture(path=path, file=f"{name}/{path.name}", place=name, group=known.group) for path in found.pictures]
            splits[split] = (*splits.get(split, ()), *pictures)
            places[split] = (*places.get(split, ()), name)
    return Layout(kind="sets", splits=splits, places=places, left_out=tuple(left_out), low=low)
