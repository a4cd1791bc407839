"""From the values in annotation files to labels: class names, the table of values, and colours to draw classes in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from common.errors import UserError, shown

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

IGNORE = 255
"""The label of pixels that are neither trained on nor scored; in every layout a file may hold it directly."""
VOID_NAMES = frozenset({"void", "unlabelled", "unlabeled", "ignore", "ignored"})
"""Names in a classes file, in any case, whose pixels are ignored."""

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Labels:
    """What the values of an annotation file mean.

    Attributes:
        classes: names in label order.
        table: label of each value 0 to 255; 255 where pixels are ignored, -1 where no pixel may have the value; int16.
        palette: RGB colour of each class.
        rule: which values are allowed, in words.
    """

    classes: tuple[str, ...]
    table: NDArray[np.int16]
    palette: tuple[Colour, ...]
    rule: str

    def without(self, names: Collection[str]) -> Labels:
        """These labels where pixels of the classes `names` are ignored; the other classes move up."""
        kept = [position for position, name in enumerate(self.classes) if name not in names]
        moved = np.full(257, IGNORE, dtype=np.int16)
        moved[-1] = -1  # what was not allowed stays so
        moved[kept] = np.arange(len(kept))
        return Labels(
            classes=tuple(self.classes[position] for position in kept),
            table=moved[self.table],
            palette=tuple(self.palette[position] for position in kept),
            rule=self.rule,
        )

    def value_of(self, label: int) -> int:
        """The lowest file value that means class `label`."""
        return int(np.flatnonzero(self.table == label)[0])


def labels_of(values: dict[str, int], ignored: Collection[int], palette: Sequence[Colour], rule: str) -> Labels:
    """Labels in the order of `values` (name to file value); 255 is ignored as well.

    Args:
        values: the file value of each class.
        ignored: further values whose pixels are ignored.
        palette: a colour for each class; more are allowed.
        rule: which values are allowed, in words.
    """
    table = np.full(256, -1, dtype=np.int16)
    table[[*ignored, IGNORE]] = IGNORE
    table[list(values.values())] = np.arange(len(values))
    return Labels(classes=tuple(values), table=table, palette=tuple(palette[: len(values)]), rule=rule)


def read_classes(file: Path) -> tuple[Labels, tuple[str, ...]]:
    """Labels of a classes file, and its void names: line i, counted from 0, names the class of value i.

    Raises:
        UserError: the file is missing, empty, not a text, has an empty line, a name twice, fewer than two classes or more
            than 255 lines.
    """
    names = _lines(file)
    seen: dict[str, int] = {}
    for number, name in enumerate(names, start=1):
        if not name:
            raise UserError(f"{file}: line {number} is empty, yet line i names the class of value i - 1: name it, or remove it")
        first = seen.setdefault(name.casefold(), number)
        if first != number:
            twice = f"class {shown(name)} stands on line {first} and on line {number}"
            raise UserError(f"{file}: {twice}: give each class its own name")
    if len(names) > IGNORE:
        raise UserError(f"{file} has {len(names)} lines: values 0 to 254 can be classes, since 255 is ignored; merge classes")
    void = {name: value for value, name in enumerate(names) if name.casefold() in VOID_NAMES}
    values = {name: value for value, name in enumerate(names) if name not in void}
    if len(values) < 2:
        raise UserError(f"{file} names {len(values)} class(es) besides {sorted(VOID_NAMES)}: segmentation needs at least two")
    ignored = "".join(f" {value} ({name}) and" for name, value in void.items())
    rule = f"{file.name} allows 0 to {len(names) - 1}, of which{ignored} 255 are ignored" if void else ""
    rule = rule or f"{file.name} allows 0 to {len(names) - 1}, and 255 for ignored pixels"
    # Black is what pictures show ignored pixels in, so the classes start at the second colour.
    return labels_of(values, void.values(), colours(len(values) + 1)[1:], rule), tuple(void)


def _lines(file: Path) -> list[str]:
    if not file.is_file():
        raise UserError(f"{file} is missing: write it, one class name per line; line i names the class of value i - 1")
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{file} is not a UTF-8 text ({error.reason}): write one class name per line") from None
    if not text.strip():
        raise UserError(f"{file} is empty: write one class name per line; line i names the class of value i - 1")
    return [line.strip() for line in text.rstrip().split("\n")]


def colours(count: int) -> tuple[Colour, ...]:
    """The first colours of PASCAL VOC's colour map (VOC development kit, `VOClabelcolormap`), at most 256; black is first.

    Bit b of an index sets bit 7 - b // 3 of channel b % 3, so near indices have far colours.
    """
    index = np.arange(count)[:, None] >> np.arange(8) & 1
    rgb = np.zeros((count, 3), dtype=int)
    for bit in range(8):
        rgb[:, bit % 3] |= index[:, bit] << (7 - bit // 3)
    return tuple((int(r), int(g), int(b)) for r, g, b in rgb)
