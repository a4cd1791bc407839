"""The layouts of folders for image-to-image translation: which one a folder has, and the files of each split and domain."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from common.data.folder import folders, hidden_in, walk
from common.data.problems import Problems
from common.errors import UserError
from gan.data.files import Picture, pictures
from gan.layout import KNOWN

SPLITS = ("train", "val", "test")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layout:
    """What was found in a folder, before any picture is opened.

    Attributes:
        title: the layout in words.
        paired: item i of A belongs to item i of B.
        where: of each split that is there, the places of A and of B, to name them.
        splits: of each split that is there, the pictures of A and of B, sorted by name.
        left_out: what is no data, with the reason.
    """

    title: str
    paired: bool
    where: Mapping[str, tuple[str, str]]
    splits: Mapping[str, tuple[tuple[Picture, ...], tuple[Picture, ...]]]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    title: str
    paired: bool
    places: Callable[[str], tuple[str, str]]  # of a split: the folders of A and B below the data set
    halves: bool = False


def layout_of(root: Path, problems: Problems) -> Layout:
    """The one layout that fits.

    Args:
        root: the folder.
        problems: files without their partner, and names that occur twice, are added here.

    Raises:
        UserError: no layout fits, several do, or a folder that the layout needs is missing.
    """
    kinds = _fitting(root)
    if not kinds:
        raise UserError(f"{root} has no known layout: give a folder with {KNOWN}")
    if len(kinds) > 1:
        raise UserError(f"{root} fits several layouts, {' and '.join(kind.title for kind in kinds)}: remove all but one of them")
    kind = kinds[0]
    where = {split: kind.places(split) for split in SPLITS if any((root / place).is_dir() for place in kind.places(split))}
    for a, b in where.values():
        for place, other in ((a, b), (b, a)):
            if not (root / place).is_dir():
                raise UserError(f"{root} has no folder {place}/ beside {other}/: every split needs both domains; add it")
    places = dict.fromkeys(place for pair in where.values() for place in pair)
    left_out = [entry for place in places for entry in walk(root / place, root, deep=False).left_out]
    left_out = (*hidden_in(root, root), *left_out)
    if kind.halves:
        splits = {split: _halves(root, split) for split in where}
        return Layout(
            title=kind.title,
            paired=True,
            where={split: (f"{split}/ (left half)", f"{split}/ (right half)") for split in where},
            splits=splits,
            left_out=left_out,
        )
    splits = {
        split: _pairs(root, a, b, problems) if kind.paired else (_all(root, a), _all(root, b)) for split, (a, b) in where.items()
    }
    named = {split: (f"{a}/", f"{b}/") for split, (a, b) in where.items()}
    return Layout(title=kind.title, paired=kind.paired, where=named, splits=splits, left_out=left_out)


def _fitting(root: Path) -> list[_Kind]:
    kinds = []
    if (root / "trainA").is_dir() or (root / "trainB").is_dir():
        kinds.append(_Kind(title="trainA/ and trainB/ (unpaired)", paired=False, places=lambda split: (f"{split}A", f"{split}B")))
    if (root / "A" / "train").is_dir() or (root / "B" / "train").is_dir():
        title = "A/train/ and B/train/ (pairs of one name)"
        kinds.append(_Kind(title=title, paired=True, places=lambda split: (f"A/{split}", f"B/{split}")))
    train = root / "train"
    names = list(folders(train))
    side_by_side = train.is_dir() and bool(pictures(train))
    if names:
        if not (kinds or side_by_side):
            _check_subfolders(root, names)
        a, b = names[0], names[-1]
        kinds.append(
            _Kind(
                title=f"train/{a}/ and train/{b}/ (pairs of one name)",
                paired=True,
                places=lambda split: (f"{split}/{a}", f"{split}/{b}"),
            )
        )
    if side_by_side:
        title = "files in train/ that are A left and B right (pairs side by side)"
        kinds.append(_Kind(title=title, paired=True, places=lambda split: (split, split), halves=True))
    return kinds


def _check_subfolders(root: Path, names: list[str]) -> None:
    if len(names) != 2:
        raise UserError(
            f"{root}: train/ has {len(names)} sub-folders, {', '.join(names[:4])}{', ...' if len(names) > 4 else ''}: a "
            "translation has two domains, so keep exactly two of them"
        )
    for split in SPLITS[1:]:
        others = list(folders(root / split))
        if (root / split).is_dir() and others != names:
            raise UserError(
                f"{root}: {split}/ has the sub-folders {', '.join(others) or '(none)'}, yet train/ has {' and '.join(names)}: "
                "name them alike in every split"
            )


def _all(root: Path, place: str) -> tuple[Picture, ...]:
    return tuple(Picture(path=path, root=root) for path in pictures(root / place))


def _halves(root: Path, place: str) -> tuple[tuple[Picture, ...], tuple[Picture, ...]]:
    paths = pictures(root / place)
    return (
        tuple(Picture(path=path, root=root, half="left") for path in paths),
        tuple(Picture(path=path, root=root, half="right") for path in paths),
    )


def _pairs(root: Path, a: str, b: str, problems: Problems) -> tuple[tuple[Picture, ...], tuple[Picture, ...]]:
    """The pictures of A and B whose names without the ending are the same; the others are problems."""
    left, right = _by_stem(root, a, problems), _by_stem(root, b, problems)
    for stem in sorted(left.keys() ^ right.keys()):
        picture, other = (left[stem], b) if stem in left else (right[stem], a)
        problems.skippable.append(f"{picture.file} has no partner {other}/{stem}.*")
    both = sorted(left.keys() & right.keys())
    return tuple(left[stem] for stem in both), tuple(right[stem] for stem in both)


def _by_stem(root: Path, place: str, problems: Problems) -> dict[str, Picture]:
    found: dict[str, Picture] = {}
    for picture in _all(root, place):
        stem = picture.path.stem
        if stem in found:
            problems.fatal.append(f"{found[stem].file} and {picture.file} share one partner: rename or remove one of them")
        found[stem] = picture
    return found
