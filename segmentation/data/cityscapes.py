"""The Cityscapes layout: leftImg8bit/ and gtFine/, with the 19 classes of its benchmark."""

from __future__ import annotations

from typing import TYPE_CHECKING

from common.data.folder import Walk, hidden_in, walk
from common.data.pictures import VAL_IS_TEST
from segmentation.data.labels import labels_of
from segmentation.data.pairs import Layout, Pair, matched

if TYPE_CHECKING:
    from pathlib import Path

    from common.data.problems import Problems
    from segmentation.data.labels import Colour, Labels

CLASSES: tuple[tuple[str, int, Colour], ...] = (
    ("road", 7, (128, 64, 128)),
    ("sidewalk", 8, (244, 35, 232)),
    ("building", 11, (70, 70, 70)),
    ("wall", 12, (102, 102, 156)),
    ("fence", 13, (190, 153, 153)),
    ("pole", 17, (153, 153, 153)),
    ("traffic light", 19, (250, 170, 30)),
    ("traffic sign", 20, (220, 220, 0)),
    ("vegetation", 21, (107, 142, 35)),
    ("terrain", 22, (152, 251, 152)),
    ("sky", 23, (70, 130, 180)),
    ("person", 24, (220, 20, 60)),
    ("rider", 25, (255, 0, 0)),
    ("car", 26, (0, 0, 142)),
    ("truck", 27, (0, 0, 70)),
    ("bus", 28, (0, 60, 100)),
    ("train", 31, (0, 80, 100)),
    ("motorcycle", 32, (0, 0, 230)),
    ("bicycle", 33, (119, 11, 32)),
)
"""Name, labelId and colour of each trainId 0 to 18 (M. Cordts et al., The Cityscapes Dataset, CVPR 2016)."""
IDS = 34
"""labelIds are 0 to 33; those of no class above (such as 0 unlabeled, 9 parking, 29 caravan) are ignored."""
_IMAGE = "_leftImg8bit.png"
_KINDS = ("_gtFine_labelIds.png", "_gtFine_labelTrainIds.png")


def cityscapes(root: Path, problems: Problems) -> Layout:
    """Pictures leftImg8bit/SPLIT/CITY/*_leftImg8bit.png and annotations gtFine/SPLIT/CITY/*_gtFine_labelIds.png.

    Where training has no labelIds, *_gtFine_labelTrainIds.png are read. The public annotations of the test split are empty,
    so without annotations of one's own the validation split serves as test split.

    Args:
        root: the folder that has leftImg8bit/.
        problems: missing partners are added here.
    """
    fine = {name: walk(root / "gtFine" / name, root) for name in ("train", "val", "test") if (root / "gtFine" / name).is_dir()}
    kind = _KINDS[0] if _ending(fine["train"], root / "gtFine" / "train", _KINDS[0]) else _KINDS[1]
    left = {name: walk(root / "leftImg8bit" / name, root) for name in fine if (root / "leftImg8bit" / name).is_dir()}
    splits = {name: _split(root, name, kind, left[name], fine[name], problems) for name in ("train", "val")}
    notes: tuple[str, ...] = ()
    if "test" in left and _ending(fine["test"], root / "gtFine" / "test", kind):
        splits["test"] = _split(root, "test", kind, left["test"], fine["test"], problems)
    else:
        notes = (f"no annotations gtFine/test/*/*{kind}: {VAL_IS_TEST}",)
    where = {name: f"leftImg8bit/{name}/*/*{_IMAGE} with gtFine/{name}/*/*{kind}" for name in splits}
    left_out = (*hidden_in(root, root), *(entry for found in (*left.values(), *fine.values()) for entry in found.left_out))
    return Layout(labels=_labels(kind), splits=splits, where=where, notes=notes, left_out=left_out)


def _labels(kind: str) -> Labels:
    palette = tuple(colour for _, _, colour in CLASSES)
    if kind == _KINDS[0]:
        ids = {name: number for name, number, _ in CLASSES}
        ignored = sorted(set(range(IDS)) - set(ids.values()))
        return labels_of(ids, ignored, palette, f"Cityscapes' labelIds are 0 to {IDS - 1}, and 255 for ignored pixels")
    train_ids = {name: number for number, (name, _, _) in enumerate(CLASSES)}
    return labels_of(train_ids, (), palette, "Cityscapes' trainIds are 0 to 18, and 255 for ignored pixels")


def _split(root: Path, name: str, kind: str, left: Walk, fine: Walk, problems: Problems) -> tuple[Pair, ...]:
    pictures, values = root / "leftImg8bit" / name, root / "gtFine" / name
    images = _ending(left, pictures, _IMAGE)
    annotations = _ending(fine, values, kind)
    expected = {key: values / f"{key}{kind}" for key in images} | {
        key: pictures / f"{key}{_IMAGE}" for key in annotations if key not in images
    }
    return matched(root, images, annotations, expected, problems)


def _ending(found: Walk, folder: Path, ending: str) -> dict[str, Path]:
    """The files CITY/NAME with this ending, by CITY/NAME."""
    below = {file: file.relative_to(folder) for file in found.files if file.name.endswith(ending)}
    return {name.as_posix().removesuffix(ending): file for file, name in below.items() if len(name.parts) == 2}
