"""A folder of labelled pictures in one of the layouts in use, checked as a whole before the first step is trained on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classification.data.archive import read_archive
from classification.data.assemble import Part, assemble
from classification.data.cifar import LAYOUTS, Cifar, Layout, read_cifar
from classification.data.images import Checked, Files, refuse_bad
from classification.data.splits import ClassificationData, Held
from classification.layout import ARCHIVE, KNOWN, check_layout
from common.data.digits import SPLITS, SplitName
from common.data.folder import ENDINGS, SUFFIXES, folders, hidden_in, left_out_notes, walk
from common.data.pictures import conversion_notes
from common.data.problems import Problems, listing
from common.data.shared import check_disjoint, copies, same_pixels
from common.errors import UserError

_CHECK_ALL = 20_000  # images; larger folders are decoded only when read, unless damaged ones are to be skipped
_KEEP_BYTES = 1 << 30  # decoded pictures of a folder that are kept in memory
_MEASURED = 2_000  # training pictures the normalisation is measured on where they are not kept
_ALIASES: dict[SplitName, tuple[str, ...]] = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}
_CHUNK = 1_000  # images scaled at once
_OFFICIAL: dict[SplitName, int] = {"train": 50_000, "test": 10_000}  # images of either CIFAR


def classification_folder(
    path: Path, *, size: int = 32, skip_bad: bool = False, split_seed: int = 0, mirrored: bool = True
) -> ClassificationData:
    """Read a data set from `path`, or from the folder of one of CIFAR's distributions within.

    Layouts: the CIFAR-10 subset `cifar10_webp.npz`; CIFAR's own `cifar-10-batches-py`, `cifar-100-python` (fine labels),
    `cifar-10-batches-bin` and `cifar-100-binary`; `train/`, `val/` (or `valid/`, `validation/`) and `test/` with a folder of
    images per class; and class folders alone. A missing validation or test split is cut from train (see `assemble`), and the
    notes say so. Official splits are never mixed. What images are converted to is said in `images.picture`.

    Args:
        path: the folder.
        size: side of every picture in pixels, a multiple of 4 of at least 8.
        skip_bad: leave damaged images out, and list them in `skipped`, instead of refusing the folder.
        split_seed: of the splits that are cut from train.
        mirrored: whether mirror images are of the same class; say no for digits, letters and signs.

    Raises:
        UserError: the folder cannot be used.
    """
    path = Path(path)
    if size < 8 or size % 4:
        raise UserError(f"size={size}: pictures must be a multiple of 4 of at least 8 pixels, as networks halve them twice")
    check_layout(path)
    places = [path, *(path / layout.folder for layout in LAYOUTS)]
    found = [(place, layout) for place in places for layout in LAYOUTS if layout.lies_in(place)]
    archive = path / ARCHIVE
    if len(found) + archive.is_file() > 1:
        names = [layout.folder for _, layout in found] + ([ARCHIVE] if archive.is_file() else [])
        raise UserError(f"{path} holds several data sets ({', '.join(names)}): give the folder of one")
    if archive.is_file():
        return read_archive(archive, str(path), size=size, skip_bad=skip_bad, mirrored=mirrored)
    if found:
        place, layout = found[0]
        return _cifar(str(place), layout, read_cifar(place, layout), size, split_seed, mirrored)
    return _image_folder(path, size, skip_bad, split_seed, mirrored)


def _cifar(name: str, layout: Layout, read: Cifar, size: int, split_seed: int, mirrored: bool) -> ClassificationData:
    parts: dict[SplitName, Part] = {}
    notes = same_pixels(read.images)
    own: dict[SplitName, tuple[str, ...]] = {"train": layout.train, "test": (layout.test,)}
    for split, labels in read.labels.items():
        images = read.images[split]
        if len(labels) != _OFFICIAL[split]:
            notes.append(f"{split} has {len(labels):,} images, {layout.folder} as distributed {_OFFICIAL[split]:,}")
        if size != 32:
            images = np.concatenate([_resized(images[at : at + _CHUNK], size) for at in range(0, len(images), _CHUNK)])
        held = Held(images=images, files=tuple(Path(name) / file for file in own[split]))
        parts[split] = Part(source=held, rows=np.arange(len(labels)), labels=labels)
    return assemble(name, read.classes, parts, notes=notes, split_seed=split_seed, mirrored=mirrored)


def _resized(images: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    import torch
    from torch.nn.functional import interpolate

    scaled = interpolate(torch.from_numpy(images).to(torch.float32), size=(size, size), mode="bilinear", antialias=True)
    return scaled.round_().clamp_(0, 255).to(torch.uint8).numpy()


def _image_folder(path: Path, size: int, skip_bad: bool, split_seed: int, mirrored: bool) -> ClassificationData:
    places = _split_folders(path)
    left_out = hidden_in(path, path)
    files: dict[SplitName, dict[str, list[Path]]] = {}
    for split, place in places.items():
        found = walk(place, path)
        left_out += found.left_out
        files[split] = _by_class(place, found.files)
    notes = left_out_notes(left_out)
    classes = _classes(places, files, notes)
    listed: dict[SplitName, list[list[Path]]] = {}
    for split, own in files.items():
        listed[split] = [_pictures(own.get(label, ())) for label in classes]
    total = sum(len(pictures) for per_class in listed.values() for pictures in per_class)
    if not total:
        raise UserError(f"{path} has no image in a class folder and is of no known layout; {KNOWN}")
    keep = 3 * size * size * total <= _KEEP_BYTES
    parts: dict[SplitName, Part] = {}
    faults: list[str] = []
    for split, per_class in listed.items():
        pictures = tuple(file for own in per_class for file in own)
        labels = np.repeat(np.arange(len(classes)), [len(own) for own in per_class])
        source = Files(pictures, size, keep)
        found = source.check() if skip_bad or total <= _CHECK_ALL else [Checked()] * len(pictures)
        good = np.array([row for row, seen in enumerate(found) if not seen.fault], dtype=np.int64)
        faults += [f"{file.relative_to(path)} {seen.fault}" for file, seen in zip(pictures, found) if seen.fault]
        parts[split] = Part(source=source, rows=good, labels=labels[good])
        notes += conversion_notes(split, [seen.conversion for seen in found if not seen.fault])
        small = sum(seen.small for seen in found)
        if small:
            notes.append(f"{small:,} images of {split} are smaller than {size} pixels and were enlarged")
        others = sorted({file for label in classes for file in files[split][label]} - set(pictures))
        if others:
            notes.append(
                f"{len(others):,} files of {split} are no {ENDINGS} and were ignored, such as {others[0].relative_to(path)}"
            )
    problems = Problems()
    every = {split: [file for own in found for file in own] for split, found in listed.items()}
    check_disjoint(every, path, problems)
    notes += copies(every, path)
    problems.report(path, skip=skip_bad)
    refuse_bad(str(path), faults, skip_bad)
    return assemble(
        str(path),
        classes,
        parts,
        notes=notes,
        skipped=faults,
        split_seed=split_seed,
        mirrored=mirrored,
        measured=None if keep else _MEASURED,
    )


def _split_folders(path: Path) -> dict[SplitName, Path]:
    """The folder of each split there is; `path` itself for class folders alone, one of which may well be called "train"."""
    places: dict[SplitName, Path] = {}
    named = [path / name for names in _ALIASES.values() for name in names if (path / name).is_dir()]
    if not any(folders(place) for place in named):
        return {"train": path}
    for split in SPLITS:
        names = [name for name in _ALIASES[split] if (path / name).is_dir()]
        if len(names) > 1:
            raise UserError(f"{path} has both {names[0]}/ and {names[1]}/: keep the one that is the validation split")
        if names:
            places[split] = path / names[0]
    if "train" not in places:
        raise UserError(f"{path} has {', '.join(f'{place.name}/' for place in places.values())} but no train/; {KNOWN}")
    return places


def _by_class(place: Path, files: Iterable[Path]) -> dict[str, list[Path]]:
    """The files below each class folder of a split."""
    found: dict[str, list[Path]] = {label: [] for label in folders(place)}
    for file in files:
        label, *below = file.relative_to(place).parts
        if below and label in found:
            found[label].append(file)
    return found


def _pictures(files: Iterable[Path]) -> list[Path]:
    return [file for file in files if file.suffix.lower() in SUFFIXES]


def _classes(
    places: Mapping[SplitName, Path], files: Mapping[SplitName, Mapping[str, Sequence[Path]]], notes: list[str]
) -> tuple[str, ...]:
    """The classes: the folders that have a file in any split; empty ones are noted."""
    named = sorted({label for own in files.values() for label in own})
    empty = [label for label in named if not any(own.get(label) for own in files.values())]
    if empty:
        notes.append(f"left out, as no file is in a folder of this name: {listing(empty, 'classes')}")
    classes = tuple(label for label in files["train"] if label not in empty)
    for split, own in files.items():
        more = sorted({label for label in own if label not in empty} - set(classes))
        less = sorted(set(classes) - set(own))
        if more or less:
            differing = [f"{', '.join(names[:4])} {where}" for names, where in ((more, "only here"), (less, "missing")) if names]
            raise UserError(
                f"{places[split]} has other class folders than {places['train']} ({'; '.join(differing)}): make them equal"
            )
    return classes
