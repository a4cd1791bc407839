"""The layouts of folders for super-resolution, told apart by folders and names alone. No torch here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from common.data.folder import folders, walk
from common.errors import UserError

Kind = Literal["sets", "plain"]
"""Sub-folders of known names, or pictures right in the folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A set of pictures that the field knows, or a split.

    Attributes:
        names: names of its folder, in any case; the first is the usual one.
        split: what its pictures are for.
        group: the benchmark that its scores are reported under, or "".
    """

    names: tuple[str, ...]
    split: Literal["train", "val", "test"]
    group: str = ""


SETS = (
    Known(names=("T91",), split="train"),
    Known(names=("General100",), split="train"),
    Known(names=("BSDS200",), split="train"),
    Known(names=("DIV2K_train_HR",), split="train"),
    Known(names=("train",), split="train"),
    Known(names=("DIV2K_valid_HR",), split="val", group="DIV2K"),
    Known(names=("val",), split="val"),
    Known(names=("valid",), split="val"),
    Known(names=("Set5",), split="test", group="Set5"),
    Known(names=("Set14",), split="test", group="Set14"),
    Known(names=("B100", "BSD100"), split="test", group="B100"),
    Known(names=("Urban100",), split="test", group="Urban100"),
    Known(names=("Manga109",), split="test", group="Manga109"),
    Known(names=("test",), split="test"),
)
"""Known sets, in the order in which their pictures are read."""
LAYOUTS = (
    "high-resolution pictures in sub-folders, to train T91/, General100/, BSDS200/, DIV2K_train_HR/ or train/, to validate "
    "DIV2K_valid_HR/, val/ or valid/, to test Set5/, Set14/, B100/ (or BSD100/), Urban100/, Manga109/ or test/; or one with "
    "pictures right in it"
)
_LOW = re.compile(r"(^|[_-])lr($|[_-]|bic|x?\d)", re.IGNORECASE)


def check_layout(path: Path) -> Kind:
    """The layout of a folder.

    Raises:
        UserError: it is no folder, has no known layout, no training set, or one set twice.
    """
    if not path.is_dir():
        raise UserError(f"{path} is not a folder: give one with {LAYOUTS}")
    found = sets_in(path)
    if not found:
        if walk(path, path, deep=False).pictures:
            return "plain"
        raise UserError(f"{path} has no known layout: give a folder with {LAYOUTS}")
    if not any(known.split == "train" for known in found.values()):
        raise UserError(
            f"{path} has {listed(found)} but no training pictures: add T91/, General100/, BSDS200/, DIV2K_train_HR/ or train/, "
            "or give a folder with pictures right in it"
        )
    for first, second in zip(found, list(found)[1:]):
        if found[first] == found[second]:
            raise UserError(f"{path} has the folders {first}/ and {second}/, which are one set: keep one of them")
    return "sets"


def sets_in(path: Path) -> dict[str, Known]:
    """Names of the sub-folders of known sets -> their sets, in the order of `SETS`."""
    names = folders(path)
    return {name: known for known in SETS for name in names if name.lower() in (spelling.lower() for spelling in known.names)}


def holds_low(name: str) -> bool:
    """Whether a folder of this name holds low-resolution pictures, as DIV2K_train_LR_bicubic does."""
    return bool(_LOW.search(name))


def listed(names: Iterable[str]) -> str:
    """Folders in words: "A/, B/ and C/"."""
    *first, last = [f"{name}/" for name in names]
    return f"{', '.join(first)} and {last}" if first else last
