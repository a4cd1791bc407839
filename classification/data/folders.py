"""A folder of labelled pictures in one of the layouts in use, checked as a whole before the first step is trained on it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classification.data.archive import ARCHIVE, read_archive
from classification.data.assemble import Part, assemble
from classification.data.cifar import LAYOUTS, Cifar, Layout, read_cifar
from classification.data.images import SUFFIXES, Files, refuse_bad
from classification.data.splits import ClassificationData, Held
from common.data.digits import SPLITS, SplitName
from common.errors import UserError

_CHECK_ALL = 20_000  # images; larger folders are decoded only when read, unless damaged ones are to be skipped
_KEEP_BYTES = 1 << 30  # decoded pictures of a folder that are kept in memory
_MEASURED = 2_000  # training pictures the normalisation is measured on where they are not kept
_ALIASES: dict[SplitName, tuple[str, ...]] = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}
_CHUNK = 1_000  # images scaled at once
_OFFICIAL: dict[SplitName, int] = {"train": 50_000, "test": 10_000}  # images of either CIFAR
_KNOWN = (
    f"known layouts: {ARCHIVE}; {', '.join(layout.folder for layout in LAYOUTS)}; train/, val/ and test/ with a folder of "
    f"{'/'.join(suffix[1:] for suffix in SUFFIXES)} images per class; class folders alone"
)


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
    if not path.is_dir():
        raise UserError(f"{path} is not a folder; {_KNOWN}")
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
    notes: list[str] = []
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
    folders = _split_folders(path)
    classes = _class_folders(folders["train"])
    for folder in folders.values():
        own = _class_folders(folder)
        if own != classes:
            more, less = sorted(set(own) - set(classes))[:4], sorted(set(classes) - set(own))[:4]
            differing = [f"{', '.join(names)} {where}" for names, where in ((more, "only here"), (less, "missing")) if names]
            raise UserError(f"{folder} has other class folders than {folders['train']} ({'; '.join(differing)}): make them equal")
    listed: dict[SplitName, list[tuple[list[Path], list[Path]]]] = {
        split: [_images(folder / label) for label in classes] for split, folder in folders.items()
    }
    total = sum(len(files) for per_class in listed.values() for files, _ in per_class)
    if not total:
        raise UserError(f"{path} has no image in a class folder and is of no known layout; {_KNOWN}")
    keep = 3 * size * size * total <= _KEEP_BYTES
    parts: dict[SplitName, Part] = {}
    faults: list[str] = []
    notes: list[str] = []
    for split, per_class in listed.items():
        files = tuple(file for own, _ in per_class for file in own)
        labels = np.repeat(np.arange(len(classes)), [len(own) for own, _ in per_class])
        source = Files(files, size, keep)
        reasons, small = source.check() if skip_bad or total <= _CHECK_ALL else ([""] * len(files), 0)
        good = np.array([row for row, reason in enumerate(reasons) if not reason], dtype=np.int64)
        faults += [f"{file.relative_to(path)} {reason}" for file, reason in zip(files, reasons) if reason]
        parts[split] = Part(source=source, rows=good, labels=labels[good])
        if small:
            notes.append(f"{small:,} images of {split} are smaller than {size} pixels and were enlarged")
        others = [file for _, rest in per_class for file in rest]
        if others:
            names = "/".join(suffix[1:] for suffix in SUFFIXES)
            notes.append(
                f"{len(others):,} files of {split} are no {names} and were ignored, such as {others[0].relative_to(path)}"
            )
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
    folders: dict[SplitName, Path] = {}
    named = [path / name for names in _ALIASES.values() for name in names if (path / name).is_dir()]
    if not any(_class_folders(folder) for folder in named):
        return {"train": path}
    for split in SPLITS:
        names = [name for name in _ALIASES[split] if (path / name).is_dir()]
        if len(names) > 1:
            raise UserError(f"{path} has both {names[0]}/ and {names[1]}/: keep the one that is the validation split")
        if names:
            folders[split] = path / names[0]
    if "train" not in folders:
        raise UserError(f"{path} has {', '.join(f'{folder.name}/' for folder in folders.values())} but no train/; {_KNOWN}")
    return folders


def _class_folders(folder: Path) -> tuple[str, ...]:
    """Names of the class folders, sorted; hidden ones and those of macOS archives are none."""
    names = (entry.name for entry in folder.iterdir() if entry.is_dir())
    return tuple(sorted(name for name in names if not name.startswith((".", "__"))))


def _images(folder: Path) -> tuple[list[Path], list[Path]]:
    """Image files and other files below a class folder, sorted; hidden ones are neither."""
    files = [
        Path(place) / name for place, _, names in os.walk(folder, followlinks=True) for name in names if not name.startswith(".")
    ]
    images = sorted(file for file in files if file.suffix.lower() in SUFFIXES)
    return images, sorted(set(files) - set(images))
